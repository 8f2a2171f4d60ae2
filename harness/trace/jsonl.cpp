#include "harness/trace/jsonl.hpp"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "harness/base/text.hpp"
#include "harness/trace/line_reader.hpp"
#include "harness/trace/line_writer.hpp"
#include "harness/trace/merge.hpp"
#include "harness/wire/envelope.hpp"

namespace poolproof::trace {
namespace {

using Json = nlohmann::json;
using Error = std::optional<InputError>;

// ---- writing -----------------------------------------------------------------------------------

std::string header_line(const Header& header) {
  LineWriter line;
  line.must("trace_version", kSchemaVersion);
  line.must("scenario", header.scenario);
  line.must("world", header.world);
  line.must("role", header.role);
  line.must("seed", fmt::format("{:#x}", header.seed));
  line.must("version", header.version);
  line.may("trouble", header.trouble);
  line.may("endless", header.endless);
  const auto scenario = wire::parse_json(header.scenario_json);
  if (scenario && scenario->is_object()) {
    line.add("scenario_json", scenario->dump(-1, ' ', false, Json::error_handler_t::replace));
  } else {
    line.must("scenario_json", header.scenario_json);
  }
  return line.object() + "\n";
}

LineWriter begin_line(std::uint64_t seq, Time at, std::string_view from, std::string_view kind) {
  LineWriter line;
  line.must("seq", seq);
  line.must("at_ms", at.time_since_epoch());
  line.must("from", std::string(from));
  line.must("kind", std::string(kind));
  return line;
}

struct WriteRecord {
  std::uint64_t seq;

  std::string operator()(const ClientStep& step) const {
    LineWriter line = begin_line(seq, step.ended, "client", name(step.kind));
    client_step_fields(line, step);
    return line.object() + "\n";
  }
  std::string operator()(const WorkerRecord& record) const {
    const std::string journal = faults::journal_line(
        record.record, record.at.time_since_epoch().count(), record.worker, record.pid);
    return fmt::format("{{\"seq\":{},\"from\":\"worker\",{}", seq, journal.substr(1));
  }
  std::string operator()(const OsRecord& record) const {
    LineWriter line = begin_line(seq, record.at, "os", record.when);
    os_fields(line, record);
    return line.object() + "\n";
  }
  std::string operator()(const EnvironmentRecord& record) const {
    LineWriter line = begin_line(seq, record.at, "environment", "signal_worker");
    environment_fields(line, record);
    return line.object() + "\n";
  }
  std::string operator()(const PoolRecord& record) const {
    LineWriter line = begin_line(seq, record.at, "pool", name(record.event));
    std::visit(PoolFields<LineWriter>{line}, record.event);
    std::string effects;
    for (const pool::Effect& effect : record.effects) {
      LineWriter inner;
      inner.must("kind", std::string(name(effect)));
      std::visit(PoolFields<LineWriter>{inner}, effect);
      if (!effects.empty()) effects += ',';
      effects += inner.object();
    }
    if (!effects.empty()) line.add("effects", "[" + effects + "]");
    return line.object() + "\n";
  }
};

// ---- reading -----------------------------------------------------------------------------------

/// The alternative number `index` of a variant, with its default value.
template <class Variant, std::size_t... I>
Variant alternative(std::size_t index, std::index_sequence<I...> /*all*/) {
  Variant value;
  static_cast<void>(((index == I && (value.template emplace<I>(), true)) || ...));
  return value;
}

template <class Variant, class Names>
std::optional<Variant> alternative(const Names& names, std::string_view wanted) {
  const auto found = std::find(names.begin(), names.end(), wanted);
  if (found == names.end()) return std::nullopt;
  return alternative<Variant>(static_cast<std::size_t>(found - names.begin()),
                              std::make_index_sequence<std::variant_size_v<Variant>>{});
}

Error unknown_kind(const LineReader& reader, const std::string& kind) {
  return InputError{reader.where(), "unknown kind \"" + printable(kind) + "\"", ""};
}

Error read_effect(const Json& object, const std::string& where, Effects& effects) {
  if (!object.is_object()) return InputError{where, "an effect is no object", ""};
  LineReader reader(object, where);
  std::string kind;
  reader.must("kind", kind);
  auto effect = alternative<pool::Effect>(kEffectNames, kind);
  if (!effect) return unknown_kind(reader, kind);
  std::visit(PoolFields<LineReader>{reader}, *effect);
  effects.push_back(*effect);
  return reader.finish();
}

/// Reads one line, after its `seq` and `from`.
class RecordReader {
 public:
  RecordReader(LineReader& reader, std::string_view line, std::size_t number, Trace& trace)
      : reader_(reader), line_(line), number_(number), trace_(trace) {}

  Error read(const std::string& from) {
    if (from == "worker") return worker();
    reader_.must("at_ms", at_);
    reader_.must("kind", kind_);
    if (from == "client") return client();
    if (from == "os") return os();
    if (from == "environment") return environment();
    if (from == "pool") return pool();
    return InputError{reader_.where(), "\"from\" is no witness: " + printable(from),
                      "client, worker, os, environment or pool"};
  }

 private:
  Error client() {
    ClientStep step;
    step.ended = at_;
    const auto kind = named<StepKind>(kStepKindNames, kind_);
    if (!kind) return unknown_kind(reader_, kind_);
    step.kind = *kind;
    client_step_fields(reader_, step);
    trace_.clients.push_back(std::move(step));
    return reader_.finish();
  }
  Error worker() {
    auto record = faults::read_journal_line(line_, reader_.where());
    if (!record) return InputError{reader_.where(), record.error().line(), ""};
    trace_.workers.push_back(std::move(*record));
    return std::nullopt;
  }
  Error os() {
    OsRecord record;
    record.at = at_;
    record.when = kind_;
    os_fields(reader_, record);
    trace_.os.push_back(std::move(record));
    if (kind_ != "before" && kind_ != "quiescent" && kind_ != "after") {
      return unknown_kind(reader_, kind_);
    }
    return reader_.finish();
  }
  Error environment() {
    if (kind_ != "signal_worker") return unknown_kind(reader_, kind_);
    EnvironmentRecord record;
    record.at = at_;
    environment_fields(reader_, record);
    trace_.environment.push_back(record);
    return reader_.finish();
  }
  Error pool() {
    auto event = alternative<pool::Event>(kEventNames, kind_);
    if (!event) return unknown_kind(reader_, kind_);
    std::visit(PoolFields<LineReader>{reader_}, *event);
    PoolRecord record{at_, *event, {}, number_};
    const Json* effects = reader_.has("effects") ? reader_.value("effects") : nullptr;
    if (effects != nullptr && !effects->is_array()) reader_.wrong("effects", "is no list");
    if (effects != nullptr && effects->is_array()) {
      for (const Json& effect : *effects) {
        if (auto error = read_effect(effect, reader_.where(), record.effects)) return error;
      }
    }
    trace_.pool.push_back(std::move(record));
    return reader_.finish();
  }

  LineReader& reader_;
  std::string_view line_;
  std::size_t number_;
  Trace& trace_;
  Time at_;
  std::string kind_;
};

Error read_header(LineReader& reader, Header& header) {
  std::int32_t version = 0;
  reader.must("trace_version", version);
  if (version != kSchemaVersion)
    reader.wrong("trace_version", "is not known here", std::to_string(kSchemaVersion));
  reader.must("scenario", header.scenario);
  reader.must("world", header.world);
  reader.must("role", header.role);
  std::string seed;
  reader.must("seed", seed);
  const std::string_view digits =
      std::string_view(seed).substr(std::min<std::size_t>(2, seed.size()));
  const char* end = digits.data() + digits.size();
  const auto parsed = std::from_chars(digits.data(), end, header.seed, 16);
  if (!seed.starts_with("0x") || parsed.ec != std::errc{} || parsed.ptr != end) {
    reader.wrong("seed", "is no seed", "hex, as \"0x5eed\"");
  }
  reader.must("version", header.version);
  reader.may("trouble", header.trouble);
  reader.may("endless", header.endless);
  const Json* scenario = reader.value("scenario_json");
  if (scenario != nullptr) {
    header.scenario_json = scenario->is_string() ? scenario->get<std::string>() : scenario->dump();
  }
  return reader.finish();
}

/// Reads line by line and remembers the values that all lines share.
class TraceReader {
 public:
  Error line(std::string_view text, std::size_t number, const std::string& file) {
    const std::string where = fmt::format("{}:{}", file, number);
    const auto object = wire::parse_json(text);
    if (!object) return InputError{where, object.error(), "one JSON object a line"};
    if (!object->is_object()) return InputError{where, "not an object", "one JSON object a line"};
    LineReader reader(*object, where);
    if (std::exchange(first_, false)) return read_header(reader, trace.header);
    std::uint64_t seq = 0;
    std::string from;
    reader.must("seq", seq);
    reader.must("from", from);
    if (reader.has("seq") && seq < next_seq_) reader.wrong("seq", "does not rise");
    next_seq_ = seq + 1;
    if (auto error = RecordReader(reader, text, number, trace).read(from)) return error;
    return reader.error();
  }

  [[nodiscard]] bool empty() const { return first_; }

  Trace trace;

 private:
  bool first_ = true;
  std::uint64_t next_seq_ = 0;
};

}  // namespace

std::string write_trace(const Trace& trace) {
  std::string text = header_line(trace.header);
  std::uint64_t seq = 0;
  for (const Merged& record : merged(trace)) {
    text += std::visit([&seq](const auto* one) { return WriteRecord{seq}(*one); }, record.record);
    ++seq;
  }
  return text;
}

Parsed<Trace> read_trace(std::string_view text, const std::string& where) {
  TraceReader reader;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    if (auto error = reader.line(text.substr(0, end), number, where)) return unexpected(*error);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  if (reader.empty()) return unexpected(InputError{where + ":1", "no header", "a trace"});
  return std::move(reader.trace);
}

}  // namespace poolproof::trace
