#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "harness/trace/fields.hpp"

namespace poolproof::trace {

/// Text as a JSON string, quotes included. Broken UTF-8 becomes U+FFFD.
std::string json_string(std::string_view text);

/// Builds one JSON object, key by key, in the order of the calls.
class LineWriter {
 public:
  template <class Value>
  void must(std::string_view key, const Value& value) {
    add(key, json(value));
  }

  template <class Value>
  void may(std::string_view key, const Value& value) {
    if (!(value == Value{})) must(key, value);
  }

  void nested(std::string_view key, const pool::StartEvidence& evidence) {
    LineWriter inner;
    evidence_fields(inner, evidence);
    add(key, inner.object());
  }

  void first_bytes(std::string_view key, const std::array<char, 48>& bytes, std::uint8_t size);

  /// Adds a key whose value is JSON text already.
  void add(std::string_view key, std::string_view json_text);

  [[nodiscard]] std::string object() const { return "{" + members_ + "}"; }

 private:
  static std::string json(std::integral auto value) { return std::to_string(value); }
  static std::string json(bool value) { return value ? "true" : "false"; }
  static std::string json(const std::string& value) { return json_string(value); }
  static std::string json(Duration value) { return milliseconds(value); }
  static std::string json(Time value) {
    return value == kNever ? "null" : milliseconds(value.time_since_epoch());
  }
  static std::string json(WorkerId value) { return json_string(dotted(value)); }
  static std::string json(LeaseId value) { return json(static_cast<std::uint64_t>(value)); }
  static std::string json(CheckoutId value) { return json(static_cast<std::uint64_t>(value)); }
  static std::string json(SessionId value) { return json(static_cast<std::uint64_t>(value)); }
  template <class Named>
  requires requires(Named value) { name(value); }
  static std::string json(const Named& value) { return json_string(name(value)); }
  template <class Value>
  static std::string json(const std::optional<Value>& value) {
    return json(*value);
  }
  static std::string json(const std::vector<std::string>& values);

  std::string members_;
};

}  // namespace poolproof::trace
