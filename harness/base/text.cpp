#include "harness/base/text.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include <fmt/format.h>

namespace poolproof {
namespace {

/// A well-formed UTF-8 character at the start of some bytes.
struct Character {
  std::uint32_t code = 0;
  std::size_t bytes = 0;
};

std::uint32_t byte_at(std::string_view bytes, std::size_t at) {
  return static_cast<unsigned char>(bytes[at]);
}

bool is_continuation(std::uint32_t byte) {
  return (byte & 0xC0U) == 0x80U;
}

/// The length that a lead byte announces; 0 if no character starts with this byte.
std::size_t announced_length(std::uint32_t lead) {
  if (lead < 0x80U) return 1;
  if (lead >= 0xC2U && lead <= 0xDFU) return 2;
  if (lead >= 0xE0U && lead <= 0xEFU) return 3;
  if (lead >= 0xF0U && lead <= 0xF4U) return 4;
  return 0;
}

/// Reads the character at the start of the bytes. Nothing for a stray or missing continuation byte,
/// an overlong form, a surrogate or a code that is too large.
std::optional<Character> first_character(std::string_view bytes) {
  static constexpr std::uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  const std::uint32_t lead = byte_at(bytes, 0);
  const std::size_t length = announced_length(lead);
  if (length == 0 || length > bytes.size()) return std::nullopt;
  if (length == 1) return Character{lead, 1};
  std::uint32_t code = lead & (0x7FU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if (!is_continuation(byte_at(bytes, i))) return std::nullopt;
    code = (code << 6U) | (byte_at(bytes, i) & 0x3FU);
  }
  const bool surrogate = code >= 0xD800U && code <= 0xDFFFU;
  if (code < kSmallest[length] || code > 0x10FFFFU || surrogate) return std::nullopt;
  return Character{code, length};
}

/// False for a character that moves the cursor, ends a line, turns the direction of writing or
/// shows nothing.
bool is_visible(std::uint32_t code) {
  struct Range {
    std::uint32_t first;
    std::uint32_t last;
  };
  static constexpr Range kHidden[] = {{0x00, 0x1F},     {0x7F, 0x9F},      {0xAD, 0xAD},
                                      {0x61C, 0x61C},   {0x200B, 0x200F},  {0x2028, 0x202E},
                                      {0x2060, 0x206F}, {0xFDD0, 0xFDEF},  {0xFEFF, 0xFEFF},
                                      {0xFFF9, 0xFFFB}, {0xE0000, 0xE0FFF}};
  const bool noncharacter = (code & 0xFFFEU) == 0xFFFEU;
  return !noncharacter && std::none_of(std::begin(kHidden), std::end(kHidden), [&](Range range) {
    return code >= range.first && code <= range.last;
  });
}

/// How many bytes at the start of `bytes` form one visible character; 0 when they don't.
std::size_t visible_prefix(std::string_view bytes) {
  const std::uint32_t lead = byte_at(bytes, 0);
  if (lead < 0x80U) return lead >= 0x20U && lead != 0x7FU ? 1 : 0;
  const std::optional<Character> character = first_character(bytes);
  return character && is_visible(character->code) ? character->bytes : 0;
}

constexpr std::string_view kHexDigits = "0123456789abcdef";

void append_escaped(std::string& out, char byte) {
  switch (byte) {
    case '\n':
      out += "\\n";
      return;
    case '\t':
      out += "\\t";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\\':
      out += "\\\\";
      return;
    default: {
      const auto value = static_cast<unsigned char>(byte);
      const std::array<char, 4> escape{'\\', 'x', kHexDigits[value >> 4U],
                                       kHexDigits[value & 0xFU]};
      out.append(escape.data(), escape.size());
    }
  }
}

/// How many bytes at the start of `bytes` are plain ASCII that needs no escape.
std::size_t plain_prefix(std::string_view bytes) {
  const auto plain = [](char c) { return c >= ' ' && c <= '~' && c != '\\'; };
  return static_cast<std::size_t>(std::find_if_not(bytes.begin(), bytes.end(), plain) -
                                  bytes.begin());
}

std::string shown(std::string_view bytes, std::size_t limit, std::string_view kept) {
  std::string out;
  out.reserve(std::min(bytes.size(), limit));
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t plain = plain_prefix(bytes.substr(at, limit - at));
    out.append(bytes.substr(at, plain));
    at += plain;
    if (at == bytes.size()) break;
    const bool keep = !kept.empty() && kept.find(bytes[at]) != std::string_view::npos;
    const std::size_t visible = bytes[at] == '\\' ? 0 : visible_prefix(bytes.substr(at, 4));
    const std::size_t step = std::max<std::size_t>(visible, 1);
    if (step > limit - at) return out + fmt::format("... ({} bytes)", bytes.size());
    if (visible > 0 || keep) {
      out.append(bytes.substr(at, step));
    } else {
      append_escaped(out, bytes[at]);
    }
    at += step;
  }
  return out;
}

/// Whether the bytes are one character whose last bytes are missing, and nothing else.
bool is_cut_character(std::string_view tail) {
  return announced_length(byte_at(tail, 0)) > tail.size() &&
         std::all_of(tail.begin() + 1, tail.end(),
                     [](char c) { return is_continuation(static_cast<unsigned char>(c)); });
}

}  // namespace

std::string printable(std::string_view bytes, std::size_t limit) {
  return shown(bytes, limit, "");
}

std::string printable_lines(std::string_view bytes, std::size_t limit) {
  return shown(bytes, limit, "\n");
}

std::string printable_message(std::string_view text, std::size_t limit) {
  return shown(text, limit, "\\");
}

std::string printable_page(std::string_view text, std::size_t limit) {
  return shown(text, limit, "\\\n");
}

std::string hex_and_text(std::string_view bytes, std::size_t limit) {
  if (bytes.empty()) return "(no bytes)";
  const std::string_view head = bytes.substr(0, limit);
  constexpr std::size_t kHexed = 3;  // the length of "0a "
  std::string out(kHexed * head.size(), ' ');
  for (std::size_t i = 0; i < head.size(); ++i) {
    const auto value = static_cast<unsigned char>(head[i]);
    out[kHexed * i] = kHexDigits[value >> 4U];
    out[kHexed * i + 1] = kHexDigits[value & 0xFU];
  }
  out.append("(\"").append(printable(head, limit)).append(1, '"');
  const bool cut = head.size() < bytes.size();
  if (cut) out += fmt::format(", {} bytes in all", bytes.size());
  return out.append(1, ')');
}

bool is_text(std::string_view bytes) {
  static constexpr std::string_view kAlsoInText = "\t\n\r\x1b";
  static constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  if (bytes.starts_with(kByteOrderMark)) bytes.remove_prefix(kByteOrderMark.size());
  if (bytes.empty()) return false;
  while (!bytes.empty()) {
    const bool spacing = kAlsoInText.find(bytes.front()) != std::string_view::npos;
    const std::size_t step = spacing ? 1 : visible_prefix(bytes.substr(0, 4));
    if (step == 0) return is_cut_character(bytes);
    bytes.remove_prefix(step);
  }
  return true;
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  static constexpr std::size_t kNameBytesMax = 128;
  if (std::max(a.size(), b.size()) > kNameBytesMax)
    return a == b ? 0 : std::max(a.size(), b.size());
  const std::size_t width = b.size() + 1;
  std::vector<std::size_t> all((a.size() + 1) * width);
  const auto at = [&](std::size_t i, std::size_t j) -> std::size_t& { return all[i * width + j]; };
  for (std::size_t i = 0; i <= a.size(); ++i) at(i, 0) = i;
  for (std::size_t j = 0; j <= b.size(); ++j) at(0, j) = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = at(i - 1, j - 1) + (a[i - 1] == b[j - 1] ? 0 : 1);
      at(i, j) = std::min({replaced, at(i - 1, j) + 1, at(i, j - 1) + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        at(i, j) = std::min(at(i, j), at(i - 2, j - 2) + 1);
    }
  }
  return at(a.size(), b.size());
}

}  // namespace poolproof
