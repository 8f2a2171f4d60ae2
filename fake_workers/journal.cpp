#include "fake_workers/journal.hpp"

#include <array>
#include <cmath>
#include <limits>

#include <nlohmann/json.hpp>

#include "harness/base/outcome.hpp"
#include "harness/base/text.hpp"
#include "harness/wire/envelope.hpp"

namespace poolproof::faults {
namespace {

using Json = nlohmann::json;
using Kind = JournalRecord::Kind;

constexpr std::array<std::string_view, 8> kKinds{"started",   "read", "wrote",      "receipt",
                                                 "stdin_end", "term", "grandchild", "exiting"};

template <class Value>
Json or_null(const std::optional<Value>& value) {
  return value ? Json(*value) : Json();
}

void add_keys_of_kind(const JournalRecord& record, Json& line) {
  switch (record.kind) {
    case Kind::read:
      line["request"] = or_null(record.request);
      line["id"] = or_null(record.id);
      line["command"] = or_null(record.command);
      line["nonce"] = or_null(record.nonce);
      break;
    case Kind::wrote:
      line["request"] = or_null(record.request);
      line["bytes"] = record.bytes;
      break;
    case Kind::receipt:
      line["fault"] = record.fault;
      line["id"] = record.plan_id;
      line["request"] = or_null(record.request);
      break;
    case Kind::grandchild:
      line["child_pid"] = record.child_pid;
      break;
    case Kind::exiting:
      line["code"] = record.code;
      break;
    case Kind::started:
    case Kind::stdin_end:
    case Kind::term:
      break;
  }
}

/// Milliseconds with three decimals, without a floating-point number in between.
std::string milliseconds(std::int64_t us) {
  const std::string fraction = std::to_string(us % 1000);
  return std::to_string(us / 1000) + "." + std::string(3 - fraction.size(), '0') + fraction;
}

/// Reads the keys of one line; remembers the first that is wrong.
class Keys {
 public:
  Keys(const Json& object, const std::string& where) : object_(object), where_(where) {}

  /// Leaves `into` alone when the key is missing, null where that is not allowed, or out of range.
  template <class Number>
  void number(const char* key, Number& into) {
    const Json* value = find(key);
    if (value == nullptr || !value->is_number_integer()) return wrong(key, "a whole number");
    const bool above = value->is_number_unsigned() && value->get<std::uint64_t>() > std::uint64_t{1}
                                                                                        << 62U;
    const std::int64_t number = above ? -1 : value->get<std::int64_t>();
    if (above || !fits<Number>(number)) return wrong(key, "a number in range");
    into = static_cast<Number>(number);
  }

  template <class Number>
  void number(const char* key, std::optional<Number>& into) {
    const Json* value = find(key);
    if (value != nullptr && value->is_null()) return;
    Number read{};
    number(key, read);
    into = read;
  }

  void text(const char* key, std::string& into) {
    const Json* value = find(key);
    if (value == nullptr || !value->is_string()) return wrong(key, "a text");
    into = value->get<std::string>();
  }

  void text(const char* key, std::optional<std::string>& into) {
    const Json* value = find(key);
    if (value != nullptr && value->is_null()) return;
    std::string read;
    text(key, read);
    into = read;
  }

  void time_ms(const char* key, Time& into) {
    const Json* value = find(key);
    if (value == nullptr || !value->is_number()) return wrong(key, "milliseconds");
    constexpr double kMaxMs = 1e12;
    const double ms = value->get<double>();
    if (!(ms >= 0 && ms <= kMaxMs)) return wrong(key, "milliseconds from 0");
    into = Time(Duration(std::llround(ms * 1000)));
  }

  void wrong(const std::string& key, const std::string& want) {
    if (!error_) error_ = InputError{where_ + "/" + key, "missing or of the wrong type", want};
  }

  [[nodiscard]] const std::optional<InputError>& error() const { return error_; }

 private:
  [[nodiscard]] const Json* find(const char* key) const {
    const auto found = object_.find(key);
    return found == object_.end() ? nullptr : &*found;
  }

  template <class Number>
  static bool fits(std::int64_t number) {
    if constexpr (sizeof(Number) < sizeof(std::int64_t)) {
      return number >= std::int64_t{std::numeric_limits<Number>::min()} &&
             number <= std::int64_t{std::numeric_limits<Number>::max()};
    }
    return std::numeric_limits<Number>::is_signed || number >= 0;
  }

  const Json& object_;
  const std::string& where_;
  std::optional<InputError> error_;
};

void read_keys_of_kind(Keys& keys, JournalRecord& record) {
  switch (record.kind) {
    case Kind::read:
      keys.number("request", record.request);
      keys.number("id", record.id);
      keys.text("command", record.command);
      keys.text("nonce", record.nonce);
      break;
    case Kind::wrote:
      keys.number("request", record.request);
      keys.number("bytes", record.bytes);
      break;
    case Kind::receipt:
      keys.text("fault", record.fault);
      keys.text("id", record.plan_id);
      keys.number("request", record.request);
      break;
    case Kind::grandchild:
      keys.number("child_pid", record.child_pid);
      break;
    case Kind::exiting:
      keys.number("code", record.code);
      break;
    case Kind::started:
    case Kind::stdin_end:
    case Kind::term:
      break;
  }
}

}  // namespace

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
  add_keys_of_kind(record, line);
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
  Keys keys(*object, where);
  keys.time_ms("at_ms", stamped.at);
  keys.number("slot", stamped.worker.slot);
  keys.number("generation", stamped.worker.generation);
  keys.number("pid", stamped.pid);
  std::string kind;
  keys.text("kind", kind);
  if (keys.error()) return unexpected(*keys.error());
  const auto known = named<Kind>(kKinds, kind);
  if (!known) {
    const std::string near = did_you_mean(kind, kKinds);
    return unexpected(InputError{where + "/kind", "unknown kind \"" + printable(kind) + "\"",
                                 near.empty() ? "did you mean \"read\"?" : near});
  }
  stamped.record.kind = *known;
  read_keys_of_kind(keys, stamped.record);
  if (keys.error()) return unexpected(*keys.error());
  return stamped;
}

}  // namespace poolproof::faults
