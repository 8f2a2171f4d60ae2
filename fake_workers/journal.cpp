#include "fake_workers/journal.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include <nlohmann/json.hpp>

#include "harness/base/enumerators.hpp"
#include "harness/base/json_node.hpp"
#include "harness/base/outcome.hpp"
#include "harness/base/text.hpp"
#include "harness/wire/envelope.hpp"

namespace poolproof::faults {
namespace {

using Json = nlohmann::json;
using Kind = JournalRecord::Kind;

constexpr auto kKinds = enumerator_names<Kind>();

/// Milliseconds with three decimals, without a floating-point number in between.
std::string milliseconds(std::int64_t us) {
  const std::string fraction = std::to_string(us % 1000);
  return std::to_string(us / 1000) + "." + std::string(3 - fraction.size(), '0') + fraction;
}

/// Writes keys into a line.
struct KeyWriter {
  template <class Value>
  void operator()(const char* key, const Value& value) const {
    line[key] = value;
  }
  template <class Value>
  void operator()(const char* key, const std::optional<Value>& value) const {
    line[key] = value ? Json(*value) : Json();
  }
  /// Writes an id: a whole number as it is, any other id as a text of its JSON.
  void id(const JournalRecord& record) const {
    (*this)("id", record.id);
    if (!record.other_id.empty()) (*this)("id", record.other_id);
  }

  Json& line;
};

/// Reads the keys of one line, and remembers the first that is wrong.
class KeyReader {
 public:
  KeyReader(const Json& object, const std::string& where) : object_(object), where_(where) {}

  /// Reads a number; keeps `into` and notes an error if it is missing, no whole number, or out of
  /// range.
  template <class Number>
  void operator()(const char* key, Number& into) {
    constexpr auto kMin = std::numeric_limits<Number>::min();
    constexpr auto kMax = std::min<std::uint64_t>(std::numeric_limits<Number>::max(), 1ULL << 62U);
    const Json* value = find(key);
    if (value == nullptr || !value->is_number_integer()) return wrong(key, "a whole number");
    const auto number = whole_within(*value, kMin, kMax);
    if (!number) return wrong(key, "a number in range");
    into = static_cast<Number>(*number);
  }

  void operator()(const char* key, std::string& into) {
    const Json* value = find(key);
    if (value == nullptr || !value->is_string()) return wrong(key, "a text");
    into = value->get<std::string>();
  }

  template <class Value>
  void operator()(const char* key, std::optional<Value>& into) {
    const Json* value = find(key);
    if (value != nullptr && value->is_null()) return;
    (*this)(key, into.emplace());
  }

  void id(JournalRecord& record) {
    const Json* value = find("id");
    if (value != nullptr && value->is_string()) return (*this)("id", record.other_id);
    (*this)("id", record.id);
  }

  void time_ms(const char* key, Time& into) {
    const Json* value = find(key);
    if (value == nullptr || !value->is_number()) return wrong(key, "milliseconds");
    constexpr double kMaxMs = 1e12;
    const double ms = value->get<double>();
    if (!(ms >= 0 && ms <= kMaxMs)) return wrong(key, "milliseconds from 0");
    into = Time(Duration(std::llround(ms * 1000)));
  }

  [[nodiscard]] const std::optional<InputError>& error() const { return error_; }

 private:
  [[nodiscard]] const Json* find(const char* key) const {
    const auto found = object_.find(key);
    return found == object_.end() ? nullptr : &*found;
  }
  void wrong(const std::string& key, const std::string& want) {
    if (!error_) error_ = InputError{where_ + "/" + key, "missing or of the wrong type", want};
  }

  const Json& object_;
  const std::string& where_;
  std::optional<InputError> error_;
};

/// Visits the keys that lines of the record's kind have, to write or to read them.
template <class Keys, class Record>
void keys_of_kind(Keys&& keys, Record& record) {
  switch (record.kind) {
    case Kind::read:
      keys("request", record.request);
      keys.id(record);
      keys("command", record.command);
      keys("nonce", record.nonce);
      break;
    case Kind::wrote:
      keys("request", record.request);
      keys("bytes", record.bytes);
      break;
    case Kind::receipt:
      keys("fault", record.fault);
      keys("id", record.plan_id);
      keys("request", record.request);
      break;
    case Kind::grandchild:
      keys("child_pid", record.child_pid);
      break;
    case Kind::exiting:
      keys("code", record.code);
      break;
    case Kind::misframed:
      keys("text", record.text);
      break;
    case Kind::started:
    case Kind::stdin_end:
    case Kind::term:
    case Kind::goodbye:
      break;
  }
}

}  // namespace

std::string noted_id(std::string_view json) {
  constexpr std::size_t kBytesMost = 128;
  std::size_t size = std::min(json.size(), kBytesMost);
  // The cut must not be in the middle of a character.
  const auto continues = [&] { return (static_cast<unsigned char>(json[size]) & 0xC0U) == 0x80U; };
  while (size < json.size() && size > 0 && continues()) --size;
  return std::string(json.substr(0, size));
}

JournalRecord record_of(Kind kind) {
  JournalRecord record;
  record.kind = kind;
  return record;
}

std::string_view name(Kind kind) {
  return kKinds[static_cast<std::size_t>(kind)];
}

std::string journal_line(const JournalRecord& record, std::int64_t at_us, WorkerId worker,
                         std::int64_t pid) {
  Json line{{"slot", worker.slot},
            {"generation", worker.generation},
            {"pid", pid},
            {"kind", name(record.kind)}};
  keys_of_kind(KeyWriter{line}, record);
  const std::string rest = line.dump(-1, ' ', false, Json::error_handler_t::replace);
  return "{\"at_ms\":" + milliseconds(at_us) + "," + rest.substr(1) + "\n";
}

Parsed<StampedJournalRecord> read_journal_line(std::string_view line, const std::string& where) {
  const auto object = wire::parse_json(line);
  if (!object) return unexpected(InputError{where, object.error(), "one JSON object a line"});
  if (!object->is_object()) {
    return unexpected(InputError{where, "not an object", "one JSON object a line"});
  }
  StampedJournalRecord stamped;
  KeyReader keys(*object, where);
  keys.time_ms("at_ms", stamped.at);
  keys("slot", stamped.worker.slot);
  keys("generation", stamped.worker.generation);
  keys("pid", stamped.pid);
  std::string kind;
  keys("kind", kind);
  if (keys.error()) return unexpected(*keys.error());
  const auto known = named<Kind>(kKinds, kind);
  if (!known) {
    const std::string near = did_you_mean(kind, kKinds);
    return unexpected(InputError{where + "/kind", "unknown kind \"" + printable(kind) + "\"",
                                 near.empty() ? "did you mean \"read\"?" : near});
  }
  stamped.record.kind = *known;
  keys_of_kind(keys, stamped.record);
  if (keys.error()) return unexpected(*keys.error());
  return stamped;
}

}  // namespace poolproof::faults
