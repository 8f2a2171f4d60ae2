#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "harness/base/result.hpp"
#include "harness/trace/fields.hpp"

namespace poolproof::trace {

/// Reads the keys of one JSON object. It remembers the first error and which keys were asked for. A
/// member whose key is missing or wrong keeps its value.
class LineReader {
 public:
  /// `object` must be a JSON object and outlive the reader; `where` is `file:line`.
  LineReader(const nlohmann::json& object, std::string where);

  template <class Value>
  void must(std::string_view key, Value& value) {
    if (!has(key)) return wrong(key, "is missing");
    get(key, value);
  }

  template <class Value>
  void may(std::string_view key, Value& value) {
    if (has(key)) get(key, value);
  }

  void nested(std::string_view key, pool::StartEvidence& evidence);
  void first_bytes(std::string_view key, std::array<char, 48>& bytes, std::uint8_t& size);

  /// A value for the caller to read. Null if the key is missing, which is an error.
  const nlohmann::json* value(std::string_view key);
  [[nodiscard]] bool has(std::string_view key) const;
  void wrong(std::string_view key, const std::string& what, const std::string& want = "");

  [[nodiscard]] const std::optional<InputError>& error() const { return error_; }
  /// The first error; a key that nobody asked for is one. Nothing: the object is as it should be.
  std::optional<InputError> finish();
  [[nodiscard]] const std::string& where() const { return where_; }

 private:
  template <std::integral Number>
  void get(std::string_view key, Number& number) {
    if constexpr (std::is_signed_v<Number>) {
      signed_number(key, number);
    } else {
      std::uint64_t wide = number;
      whole_number(key, wide, std::numeric_limits<Number>::max());
      number = static_cast<Number>(wide);
    }
  }
  void get(std::string_view key, bool& value);
  void get(std::string_view key, std::string& value);
  void get(std::string_view key, Duration& value);
  void get(std::string_view key, Time& value);
  void get(std::string_view key, WorkerId& value);
  void get(std::string_view key, std::vector<std::string>& values);
  void get(std::string_view key, LeaseId& value) { id(key, value); }
  void get(std::string_view key, CheckoutId& value) { id(key, value); }
  void get(std::string_view key, SessionId& value) { id(key, value); }
  void get(std::string_view key, pool::Affinity& value) {
    choice(key, value, pool::kAffinityNames);
  }
  void get(std::string_view key, pool::WhenBusy& value) {
    choice(key, value, pool::kWhenBusyNames);
  }
  void get(std::string_view key, Outcome& value) { choice(key, value, kOutcomeNames); }
  void get(std::string_view key, Phase& value) { choice(key, value, kPhaseNames); }
  void get(std::string_view key, StartCause& value) { choice(key, value, kStartCauseNames); }
  void get(std::string_view key, pool::RemovalReason& value) {
    choice(key, value, kRemovalReasonNames);
  }
  void get(std::string_view key, pool::StopStep& value) { choice(key, value, kStopStepNames); }
  template <class Value>
  void get(std::string_view key, std::optional<Value>& value) {
    get(key, value.emplace());
  }

  template <class Id>
  void id(std::string_view key, Id& value) {
    auto number = static_cast<std::uint64_t>(value);
    get(key, number);
    value = Id{number};
  }
  template <class Enum, class Names>
  void choice(std::string_view key, Enum& value, const Names& names) {
    std::string word;
    get(key, word);
    const auto found = named<Enum>(names, word);
    if (found) value = *found;
    if (!found) wrong(key, "is unknown: " + word, "one of the names of the contract");
  }
  void signed_number(std::string_view key, std::int32_t& number);
  void whole_number(std::string_view key, std::uint64_t& number, std::uint64_t max);

  const nlohmann::json& object_;
  std::string where_;
  std::vector<std::string_view> asked_;
  std::optional<InputError> error_;
};

}  // namespace poolproof::trace
