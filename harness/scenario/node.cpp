#include "harness/scenario/node.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "harness/base/text.hpp"

namespace poolproof::scenario {
namespace {

constexpr std::size_t kShownBytes = 60;
constexpr std::size_t kListedMax = 12;

/// What a value is, short enough for one line.
std::string shown(const nlohmann::json& value) {
  if (value.is_object()) return "an object";
  if (value.is_array()) return fmt::format("an array of {}", value.size());
  const std::string text = value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  if (text.size() <= kShownBytes) return text;
  return text.substr(0, kShownBytes) + fmt::format("... ({} bytes)", text.size());
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

std::string did_you_mean(std::string_view name, std::span<const std::string_view> names) {
  if (names.empty()) return "it has no keys";
  const std::string_view near = nearest(name, names);
  if (!near.empty()) return fmt::format("did you mean \"{}\"?", near);
  if (names.size() > kListedMax) return "the schema lists them all";
  return fmt::format("there is {}", fmt::join(names, ", "));
}

void Complaints::add(std::string where, std::string what, std::string want) {
  add(InputError{std::move(where), std::move(what), std::move(want)});
}

void Complaints::add(InputError error) {
  if (!first_) first_ = std::move(error);
}

bool Node::object(std::span<const std::string_view> keys) const {
  if (!value_->is_object()) {
    not_a("an object");
    return false;
  }
  for (const auto& item : value_->items()) {
    if (std::find(keys.begin(), keys.end(), item.key()) != keys.end()) continue;
    unknown("key", item.key(), keys);
    return false;
  }
  return true;
}

std::optional<Node> Node::find(std::string_view key) const {
  if (!value_->is_object()) return std::nullopt;
  const auto found = value_->find(std::string(key));
  if (found == value_->end()) return std::nullopt;
  return Node(*found, below(key), *complaints_);
}

std::optional<Node> Node::need(std::string_view key, std::string_view why) const {
  std::optional<Node> found = find(key);
  if (!found) wrong(fmt::format("there is no \"{}\"", key), std::string(why));
  return found;
}

std::vector<Node> Node::elements(std::size_t min) const {
  std::vector<Node> found;
  if (!value_->is_array()) {
    not_a("an array");
    return found;
  }
  if (value_->size() < min) wrong("is an empty array", "at least one");
  for (std::size_t i = 0; i < value_->size(); ++i) {
    found.emplace_back((*value_)[i], below(std::to_string(i)), *complaints_);
  }
  return found;
}

std::vector<std::string> Node::keys() const {
  std::vector<std::string> found;
  if (!value_->is_object()) return found;
  for (const auto& item : value_->items()) found.push_back(item.key());
  return found;
}

std::optional<std::string> Node::only_key(std::span<const std::string_view> keys,
                                          std::string_view noun) const {
  if (!value_->is_object() || value_->size() != 1) {
    const std::string what = value_->is_object()
                                 ? fmt::format("is an object of {} keys", value_->size())
                                 : "is " + shown(*value_);
    wrong(what, fmt::format("an object with one key, the {}: {{\"{}\": ...}}", noun, keys.front()));
    return std::nullopt;
  }
  std::string key = value_->items().begin().key();
  if (std::find(keys.begin(), keys.end(), key) != keys.end()) return key;
  unknown(noun, key, keys);
  return std::nullopt;
}

std::string Node::text() const {
  if (value_->is_string()) return value_->get<std::string>();
  not_a("a text");
  return "";
}

std::int64_t Node::whole(std::int64_t min, std::int64_t max) const {
  const bool too_large = value_->is_number_unsigned() &&
                         value_->get<std::uint64_t>() > static_cast<std::uint64_t>(INT64_MAX);
  if (value_->is_number_integer() && !too_large) {
    const auto number = value_->get<std::int64_t>();
    if (number >= min && number <= max) return number;
  }
  not_a(fmt::format("a whole number, {} to {}", min, max));
  return min;
}

Duration Node::span() const {
  return std::chrono::milliseconds(whole(0, kLongestMs));
}

bool Node::flag() const {
  if (value_->is_boolean()) return value_->get<bool>();
  not_a("true or false");
  return false;
}

std::size_t Node::choice(std::span<const std::string_view> names) const {
  if (!value_->is_string()) {
    not_a(fmt::format("a text: {}", fmt::join(names, ", ")));
    return 0;
  }
  const auto wanted = value_->get<std::string>();
  const auto found = std::find(names.begin(), names.end(), wanted);
  if (found != names.end()) return static_cast<std::size_t>(found - names.begin());
  wrong("is " + shown(*value_), did_you_mean(wanted, names));
  return 0;
}

void Node::unknown(std::string_view noun, std::string_view name,
                   std::span<const std::string_view> names) const {
  wrong(fmt::format("unknown {} \"{}\"", noun, printable(name, kShownBytes)),
        did_you_mean(name, names));
}

bool Node::is_object() const {
  return value_->is_object();
}
bool Node::is_array() const {
  return value_->is_array();
}
bool Node::is_text() const {
  return value_->is_string();
}

void Node::wrong(std::string what, std::string want) const {
  complaints_->add(where_, std::move(what), std::move(want));
}

void Node::not_a(std::string_view want) const {
  wrong("is " + shown(*value_), std::string(want));
}

std::string Node::below(std::string_view token) const {
  const bool at_root = where_.find('#') == std::string::npos;
  return where_ + (at_root ? "#/" : "/") + escaped(token);
}

}  // namespace poolproof::scenario
