#pragma once

#include <charconv>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace poolproof {

/// Makes a text safe on a terminal, on one line. Printable ASCII and well-formed printable UTF-8
/// stay; everything else (control characters, C1, bidi overrides, broken UTF-8) becomes `\n`, `\t`,
/// `\r`, `\\` or `\xNN`. At most `limit` bytes of input are shown; a longer text ends in `... (N
/// bytes)`.
std::string printable(std::string_view bytes, std::size_t limit = 200);

/// Like printable(), for a text of several lines (a stderr tail): newlines stay.
std::string printable_lines(std::string_view bytes, std::size_t limit = 4096);

/// Like printable(), for a sentence that quotes text which is printable already: a backslash stays
/// a single backslash.
std::string printable_message(std::string_view text, std::size_t limit = 4096);

/// Like printable_message(), for a sentence of several lines: newlines stay.
std::string printable_page(std::string_view text, std::size_t limit = std::string_view::npos);

/// The first bytes as hex and as text: `57 61 72 6e ("Warn")`.
std::string hex_and_text(std::string_view bytes, std::size_t limit = 32);

/// Whether the bytes look like a text that a person would print: visible UTF-8, white space and
/// colour escapes, perhaps behind a byte order mark. The last character may be cut short. False for
/// no bytes.
bool is_text(std::string_view bytes);

/// The text as a whole number, or nothing if it is not one.
template <class Number>
std::optional<Number> parse_number(std::string_view text, int base = 10) {
  Number number{};
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number, base);
  if (error != std::errc() || stop != end) return std::nullopt;
  return number;
}

/// The edit distance: how many bytes must be inserted, removed, replaced or swapped with the next.
/// For texts above 128 bytes it is not computed: all bytes count as different.
std::size_t edit_distance(std::string_view a, std::string_view b);

/// The entry of `names` that is nearest to `name`, or "" if none is near (for "did you mean").
template <class Names>
std::string_view nearest(std::string_view name, const Names& names) {
  std::string_view best;
  std::size_t best_distance = name.size() / 3 + 2;
  for (const auto& candidate : names) {
    const bool begun = name.size() > 2 && std::string_view(candidate).starts_with(name);
    const std::size_t distance = begun ? 1 : edit_distance(name, candidate);
    if (distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

/// `did you mean "size"?`, or nothing when no name is near.
template <class Names>
std::string did_you_mean(std::string_view name, const Names& names) {
  const std::string_view near = nearest(name, names);
  return near.empty() ? "" : "did you mean \"" + std::string(near) + "\"?";
}

}  // namespace poolproof
