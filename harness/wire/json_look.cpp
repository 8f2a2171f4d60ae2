#include "harness/wire/json_look.hpp"

#include <algorithm>
#include <string>

#include <nlohmann/json.hpp>

namespace poolproof::wire {
namespace {

using nlohmann::json;

constexpr std::size_t kLooked = 4096;

/// Whether the text is valid JSON, or may become so when more bytes follow.
bool is_unbroken(std::string_view text) {
  // The parser takes a zero byte for the end of the text.
  if (text.find('\0') != std::string_view::npos) return false;
  try {
    return !json::parse(text).is_discarded();
  } catch (const json::parse_error& broken) {
    return broken.byte > text.size();  // only its end is missing
  } catch (const json::exception&) {
    return false;  // a number too large for a double
  }
}

std::string_view behind_blanks(std::string_view text) {
  return text.substr(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
}

/// Whether an object begins here, perhaps in a list, with a key and its colon. Single quotes count,
/// too: Python prints a dict with them.
bool has_key(std::string_view text) {
  while (text.starts_with('[')) text = behind_blanks(text.substr(1));
  if (!text.starts_with('{')) return false;
  text = behind_blanks(text.substr(1));
  if (text.empty() || (text[0] != '"' && text[0] != '\'')) return false;
  std::size_t end = 1;
  while (end < text.size() && text[end] != text[0]) end += text[end] == '\\' ? 2 : 1;
  return behind_blanks(text.substr(std::min(end + 1, text.size()))).starts_with(':');
}

}  // namespace

JsonLook json_look(std::string_view text) {
  if (!text.starts_with('{') && !text.starts_with('[')) return JsonLook::other;
  text = text.substr(0, kLooked);
  if (is_unbroken(text)) return JsonLook::beginning;
  return has_key(text) ? JsonLook::meant : JsonLook::other;
}

}  // namespace poolproof::wire
