#include "fake_workers/options.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "fake_workers/needs.hpp"
#include "fake_workers/reply.hpp"
#include "harness/base/duplicate_key.hpp"
#include "harness/base/text.hpp"
#include "harness/wire/envelope.hpp"
#include "harness/wire/prefix_option.hpp"
#include "harness/wire/wires.hpp"

namespace poolproof::faults {
namespace {

using Json = nlohmann::json;
using Problem = std::optional<InputError>;

constexpr std::uint32_t kNumberMax = std::numeric_limits<std::int32_t>::max();

/// An option of the worker itself. The parameters of faults are options too.
struct Known {
  std::string_view option;
  const char* variable;  ///< null: no variable stands in for it
};

constexpr std::array kKnown{
    Known{"--slot", "POOLPROOF_SLOT"},
    Known{"--generation", "POOLPROOF_GENERATION"},
    Known{"--worker-id", nullptr},
    Known{"--wire", "POOLPROOF_WIRE"},
    Known{"--speech", "POOLPROOF_SPEECH"},
    Known{"--prefix-bytes", "POOLPROOF_PREFIX_BYTES"},
    Known{"--byte-order", "POOLPROOF_BYTE_ORDER"},
    Known{"--max-frame-bytes", "POOLPROOF_MAX_FRAME_BYTES"},
    Known{"--timestamp", nullptr},
    Known{"--plan", "POOLPROOF_PLAN"},
    Known{"--journal", "POOLPROOF_JOURNAL"},
    Known{"--tickets", "POOLPROOF_TICKETS"},
    Known{"--wire-log", "POOLPROOF_WIRE_LOG"},
    Known{"--wire-log-bytes", nullptr},
};

bool is_known(std::string_view option) {
  return std::ranges::count(kKnown, option, &Known::option) > 0;
}

InputError error(std::string_view where, std::string what, std::string want) {
  return {std::string(where), std::move(what), std::move(want)};
}

template <class Number>
Problem read_number(std::string_view where, const std::string& text, Number& into, std::int64_t min,
                    std::int64_t max) {
  const auto number = parse_number<std::int64_t>(text);
  if (!number || *number < min || *number > max) {
    return error(where, fmt::format("\"{}\" will not do", printable(text)),
                 fmt::format("a whole number from {} to {}", min, max));
  }
  into = static_cast<Number>(*number);
  return std::nullopt;
}

Problem read_prefix(std::string_view where, const std::string& text, Options& options) {
  if (text != "1" && text != "2" && text != "4" && text != "8") {
    return error(where, fmt::format("\"{}\" will not do", printable(text)), "1, 2, 4 or 8");
  }
  options.framing.prefix_bytes = static_cast<std::uint8_t>(text[0] - '0');
  return std::nullopt;
}

/// The names of all rows of a table, with commas in between.
template <class Rows>
std::string names_of(const Rows& rows) {
  std::string names;
  for (const auto* row : rows) names.append(names.empty() ? "" : ", ").append(row->name);
  return names;
}

Problem read_wire(std::string_view where, const std::string& text, Options& options) {
  const wire::WireRow* const row = wire::wire_called(text);
  if (row == nullptr) {
    return error(where, fmt::format("\"{}\" is no wire", printable(text)),
                 "one of " + names_of(wire::wires()));
  }
  options.framing.wire = row->wire;
  return std::nullopt;
}

Problem read_speech(std::string_view where, const std::string& text, Options& options) {
  const wire::SpeechRow* const row = wire::speech_called(text);
  if (row == nullptr) {
    return error(where, fmt::format("\"{}\" is no speech", printable(text)),
                 "one of " + names_of(wire::speeches()));
  }
  options.speech = row->speech;
  return std::nullopt;
}

Problem read_byte_order(std::string_view where, const std::string& text, Options& options) {
  if (text != "big" && text != "little") {
    return error(where, fmt::format("\"{}\" will not do", printable(text)), "big or little");
  }
  options.framing.little_endian = text == "little";
  return std::nullopt;
}

/// Sets one option. `where`: the option, or the variable that stands in for it.
Problem set(std::string_view option, std::string_view where, const std::string& value,
            Options& options) {
  options.numbered = options.numbered || option == "--slot" || option == "--generation";
  if (option == "--slot") return read_number(where, value, options.self.slot, 0, kNumberMax);
  if (option == "--generation") {
    return read_number(where, value, options.self.generation, 0, kNumberMax);
  }
  if (option == "--wire") return read_wire(where, value, options);
  if (option == "--speech") return read_speech(where, value, options);
  if (option == "--byte-order") return read_byte_order(where, value, options);
  if (option == "--prefix-bytes") return read_prefix(where, value, options);
  if (option == "--max-frame-bytes") {
    return read_number(where, value, options.framing.max_frame_bytes, 1, kNumberMax);
  }
  if (option == "--wire-log-bytes") {
    constexpr std::int64_t kMost = std::int64_t{1} << 40U;
    return read_number(where, value, options.wire_log_bytes, 1000, kMost);
  }
  if (option == "--wire-log" && value.empty()) return error(where, "an empty name", "a file");
  if (option == "--wire-log") options.wire_log = value;
  if (option == "--worker-id") options.worker_id = value;
  if (option == "--timestamp") {
    options.timestamp = wire::parse_json(value) ? value : json_text(value);
  }
  if (option == "--plan") options.plan_file = value;
  if (option == "--journal") options.journal_file = value;
  if (option == "--tickets") options.tickets_file = value;
  return std::nullopt;
}

/// The error for a fault that strikes before there is a worker: only a plan for others may have it.
InputError before_us(const Fault& fault) {
  return error("--fault " + std::string(fault.name), "strikes before there is a worker",
               "a scenario's \"faults\"");
}

/// Gathers `--fault NAME --at K=V --PARAM VALUE...` as the JSON that a plan would hold.
class FaultsGiven {
 public:
  void begin(const std::string& name) {
    objects_.push_back({{"fault", name}, {"at", Json::object()}});
  }

  Problem aim(const std::string& value) {
    if (objects_.empty()) return error("--at", "no --fault before it", "--fault NAME --at ...");
    for (std::size_t start = 0; start <= value.size();) {
      const std::size_t end = std::min(value.find(',', start), value.size());
      const std::string pair = value.substr(start, end - start);
      const std::size_t equals = pair.find('=');
      if (equals == std::string::npos) {
        return error("--at", fmt::format("\"{}\" is no coordinate", printable(pair)),
                     "request=1, or client=a,call=1");
      }
      const std::string key = pair.substr(0, equals);
      if (objects_.back()["at"].contains(key)) return key_twice("--at", key);
      objects_.back()["at"][key] = value_of(pair.substr(equals + 1), key == "client");
      start = end + 1;
    }
    return std::nullopt;
  }

  Problem set(const std::string& option, const std::string& value) {
    if (objects_.empty()) return error(option, "no --fault before it", "--fault NAME " + option);
    const std::string key = param_name(option);
    const Param* const param = find_param(key);
    if (objects_.back().contains(key)) return key_twice(option, key);
    objects_.back()[key] = value_of(value, param != nullptr && param->is_text);
    return std::nullopt;
  }

  [[nodiscard]] Parsed<Plan> plan() const {
    Plan plan;
    for (const Json& object : objects_) {
      auto fault = read_fault(object, "--fault " + object.at("fault").get<std::string>());
      if (!fault) return unexpected(fault.error());
      if (fault->fault->moment == Moment::launch) return unexpected(before_us(*fault->fault));
      fault->id = fmt::format("f{}", plan.size());
      plan.push_back(*std::move(fault));
    }
    return plan;
  }

  /// The name of the parameter that an option sets: `--delay-ms` sets `delay_ms`.
  static std::string param_name(const std::string& option) {
    std::string name = option.substr(2);
    for (char& letter : name) letter = letter == '-' ? '_' : letter;
    return name;
  }

  /// A fault's parameter of that name; null: no fault has one.
  static const Param* find_param(std::string_view name) {
    for (const Fault& fault : catalogue()) {
      const auto param = std::ranges::find(fault.params, name, &Param::name);
      if (param != fault.params.end()) return &*param;
    }
    return nullptr;
  }

 private:
  static Json value_of(const std::string& value, bool as_text) {
    const auto number = parse_number<std::int64_t>(value);
    return number && !as_text ? Json(*number) : Json(value);
  }

  std::vector<Json> objects_;
};

Problem wrong_wire(const PlannedFault& planned, const wire::Framing& framing) {
  if (can_strike_on(*planned.fault, framing.wire)) return std::nullopt;
  return error(fmt::format("--fault {}", planned.fault->name),
               fmt::format("can't strike on the wire {}", wire::row_of(framing.wire).name),
               "one of the wires " + wires_of(*planned.fault));
}

InputError unknown_option(const std::string& option) {
  std::vector<std::string> names{"--fault", "--at", "--list", "--help", "--version"};
  for (const Known& known : kKnown) names.emplace_back(known.option);
  const std::string_view near = nearest(option, names);
  return error(printable(option), "unknown option",
               near.empty() ? "see --help" : "did you mean " + std::string(near) + "?");
}

Problem give(const std::string& option, const std::string& value, Options& options,
             FaultsGiven& faults) {
  if (option == "--fault") {
    faults.begin(value);
    return std::nullopt;
  }
  if (option == "--at") return faults.aim(value);
  return is_known(option) ? set(option, option, value, options) : faults.set(option, value);
}

bool takes_value(const std::string& option) {
  return is_known(option) || option == "--fault" || option == "--at" ||
         (option.starts_with("--") &&
          FaultsGiven::find_param(FaultsGiven::param_name(option)) != nullptr);
}

std::optional<Options::Mode> mode(const std::string& option) {
  if (option == "--list") return Options::Mode::list;
  if (option == "--help" || option == "-h") return Options::Mode::help;
  if (option == "--version") return Options::Mode::version;
  return std::nullopt;
}

std::string usual_id(WorkerId self) {
  return std::to_string(self.slot) + "." + std::to_string(self.generation);
}

Problem read_environment(const Environment& environment, Options& options) {
  for (const Known& known : kKnown) {
    const char* value = known.variable == nullptr ? nullptr : environment(known.variable);
    if (value == nullptr || *value == '\0') continue;
    if (auto problem = set(known.option, known.variable, value, options)) return problem;
  }
  return std::nullopt;
}

Problem read_arguments(std::span<const char* const> args, Options& options, FaultsGiven& faults) {
  std::string of_prefix;
  for (std::size_t i = 0; i < args.size(); ++i) {
    std::string option = args[i];
    if (const auto asked = mode(option)) {
      options.mode = *asked;
      continue;
    }
    const std::size_t equals = option.find('=');
    const bool joined = equals != std::string::npos;
    const std::string value = joined ? option.substr(equals + 1) : "";
    option.resize(joined ? equals : option.size());
    if (!takes_value(option)) return unknown_option(option);
    if (!joined && i + 1 == args.size()) return error(option, "no value", option + " VALUE");
    if (auto problem = give(option, joined ? value : args[++i], options, faults)) return problem;
    if (option == "--prefix-bytes" || option == "--byte-order") of_prefix = option;
  }
  return wire::said_of_no_prefix(of_prefix, options.framing.wire);
}

}  // namespace

Parsed<Options> read_options(std::span<const char* const> args, const Environment& environment) {
  Options options;
  FaultsGiven faults;
  if (auto problem = read_environment(environment, options)) return unexpected(*std::move(problem));
  if (auto problem = read_arguments(args, options, faults)) return unexpected(*std::move(problem));
  auto plan = faults.plan();
  if (!plan) return unexpected(plan.error());
  for (const PlannedFault& planned : *plan) {
    if (auto problem = wrong_wire(planned, options.framing)) return unexpected(*std::move(problem));
  }
  options.faults = *std::move(plan);
  if (options.numbered) options.tickets_file.clear();
  if (options.worker_id.empty()) options.worker_id = usual_id(options.self);
  return options;
}

void set_ticket(Options& options, std::uint32_t ticket) {
  const bool named = options.worker_id != usual_id(options.self);
  options.self.generation = ticket;
  if (!named) options.worker_id = usual_id(options.self);
}

std::string help_text() {
  std::string text =
      R"(fake_worker: a worker that speaks JSON in frames on stdin and stdout, and misbehaves
exactly where it is told to.

  fake_worker --fault reply_late --at request=1 --delay-ms 300 --journal FILE
  fake_worker --wire lines --speech mcp --fault text_before_reply

  --fault NAME           plants a fault; may be repeated. Its parameters follow it
  --at K=V[,K=V]         where it strikes: client=a,call=1 or slot=, generation=, request=
                         (left out: everywhere)
  --PARAM VALUE          a parameter of the fault before it: --delay-ms 300
  --plan FILE            faults from a plan file              (POOLPROOF_PLAN)
  --journal FILE         appends what it does, as JSON lines  (POOLPROOF_JOURNAL)
  --slot N               which worker it is                   (POOLPROOF_SLOT)
  --generation N                                              (POOLPROOF_GENERATION)
  --tickets FILE         without --slot and --generation: it is 0.N,
                         the Nth to begin of all that share FILE (POOLPROOF_TICKETS)
  --worker-id TEXT       what ping answers (SLOT.GENERATION)
  --wire NAME            how frames are cut: prefix, varint, lines, headers (prefix),
                         or node_ipc: lines on NODE_CHANNEL_FD (POOLPROOF_WIRE)
  --speech NAME          what they say: bridge, json_rpc, mcp, lsp (bridge)
                                                              (POOLPROOF_SPEECH)
  --prefix-bytes N       the length prefix: 1, 2, 4 or 8 (4)  (POOLPROOF_PREFIX_BYTES)
  --byte-order ORDER     of that length: big or little (big)  (POOLPROOF_BYTE_ORDER)
  --max-frame-bytes N    the longest payload (16777216)       (POOLPROOF_MAX_FRAME_BYTES)
  --timestamp JSON       in every reply; else the clock's
  --wire-log FILE        every byte each way, with its time, as hex and text, frames marked; at
                         64 MiB FILE becomes FILE.1, so there are two files at most. %p in FILE
                         is the number of the process     (POOLPROOF_WIRE_LOG)
  --wire-log-bytes N     another bound than that
  --list                 the fault table as JSON
  --help  --version

Faults:
)";
  for (const Fault& fault : catalogue()) {
    std::string line = "  " + std::string(fault.name);
    line.resize(std::max<std::size_t>(line.size(), 25), ' ');
    text += line + std::string(fault.summary) + "\n";
  }
  return text;
}

std::string list_text() {
  Json rows = Json::array();
  for (const Fault& fault : catalogue()) rows.push_back(describe(fault));
  return rows.dump(2) + "\n";
}

}  // namespace poolproof::faults
