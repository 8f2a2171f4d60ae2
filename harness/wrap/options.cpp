#include "harness/wrap/options.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "fake_workers/needs.hpp"
#include "harness/base/duplicate_key.hpp"
#include "harness/base/read_file.hpp"
#include "harness/base/text.hpp"
#include "harness/wire/prefix_option.hpp"
#include "harness/wire/wires.hpp"
#include "harness/wrap/system.hpp"

namespace poolproof::wrap {
namespace {

using Json = nlohmann::json;
using Problem = std::optional<InputError>;

constexpr std::int64_t kNumberMax = std::numeric_limits<std::int32_t>::max();
constexpr std::uintmax_t kPlanMaxBytes = std::uintmax_t{16} << 20U;

/// The options that have been read so far.
struct Reading {
  Options options;
  bool names_speech = false;
  bool names_self = false;        ///< a slot or a generation was said
  std::string_view names_prefix;  ///< the option that said something about the length prefix
  std::vector<Json> faults;       ///< the faults, as a plan would hold them
};

InputError error(std::string_view where, std::string what, std::string want) {
  return {std::string(where), std::move(what), std::move(want)};
}

InputError will_not_do(std::string_view where, const std::string& value, std::string want) {
  return error(where, fmt::format("\"{}\" will not do", printable(value)), std::move(want));
}

template <class Number>
Problem number(std::string_view where, const std::string& text, std::int64_t min, std::int64_t max,
               Number& into) {
  const auto read = parse_number<std::int64_t>(text);
  if (!read || *read < min || *read > max)
    return will_not_do(where, text, fmt::format("a whole number from {} to {}", min, max));
  into = static_cast<Number>(*read);
  return std::nullopt;
}

Problem set_wire(std::string_view where, const std::string& value, Reading& into) {
  const wire::WireRow* const row = wire::wire_called(value);
  std::vector<std::string_view> names;
  for (const wire::WireRow* const one : wire::wires()) names.push_back(one->name);
  if (row == nullptr) {
    return error(where, fmt::format("no wire is called \"{}\"", printable(value)),
                 fmt::format("there are {}", fmt::join(names, ", ")));
  }
  into.options.framing.wire = row->wire;
  return std::nullopt;
}

Problem set_speech(std::string_view where, const std::string& value, Reading& into) {
  const auto speech = named<Speech>(kSpeechNames, value);
  if (!speech) {
    return error(where, fmt::format("no speech is called \"{}\"", printable(value)),
                 fmt::format("there are {}", fmt::join(kSpeechNames, ", ")));
  }
  into.options.speech = *speech;
  into.names_speech = true;
  return std::nullopt;
}

Problem set_prefix(std::string_view where, const std::string& value, Reading& into) {
  constexpr std::array<std::string_view, 4> kLengths{"1", "2", "4", "8"};
  if (std::ranges::find(kLengths, value) == kLengths.end())
    return will_not_do(where, value, "1, 2, 4 or 8");
  into.options.framing.prefix_bytes = static_cast<std::uint8_t>(value[0] - '0');
  return std::nullopt;
}

Problem set_order(std::string_view where, const std::string& value, Reading& into) {
  if (value != "big" && value != "little") return will_not_do(where, value, "big or little");
  into.options.framing.little_endian = value == "little";
  return std::nullopt;
}

Problem begin_fault(std::string_view /*where*/, const std::string& value, Reading& into) {
  into.faults.push_back({{"fault", value}, {"at", Json::object()}});
  return std::nullopt;
}

Json value_of(const std::string& value, bool as_text) {
  const auto whole = parse_number<std::int64_t>(value);
  return whole && !as_text ? Json(*whole) : Json(value);
}

/// Reads `K=V` into `object`; if `many`, further pairs behind commas, too.
Problem read_pairs(std::string_view where, const std::string& value, std::string_view example,
                   bool many, Json& object,
                   const std::function<bool(const std::string& key)>& is_text) {
  for (std::size_t start = 0; start <= value.size();) {
    const std::size_t comma = many ? value.find(',', start) : std::string::npos;
    const std::size_t end = std::min(comma, value.size());
    const std::string pair = value.substr(start, end - start);
    const std::size_t equals = pair.find('=');
    if (equals == std::string::npos)
      return error(where, fmt::format("\"{}\" is no pair", printable(pair)), std::string(example));
    const std::string key = pair.substr(0, equals);
    if (object.contains(key)) return key_twice(std::string(where), key);
    object[key] = value_of(pair.substr(equals + 1), is_text(key));
    start = end + 1;
  }
  return std::nullopt;
}

Problem no_fault(std::string_view where) {
  return error(where, "no --fault before it", fmt::format("--fault NAME {} ...", where));
}

/// Whether that is `nth=N`, `slot=N` or `generation=N`: what may stand behind `contains=TEXT`.
bool is_number_of_aim(std::string_view pair) {
  constexpr std::array<std::string_view, 3> kKeys{"nth", "slot", "generation"};
  const std::size_t equals = std::min(pair.find('='), pair.size());
  const std::string_view digits = pair.substr(std::min(equals + 1, pair.size()));
  return std::ranges::find(kKeys, pair.substr(0, equals)) != kKeys.end() && !digits.empty() &&
         digits.find_first_not_of("0123456789") == std::string_view::npos;
}

/// Where the text of `contains=TEXT` ends: it may itself contain commas, and numbers may follow.
std::size_t end_of_contained(std::string_view value) {
  std::size_t end = value.size();
  for (std::size_t comma = value.rfind(','); comma != std::string_view::npos;
       comma = value.substr(0, end).rfind(',')) {
    if (!is_number_of_aim(value.substr(comma + 1, end - comma - 1))) break;
    end = comma;
  }
  return end;
}

Problem aim(std::string_view where, const std::string& value, Reading& into) {
  if (into.faults.empty()) return no_fault(where);
  const auto read = [&](const std::string& pairs, bool many) {
    return read_pairs(where, pairs, "request=1, or method=tools/call,nth=2", many,
                      into.faults.back()["at"], [](const std::string& key) {
                        return key == "client" || key == "method" || key == "contains";
                      });
  };
  if (!value.starts_with("contains=")) return read(value, true);
  const std::size_t end = end_of_contained(value);
  auto problem = read(value.substr(0, end), false);
  if (problem || end == value.size()) return problem;
  return read(value.substr(end + 1), true);
}

const faults::Param* param_of(const Json& fault, const std::string& key) {
  const faults::Fault* const known = faults::find(fault.at("fault").get<std::string>());
  if (known == nullptr) return nullptr;
  const auto param = std::ranges::find(known->params, key, &faults::Param::name);
  return param == known->params.end() ? nullptr : &*param;
}

Problem parameter(std::string_view where, const std::string& value, Reading& into) {
  if (into.faults.empty()) return no_fault(where);
  Json& fault = into.faults.back();
  return read_pairs(where, value, "delay_ms=300", false, fault, [&fault](const std::string& key) {
    const faults::Param* const param = param_of(fault, key);
    return param != nullptr && param->is_text;
  });
}

/// An option, the variable that stands in for it (null: none), and the function that reads its
/// value.
struct Known {
  std::string_view option;
  const char* variable;
  Problem (*set)(std::string_view where, const std::string& value, Reading& into);
};

template <auto member, std::int64_t min, std::int64_t max>
Problem set_number(std::string_view where, const std::string& value, Reading& into) {
  return number(where, value, min, max, into.options.*member);
}

template <auto member>
Problem set_text(std::string_view where, const std::string& value, Reading& into) {
  if (value.empty()) return error(where, "an empty name", "a file");
  into.options.*member = value;
  return std::nullopt;
}

constexpr std::array kKnown{
    Known{"--wire", nullptr, set_wire},
    Known{"--speech", nullptr, set_speech},
    Known{"--prefix-bytes", "POOLPROOF_PREFIX_BYTES", set_prefix},
    Known{"--byte-order", "POOLPROOF_BYTE_ORDER", set_order},
    Known{"--max-frame-bytes", "POOLPROOF_MAX_FRAME_BYTES",
          [](std::string_view where, const std::string& value, Reading& into) {
            return number(where, value, 1, kNumberMax, into.options.framing.max_frame_bytes);
          }},
    Known{"--slot", "POOLPROOF_SLOT",
          [](std::string_view where, const std::string& value, Reading& into) {
            into.names_self = true;
            return number(where, value, 0, kNumberMax, into.options.self.slot);
          }},
    Known{"--generation", "POOLPROOF_GENERATION",
          [](std::string_view where, const std::string& value, Reading& into) {
            into.names_self = true;
            return number(where, value, 0, kNumberMax, into.options.self.generation);
          }},
    Known{"--tickets", "POOLPROOF_TICKETS", set_text<&Options::tickets_file>},
    Known{"--plan", "POOLPROOF_PLAN", set_text<&Options::plan_file>},
    Known{"--journal", "POOLPROOF_JOURNAL", set_text<&Options::journal_file>},
    Known{"--wire-log", "POOLPROOF_WIRE_LOG", set_text<&Options::wire_log>},
    Known{"--wire-log-bytes", nullptr, set_number<&Options::wire_log_bytes, 1000, 1LL << 40U>},
    Known{"--fault", nullptr, begin_fault},
    Known{"--at", nullptr, aim},
    Known{"--param", nullptr, parameter},
};

Problem read_environment(const Environment& environment, Reading& into) {
  for (const Known& known : kKnown) {
    const char* const value = known.variable == nullptr ? nullptr : environment(known.variable);
    if (value == nullptr || *value == '\0') continue;
    if (auto problem = known.set(known.variable, value, into)) return problem;
  }
  return std::nullopt;
}

Problem unknown(const std::string& word) {
  if (!word.starts_with("-"))
    return error(printable(word), "a command without -- before it",
                 fmt::format("poolproof wrap [options] -- {} ...", printable(word)));
  std::vector<std::string_view> names{"--help"};
  for (const Known& known : kKnown) names.push_back(known.option);
  const std::string near = did_you_mean(word, names);
  return error(printable(word), "unknown option",
               near.empty() ? "see poolproof wrap --help" : near);
}

Problem read_words(std::span<const char* const> words, Reading& into) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    std::string word = words[i];
    if (word == "--") {
      into.options.command.assign(words.begin() + static_cast<std::ptrdiff_t>(i) + 1, words.end());
      return std::nullopt;
    }
    if (word == "--help" || word == "-h") {
      into.options.help = true;
      return std::nullopt;
    }
    const std::size_t equals = word.find('=');
    const bool joined = equals != std::string::npos;
    const std::string value = joined ? word.substr(equals + 1) : "";
    word.resize(joined ? equals : word.size());
    const auto* const known = std::ranges::find(kKnown, word, &Known::option);
    if (known == kKnown.end()) return unknown(word);
    if (!joined && (i + 1 == words.size() || std::string_view(words[i + 1]) == "--"))
      return error(word, "no value", word + " VALUE");
    if (word == "--prefix-bytes" || word == "--byte-order") into.names_prefix = known->option;
    if (auto problem = known->set(word, joined ? value : words[++i], into)) return problem;
  }
  return std::nullopt;
}

Speech usual_speech(wire::Wire wire) {
  if (wire == wire::Wire::prefix) return Speech::bridge;
  const bool any = wire == wire::Wire::varint || wire == wire::Wire::node_ipc;
  return any ? Speech::opaque : Speech::json_rpc;
}

/// Finds the socket of Node's IPC that the environment names, and how it cuts messages.
Problem find_channel(const Environment& environment, Reading& into) {
  const char* const said = environment(wire::kChannelVariable);
  const char* const mode = environment(wire::kChannelModeVariable);
  Options& options = into.options;
  options.channel = sys::socket_called(said == nullptr ? "" : said);
  if (!options.channel) {
    return error("wrap",
                 fmt::format("the wire node_ipc is a socket whose number {} says, and {}",
                             wire::kChannelVariable,
                             said == nullptr ? "it is not set" : "what it says is none"),
                 "it is set where Node's child_process.fork() starts wrap as its execPath");
  }
  if (mode == nullptr || std::string_view(mode) != "advanced") return std::nullopt;
  if (options.speech != Speech::opaque && options.speech != Speech::jest) {
    return error("--speech",
                 fmt::format("{} can't be read: this channel's serialization is \"advanced\"",
                             kSpeechNames[static_cast<std::size_t>(options.speech)]),
                 "--speech opaque, or jest");
  }
  options.framing.wire = wire::Wire::prefix;
  options.framing.prefix_bytes = 4;
  options.framing.little_endian = false;
  return std::nullopt;
}

}  // namespace

Parsed<Options> read_options(std::span<const char* const> words, const Environment& environment) {
  Reading reading;
  if (auto problem = read_environment(environment, reading)) return unexpected(*problem);
  if (auto problem = read_words(words, reading)) return unexpected(*problem);
  Options& options = reading.options;
  if (options.help) return options;
  if (reading.names_self) options.tickets_file.clear();
  if (auto problem = wire::said_of_no_prefix(reading.names_prefix, options.framing.wire))
    return unexpected(*problem);
  if (!reading.names_speech) options.speech = usual_speech(options.framing.wire);
  if (wire::row_of(options.framing.wire).on_channel) {
    if (auto problem = find_channel(environment, reading)) return unexpected(*problem);
  }
  for (const Json& object : reading.faults) {
    const std::string where = "--fault " + printable(object.at("fault").get<std::string>());
    auto fault = faults::read_fault(object, where, faults::AimedBy::words);
    if (!fault) return unexpected(fault.error());
    options.faults.push_back(*std::move(fault));
  }
  if (options.command.empty()) {
    return unexpected(error("wrap", "no worker's command",
                            "write it after --, as in poolproof wrap -- python3 my_worker.py"));
  }
  return options;
}

namespace {

/// Why no request can fit this aim, to be read behind the fault's name. Empty: one can.
std::string aims_at_nothing(const faults::Aim& at, Speech speech) {
  const bool by_method = !at.method.empty() && speech == Speech::opaque;
  const bool by_nonce = !at.client.empty() && !has_members(speech);
  if (!by_method && !by_nonce) return "";
  return fmt::format("is aimed by a {}, which the speech {} has not; aim by request or contains",
                     by_method ? "method" : "client's call",
                     kSpeechNames[static_cast<std::size_t>(speech)]);
}

}  // namespace

Parsed<faults::Plan> whole_plan(const Options& options) {
  faults::Plan plan;
  if (!options.plan_file.empty()) {
    const auto text = read_file(options.plan_file, kPlanMaxBytes, "a plan file");
    if (!text) return unexpected(text.error());
    auto read = faults::read_plan(*text, options.plan_file, faults::AimedBy::words);
    if (!read) return unexpected(read.error());
    plan = *std::move(read);
  }
  for (faults::PlannedFault fault : options.faults) {
    fault.id = fmt::format("f{}", plan.size());
    plan.push_back(std::move(fault));
  }
  const faults::Between between{options.framing, has_members(options.speech),
                                says_success(options.speech), says_goodbye(options.speech)};
  for (const faults::PlannedFault& planned : plan) {
    if (!planned.at.fits(options.self)) continue;
    std::string why = faults::cannot_strike(*planned.fault, between);
    if (why.empty()) why = aims_at_nothing(planned.at, options.speech);
    if (!why.empty())
      return unexpected(error("wrap", fmt::format("{} {}", planned.fault->name, why), ""));
  }
  return plan;
}

std::string help_text() {
  std::string wires;
  for (const wire::WireRow* const row : wire::wires())
    wires += fmt::format("    {:8} {}\n", row->name, row->users);
  return fmt::format(
      R"(poolproof wrap: stands where a worker stands, runs the real one below it, and spoils what it
says exactly where it is told to. Without a fault nobody can tell it from the worker.

  poolproof wrap --wire lines --fault reply_dropped --at method=tools/call,nth=2 \
      --journal j.jsonl -- npx -y @modelcontextprotocol/server-everything

  --wire NAME            how frames are cut (prefix)
{}  --prefix-bytes 1|2|4|8 the length prefix (4)                 (POOLPROOF_PREFIX_BYTES)
  --byte-order big|little                                      (POOLPROOF_BYTE_ORDER)
  --max-frame-bytes N    the longest payload (16777216)        (POOLPROOF_MAX_FRAME_BYTES)
  --speech NAME          {}
                         (prefix: bridge; lines, headers: json_rpc; varint, node_ipc: opaque)
  --fault NAME           plants a fault; may be repeated: poolproof list faults
  --at K=V[,K=V]         where that one strikes: request=N (0 is the greeting), method=NAME,
                         contains=TEXT, with ,nth=N behind it the Nth of those; or
                         client=a,call=1, slot=, generation= (left out: everywhere)
  --param K=V            a parameter of it: --param delay_ms=300
  --plan FILE            faults from a plan file               (POOLPROOF_PLAN)
  --journal FILE         appends what it does, as JSON lines   (POOLPROOF_JOURNAL)
  --slot N --generation N  which worker it is                  (POOLPROOF_SLOT, _GENERATION)
  --tickets FILE         without these two: it is 0.N, the Nth to begin of all that share FILE
                                                               (POOLPROOF_TICKETS)
  --wire-log FILE        every byte each way, with its time, as hex and text, frames marked;
                         at {} MiB FILE becomes FILE.1, so there are two files at most. %p in FILE
                         is the number of the process        (POOLPROOF_WIRE_LOG)
  --wire-log-bytes N     another bound than that
  --                     the worker's command follows

It ends as the worker ends: with the same exit code or by the same signal. A bad option, or a fault
that can't strike on this wire, is one line and exit code 64.
)",
      wires, fmt::join(kSpeechNames, ", "), wire::WireLog::kLimitBytes >> 20U);
}

}  // namespace poolproof::wrap
