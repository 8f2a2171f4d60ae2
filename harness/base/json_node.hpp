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

/// Keeps the first thing wrong with a file. What is read after it is of no matter, so that readers
/// need no exit of their own for each mistake: they give defaults and go on.
class Complaints {
 public:
  void add(std::string where, std::string what, std::string want);
  void add(InputError error);
  [[nodiscard]] bool none() const { return !first_; }
  [[nodiscard]] const InputError& first() const { return *first_; }

 private:
  std::optional<InputError> first_;
};

/// One JSON value and the place where it stands: `x.json#/clients/0/steps/2`. A value of another
/// type or out of bounds is a complaint, and a default is given.
class JsonNode {
 public:
  /// `where` is the file; `separator` stands between it and the first key.
  JsonNode(const nlohmann::json& value, std::string where, Complaints& complaints,
           std::string_view separator = "#/")
      : value_(&value), where_(std::move(where)), separator_(separator), complaints_(&complaints) {}

  /// Whether it is an object without any key but these.
  [[nodiscard]] bool object(std::span<const std::string_view> keys) const;
  [[nodiscard]] std::optional<JsonNode> find(std::string_view key) const;
  /// The value of a key that must be there. `why` is what is said if it is not.
  [[nodiscard]] std::optional<JsonNode> need(std::string_view key, std::string_view why) const;
  /// The elements of an array of at least `min` of them.
  [[nodiscard]] std::vector<JsonNode> elements(std::size_t min = 0) const;
  /// The keys of an object in order.
  [[nodiscard]] std::vector<std::string> keys() const;
  /// The only key of an object with one of `keys`; nothing after a complaint.
  [[nodiscard]] std::optional<std::string> only_key(std::span<const std::string_view> keys,
                                                    std::string_view noun) const;

  [[nodiscard]] std::string text() const;
  [[nodiscard]] std::int64_t whole(std::int64_t min, std::int64_t max) const;
  /// In milliseconds, 0 to 24 hours.
  [[nodiscard]] Duration span() const;
  [[nodiscard]] bool flag() const;
  /// The place of a text in `names`.
  [[nodiscard]] std::size_t choice(std::span<const std::string_view> names) const;
  /// One that is not in `names` is a complaint about an unknown `noun`.
  void unknown(std::string_view noun, std::string_view name,
               std::span<const std::string_view> names) const;

  [[nodiscard]] bool is_object() const;
  [[nodiscard]] bool is_array() const;
  [[nodiscard]] bool is_text() const;
  [[nodiscard]] const nlohmann::json& json() const { return *value_; }
  [[nodiscard]] const std::string& where() const { return where_; }
  [[nodiscard]] Complaints& complaints() const { return *complaints_; }
  void wrong(std::string what, std::string want) const;
  void not_a(std::string_view want) const;  ///< `is 12; a text`

 private:
  [[nodiscard]] std::string below(std::string_view token) const;

  const nlohmann::json* value_;
  std::string where_;
  std::string_view separator_;
  Complaints* complaints_;
};

/// A whole number within these bounds.
std::optional<std::int64_t> whole_within(const nlohmann::json& value, std::int64_t min,
                                         std::int64_t max);

/// The first key of an object that is not among `known`.
std::optional<std::string> unknown_key(const nlohmann::json& object,
                                       std::span<const std::string_view> known);

/// `did you mean "size"?`, or what there is.
std::string suggestion(std::string_view name, std::span<const std::string_view> names);

}  // namespace poolproof
