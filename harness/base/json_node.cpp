#include "harness/base/json_node.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "harness/base/text.hpp"

namespace poolproof {
namespace {

constexpr std::size_t kShownBytes = 60;
constexpr std::size_t kListedMax = 12;

/// What a value is, short enough for one line.
std::string shown(const nlohmann::json& value) {
  if (value.is_object()) return "an object";
  if (value.is_array()) return fmt::format("an array of {}", value.size());
  const std::string text = value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  if (text.size() <= kShownBytes) return printable_message(text);
  return printable_message(text.substr(0, kShownBytes)) +
         fmt::format("... ({} bytes)", text.size());
}

std::string escaped(std::string_view token) {
  std::string out;
  for (const char c : token) {
    if (c == '~') {
      out += "~0";
    } else if (c == '/') {
      out += "~1";
    } else {
      out += c;
    }
  }
  return printable(out);
}

}  // namespace

std::string suggestion(std::string_view name, std::span<const std::string_view> names) {
  if (names.empty()) return "it has no keys";
  std::string near = did_you_mean(name, names);
  if (!near.empty()) return near;
  if (names.size() > kListedMax) return "the schema lists them all";
  return fmt::format("there is {}", fmt::join(names, ", "));
}

void Complaints::add(std::string where, std::string what, std::string want) {
  add(InputError{std::move(where), std::move(what), std::move(want)});
}

void Complaints::add(InputError error) {
  if (!first_) first_ = std::move(error);
}

bool JsonNode::object(std::span<const std::string_view> keys) const {
  if (!value_->is_object()) {
    not_a("an object");
    return false;
  }
  const auto other = unknown_key(*value_, keys);
  if (other) unknown("key", *other, keys);
  return !other;
}

std::optional<JsonNode> JsonNode::find(std::string_view key) const {
  if (!value_->is_object()) return std::nullopt;
  const auto found = value_->find(std::string(key));
  if (found == value_->end()) return std::nullopt;
  return JsonNode(*found, below(key), *complaints_, "/");
}

std::optional<JsonNode> JsonNode::need(std::string_view key, std::string_view why) const {
  std::optional<JsonNode> found = find(key);
  if (!found) wrong(fmt::format("there is no \"{}\"", key), std::string(why));
  return found;
}

std::vector<JsonNode> JsonNode::elements(std::size_t min) const {
  std::vector<JsonNode> found;
  if (!value_->is_array()) {
    not_a("an array");
    return found;
  }
  if (value_->size() < min) wrong("is an empty array", "at least one");
  for (std::size_t i = 0; i < value_->size(); ++i) {
    found.emplace_back((*value_)[i], below(std::to_string(i)), *complaints_, "/");
  }
  return found;
}

std::vector<std::string> JsonNode::keys() const {
  std::vector<std::string> found;
  if (!value_->is_object()) return found;
  for (const auto& item : value_->items()) found.push_back(item.key());
  return found;
}

std::optional<std::string> JsonNode::only_key(std::span<const std::string_view> keys,
                                              std::string_view noun) const {
  if (!value_->is_object() || value_->size() != 1) {
    const std::string what = value_->is_object()
                                 ? fmt::format("is an object of {} keys", value_->size())
                                 : "is " + shown(*value_);
    wrong(what, fmt::format("an object with one key, the {}: {{\"{}\": ...}}", noun, keys.front()));
    return std::nullopt;
  }
  std::string key = value_->items().begin().key();
  if (std::ranges::find(keys, key) != keys.end()) return key;
  unknown(noun, key, keys);
  return std::nullopt;
}

std::string JsonNode::text() const {
  if (value_->is_string()) return value_->get<std::string>();
  not_a("a text");
  return "";
}

std::int64_t JsonNode::whole(std::int64_t min, std::int64_t max) const {
  const auto number = whole_within(*value_, min, max);
  if (!number) not_a(fmt::format("a whole number, {} to {}", min, max));
  return number.value_or(min);
}

Duration JsonNode::span() const {
  return std::chrono::milliseconds(whole(0, kLongestMs));
}

bool JsonNode::flag() const {
  if (value_->is_boolean()) return value_->get<bool>();
  not_a("true or false");
  return false;
}

std::size_t JsonNode::choice(std::span<const std::string_view> names) const {
  if (!value_->is_string()) {
    not_a(fmt::format("a text: {}", fmt::join(names, ", ")));
    return 0;
  }
  const auto wanted = value_->get<std::string>();
  const auto found = std::ranges::find(names, wanted);
  if (found != names.end()) return static_cast<std::size_t>(found - names.begin());
  wrong("is " + shown(*value_), suggestion(wanted, names));
  return 0;
}

void JsonNode::unknown(std::string_view noun, std::string_view name,
                       std::span<const std::string_view> names) const {
  wrong(fmt::format("unknown {} \"{}\"", noun, printable(name, kShownBytes)),
        suggestion(name, names));
}

bool JsonNode::is_object() const {
  return value_->is_object();
}
bool JsonNode::is_array() const {
  return value_->is_array();
}
bool JsonNode::is_text() const {
  return value_->is_string();
}

void JsonNode::wrong(std::string what, std::string want) const {
  complaints_->add(where_, std::move(what), std::move(want));
}

void JsonNode::not_a(std::string_view want) const {
  wrong("is " + shown(*value_), std::string(want));
}

std::string JsonNode::below(std::string_view token) const {
  return where_ + std::string(separator_) + escaped(token);
}

std::optional<std::int64_t> whole_within(const nlohmann::json& value, std::int64_t min,
                                         std::int64_t max) {
  if (!value.is_number_integer()) return std::nullopt;
  const bool too_large = value.is_number_unsigned() &&
                         value.get<std::uint64_t>() > static_cast<std::uint64_t>(INT64_MAX);
  const auto number = value.get<std::int64_t>();
  if (too_large || number < min || number > max) return std::nullopt;
  return number;
}

std::optional<std::string> unknown_key(const nlohmann::json& object,
                                       std::span<const std::string_view> known) {
  for (const auto& item : object.items()) {
    if (std::ranges::find(known, item.key()) == known.end()) return item.key();
  }
  return std::nullopt;
}

}  // namespace poolproof
