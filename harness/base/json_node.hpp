#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "harness/base/clock.hpp"
#include "harness/base/result.hpp"

/// Reading JSON that people wrote: where a value stands, what is wrong with it, what was meant.
namespace poolproof {

/// Keeps the first mistake in a file. After a mistake readers give defaults and go on, and nobody
/// uses what they read then: so they need no early return for each mistake.
class Complaints {
 public:
  void add(std::string where, std::string what, std::string want);
  void add(InputError error);
  [[nodiscard]] bool none() const { return !first_; }
  [[nodiscard]] const InputError& first() const { return *first_; }

 private:
  std::optional<InputError> first_;
};

/// One JSON value and the place where it stands: `x.json#/clients/0/steps/2`. Reading a value of
/// the wrong type or out of bounds adds a complaint and gives a default.
class JsonNode {
 public:
  /// `where` is the file; `separator` stands between it and the first key.
  JsonNode(const nlohmann::json& value, std::string where, Complaints& complaints,
           std::string_view separator = "#/")
      : value_(&value), where_(std::move(where)), separator_(separator), complaints_(&complaints) {}

  /// Whether the value is an object with no other keys than `keys`; if not, adds a complaint.
  [[nodiscard]] bool object(std::span<const std::string_view> keys) const;
  [[nodiscard]] std::optional<JsonNode> find(std::string_view key) const;
  /// The value of a key that must be there. If it is missing, the complaint ends with `why`.
  [[nodiscard]] std::optional<JsonNode> need(std::string_view key, std::string_view why) const;
  /// The elements of an array. Fewer than `min` of them are a complaint.
  [[nodiscard]] std::vector<JsonNode> elements(std::size_t min = 0) const;
  /// The keys of an object in order.
  [[nodiscard]] std::vector<std::string> keys() const;
  /// The key of an object that has one key only, which must be one of `keys`. If it is not so, adds
  /// a complaint and gives nothing.
  [[nodiscard]] std::optional<std::string> only_key(std::span<const std::string_view> keys,
                                                    std::string_view noun) const;

  [[nodiscard]] std::string text() const;
  [[nodiscard]] std::int64_t whole(std::int64_t min, std::int64_t max) const;
  /// A time span in milliseconds, 0 to 24 hours.
  [[nodiscard]] Duration span() const;
  [[nodiscard]] bool flag() const;
  /// The index of this text in `names`.
  [[nodiscard]] std::size_t choice(std::span<const std::string_view> names) const;
  /// Complains that there is no `noun` called `name`, and suggests one of `names`.
  void unknown(std::string_view noun, std::string_view name,
               std::span<const std::string_view> names) const;

  [[nodiscard]] bool is_object() const;
  [[nodiscard]] bool is_array() const;
  [[nodiscard]] bool is_text() const;
  [[nodiscard]] const nlohmann::json& json() const { return *value_; }
  [[nodiscard]] const std::string& where() const { return where_; }
  [[nodiscard]] Complaints& complaints() const { return *complaints_; }
  void wrong(std::string what, std::string want) const;
  void not_a(std::string_view want) const;  ///< complains: `is 12; a text`

 private:
  [[nodiscard]] std::string below(std::string_view token) const;

  const nlohmann::json* value_;
  std::string where_;
  std::string_view separator_;
  Complaints* complaints_;
};

/// The value as a whole number, or nothing if it is none or out of bounds.
std::optional<std::int64_t> whole_within(const nlohmann::json& value, std::int64_t min,
                                         std::int64_t max);

/// The first key of an object that is not among `known`.
std::optional<std::string> unknown_key(const nlohmann::json& object,
                                       std::span<const std::string_view> known);

/// What to say after an unknown name: `did you mean "size"?`, or which names there are.
std::string suggestion(std::string_view name, std::span<const std::string_view> names);

}  // namespace poolproof
