#include "harness/base/duplicate_key.hpp"

#include <set>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "harness/base/text.hpp"

namespace poolproof {
namespace {

using nlohmann::json;

/// An object or an array that the parser has entered and not yet left.
struct Level {
  bool is_array = false;
  std::size_t next = 0;
  std::string token = {};  ///< the key or index that is being read
  std::set<std::string> keys = {};
};

std::string pointer_to(const std::vector<Level>& levels) {
  std::string path;
  for (const Level& level : levels) path.append("/").append(printable(level.token));
  return path.empty() ? path : "#" + path;
}

}  // namespace

InputError key_twice(std::string where, std::string_view key) {
  return {std::move(where), fmt::format("the key \"{}\" is there twice", printable(key)),
          "one of them"};
}

std::optional<InputError> find_duplicate_key(std::string_view json_text, const std::string& where) {
  using Event = json::parse_event_t;
  std::vector<Level> levels;
  std::optional<InputError> found;
  const auto follow = [&](int /*depth*/, Event event, const json& parsed) {
    if (event == Event::key) {
      Level& level = levels.back();
      level.token = parsed.get<std::string>();
      if (level.keys.insert(level.token).second || found) return true;
      found = key_twice(where + pointer_to({levels.begin(), levels.end() - 1}), level.token);
    } else if (event == Event::object_end || event == Event::array_end) {
      levels.pop_back();
    } else {
      if (!levels.empty() && levels.back().is_array) {
        levels.back().token = std::to_string(levels.back().next++);
      }
      if (event != Event::value) levels.push_back({event == Event::array_start});
    }
    return true;
  };
  [[maybe_unused]] const json followed = json::parse(json_text, follow, false);
  return found;
}

}  // namespace poolproof
