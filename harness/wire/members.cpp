#include "harness/wire/members.hpp"

#include <algorithm>
#include <cstddef>

namespace poolproof::wire {
namespace {

/// The position after the closing quote of the JSON text that begins at `at`.
std::size_t end_of_text(std::string_view json, std::size_t at) {
  for (++at; at < json.size() && json[at] != '"'; ++at) at += json[at] == '\\' ? 1U : 0U;
  return std::min(at + 1, json.size());
}

/// The position of the comma or brace that follows the value beginning at `at`.
std::size_t end_of_value(std::string_view json, std::size_t at) {
  for (int depth = 0; at < json.size();) {
    const char c = json[at];
    if (c == '"') {
      at = end_of_text(json, at);
      continue;
    }
    if (depth == 0 && (c == ',' || c == '}')) break;
    if (c == '{' || c == '[') ++depth;
    if (c == '}' || c == ']') --depth;
    ++at;
  }
  return at;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

}  // namespace

std::vector<Member> members_of(std::string_view json) {
  std::vector<Member> members;
  for (std::size_t at = json.find('"'); at < json.size(); at = json.find('"', at)) {
    const std::size_t key_end = end_of_text(json, at);
    const std::size_t value = json.find(':', key_end) + 1;
    const std::size_t end = end_of_value(json, value);
    members.push_back(
        {json.substr(at, key_end - at), std::string(trimmed(json.substr(value, end - value)))});
    at = end;
  }
  return members;
}

}  // namespace poolproof::wire
