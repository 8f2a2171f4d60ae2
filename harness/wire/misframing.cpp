#include "harness/wire/misframing.hpp"

#include <algorithm>
#include <array>
#include <cctype>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "harness/base/text.hpp"
#include "harness/wire/envelope.hpp"
#include "harness/wire/json_look.hpp"
#include "harness/wire/speech.hpp"
#include "harness/wire/wires.hpp"

namespace poolproof::wire {
namespace {

constexpr std::size_t kLooked = std::size_t{4} << 20U;
/// Another frame, or the end of a text, is searched for in so many bytes from the beginning.
constexpr std::size_t kSearched = 4096;
constexpr std::size_t kQuoted = 48;
/// The most places at which we try whether a whole JSON text begins there.
constexpr int kTries = 64;
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

bool is_document(std::string_view text) {
  if (text.empty() || (text.front() != '{' && text.front() != '[')) return false;
  return parse_json(text).has_value();
}

/// The JSON object or list at the start of the text, whatever follows it; empty: there is none.
std::string_view document_at(std::string_view text) {
  if (text.empty() || (text.front() != '{' && text.front() != '[')) return {};
  std::size_t depth = 0;
  bool quoted = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (quoted && c == '\\') {
      ++at;
    } else if (c == '"') {
      quoted = !quoted;
    } else if (!quoted && (c == '{' || c == '[')) {
      ++depth;
    } else if (!quoted && (c == '}' || c == ']') && --depth == 0) {
      const std::string_view document = text.substr(0, at + 1);
      return is_document(document) ? document : std::string_view();
    }
  }
  return {};
}

bool starts_as_json(std::string_view text) {
  return text.starts_with('{') || text.starts_with('[');
}

std::string_view first_line(std::string_view bytes) {
  return bytes.substr(0, bytes.find('\n'));
}

bool is_blank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

/// The JSON document in the first frame of `bytes`; empty if that is not whole or holds no JSON.
std::string_view document_in(const Framing& framing, std::string_view bytes) {
  const std::string_view payload = whole_frame(framing, bytes).payload;
  return is_document(payload) ? payload : std::string_view();
}

/// Where the first `count` characters of UTF-8 end. With `units`, characters outside of the basic
/// plane count twice, as in UTF-16. Nothing if there are fewer.
std::optional<std::size_t> end_of_characters(std::string_view text, std::uint64_t count,
                                             bool units) {
  std::size_t at = 0;
  while (count > 0 && at < text.size()) {
    const auto lead = static_cast<unsigned char>(text[at]);
    const std::size_t size = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    count -= std::min<std::uint64_t>(count, units && size == 4 ? 2 : 1);
    at += size;
  }
  if (count > 0 || at > text.size()) return std::nullopt;
  return at;
}

std::optional<Suspicion> characters(std::uint64_t length, std::string_view behind) {
  for (const bool units : {false, true}) {
    const auto end = end_of_characters(behind, length, units);
    if (!end || *end == length || !is_document(behind.substr(0, *end))) continue;
    return Suspicion{Misframing::counts_characters,
                     fmt::format("a length that counts characters, not bytes: the header says {}, "
                                 "the payload has {} bytes, which are {} {}",
                                 length, *end, length, units ? "UTF-16 units" : "characters")};
  }
  return std::nullopt;
}

std::optional<Suspicion> inner_frame(const Framing& framing, std::uint64_t length,
                                     std::string_view behind) {
  const std::size_t last = std::min<std::size_t>({behind.size(), length, kSearched});
  for (std::size_t at = 1; at < last; ++at) {
    const std::string_view inner = document_in(framing, behind.substr(at));
    if (inner.empty()) continue;
    return Suspicion{
        Misframing::frame_inside,
        fmt::format("a frame of {} bytes in which another frame begins inside this one, at byte {} "
                    "({} bytes: {}): two writers are not locked against each other",
                    length, at, inner.size(), printable(inner, kQuoted))};
  }
  return std::nullopt;
}

/// Suspects a length that differs from the size of the whole JSON text that follows the header.
std::optional<Suspicion> other_count(std::uint64_t length, std::string_view behind) {
  if (const std::size_t size = document_at(behind).size(); size > 0 && size != length) {
    return Suspicion{
        Misframing::wrong_length,
        fmt::format("a length of {} where the JSON text behind it has {} bytes", length, size)};
  }
  const std::size_t last = std::min(behind.size(), kSearched);
  int tries = 0;
  for (std::size_t at = 1; at < last && tries < kTries; ++at) {
    if (behind[at - 1] != '\n' || !starts_as_json(behind.substr(at))) continue;
    ++tries;
    if (document_at(behind.substr(at)).size() != length) continue;
    if (!is_text(behind.substr(0, at))) return std::nullopt;
    return Suspicion{
        Misframing::text_inside,
        fmt::format("a header, {} bytes of text (a stray print) and only then its payload: \"{}\"",
                    at, printable(behind.substr(0, at), kQuoted))};
  }
  return std::nullopt;
}

/// Looks for a wrong length in a header that has the agreed form.
std::optional<Suspicion> wrong_count(const Framing& framing, std::size_t header_bytes,
                                     std::uint64_t length, std::string_view behind) {
  if (auto found = characters(length, behind)) return found;
  if (length == behind.size() + header_bytes && is_document(behind)) {
    return Suspicion{Misframing::counts_header,
                     fmt::format("a length that counts its own header: it says {}, and {} bytes "
                                 "follow it",
                                 length, behind.size())};
  }
  if (auto found = other_count(length, behind)) return found;
  return inner_frame(framing, length, behind);
}

Suspicion surplus(const Framing& framing, std::string_view rest) {
  if (framing.by_lines() && is_blank(rest))
    return {Misframing::newline_after, "a perfect reply and an empty line behind it"};
  if (!framing.by_lines() && (rest == "\n" || rest == "\r\n")) {
    return {Misframing::newline_after,
            fmt::format("a perfect reply and {}: a newline, as println writes it after what it "
                        "prints",
                        rest.size() == 1 ? "one byte too many" : "two bytes too many")};
  }
  if (!document_in(framing, rest).empty())
    return {Misframing::frame_after, "more than one reply: another frame follows the first one"};
  if (is_text(rest)) {
    return {Misframing::text_after,
            fmt::format("a perfect reply and text behind it (a stray print): \"{}\"",
                        printable(rest, kQuoted))};
  }
  return {Misframing::bytes_after, fmt::format("a perfect reply and {} bytes too many: {}",
                                               rest.size(), hex_and_text(rest, 16))};
}

/// Suspects bytes that begin as JSON but are not one text on one line, where lines are agreed.
std::optional<Suspicion> not_one_line(std::string_view bytes) {
  if (!starts_as_json(bytes)) return std::nullopt;
  const std::string_view line = first_line(bytes);
  const std::string_view document = document_at(bytes);
  if (!document.empty() && bytes.substr(document.size()).starts_with('\0')) {
    return Suspicion{Misframing::no_newline,
                     "a NUL behind a JSON text, where a line break ends a message"};
  }
  if (line.size() == bytes.size()) {
    if (!is_document(bytes)) return std::nullopt;
    return Suspicion{Misframing::no_newline,
                     "a whole JSON text without the line break that ends a message"};
  }
  if (document.size() > line.size()) {
    return Suspicion{Misframing::several_lines,
                     "one JSON text over several lines (pretty-printed), where each line is a "
                     "message"};
  }
  const std::string_view behind = line.substr(document.size());
  if (!document.empty() &&
      starts_as_json(behind.substr(std::min(behind.find_first_not_of(" \t"), behind.size())))) {
    return Suspicion{Misframing::several_texts,
                     "more than one JSON text in one line, where each line is one message"};
  }
  const auto parsed = parse_json(line);
  if (parsed || json_look(line) == JsonLook::other) return std::nullopt;
  const std::string shown = printable(line, kQuoted);
  return Suspicion{
      Misframing::broken_json,
      line.starts_with("{'")
          ? fmt::format("a dict as Python prints it, where JSON is agreed: \"{}\"", shown)
          : fmt::format("a line that begins as JSON and is {}", parsed.error())};
}

/// Whether every other byte at the beginning is a NUL, as in English text in UTF-16.
bool is_utf16(std::string_view text) {
  constexpr std::size_t kLeast = 4;
  constexpr std::size_t kMost = 32;
  if (text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff")) text.remove_prefix(2);
  text = text.substr(0, kMost);
  if (text.size() < kLeast) return false;
  const bool big_endian = text[0] == '\0';
  for (std::size_t at = 0; at < text.size(); ++at) {
    if ((text[at] == '\0') != (at % 2 == (big_endian ? 0 : 1))) return false;
  }
  return true;
}

/// Suspects text in UTF-16: programs of Windows, .NET and Java write it where nobody said UTF-8.
std::optional<Suspicion> in_utf16(const Framing& framing, std::string_view bytes) {
  const std::string_view payload = whole_frame(framing, bytes).payload;
  if (!is_utf16(bytes) && !is_utf16(payload)) return std::nullopt;
  return Suspicion{Misframing::utf16,
                   "text in UTF-16 (every other byte is a NUL), where UTF-8 is "
                   "agreed"};
}

/// Suspects a byte order mark before JSON: programs of Windows and .NET write it, parsers refuse
/// it.
std::optional<Suspicion> behind_a_mark(const Framing& framing, std::string_view bytes) {
  const std::string_view payload = whole_frame(framing, bytes).payload;
  if (!payload.starts_with(kByteOrderMark) || !is_document(payload.substr(kByteOrderMark.size())))
    return std::nullopt;
  return Suspicion{Misframing::byte_order_mark,
                   "JSON that begins with a byte order mark (ef bb bf), which parsers refuse"};
}

constexpr std::string_view kContent = "content-";

/// Whether the bytes begin as a Content- header does, as far as they go.
bool agrees_with_content(std::string_view bytes) {
  return std::ranges::equal(bytes.substr(0, kContent.size()), kContent.substr(0, bytes.size()),
                            [](unsigned char a, char b) { return std::tolower(a) == b; });
}

/// Whether the bytes begin with a Content- header: whoever writes one means to write headers.
bool names_content(std::string_view bytes) {
  return bytes.size() >= kContent.size() && agrees_with_content(bytes);
}

std::optional<Suspicion> bad_header(const Framing& framing, std::string_view bytes) {
  if (framing.wire != Wire::headers || !names_content(bytes)) return std::nullopt;
  const Head head = row_of(framing.wire).head(framing, bytes, 0);
  const std::size_t end = bytes.find("\r\n");
  const std::string_view behind = bytes.substr(std::min(end, bytes.size() - 2) + 2);
  if (head.state == Head::State::incomplete && !document_at(behind).empty()) {
    return Suspicion{Misframing::bad_header,
                     fmt::format("a header without the empty line (CR LF) that ends it: \"{}\"",
                                 printable(bytes.substr(0, end), kQuoted))};
  }
  if (head.state != Head::State::broken) return std::nullopt;
  const std::string_view block = bytes.substr(0, std::min(bytes.find("\r\n\r\n"), kSearched));
  const std::size_t second = block.find("\r\n");
  const bool folded = head.why == FrameError::Kind::no_header && second + 2 < block.size() &&
                      (block[second + 2] == ' ' || block[second + 2] == '\t');
  return Suspicion{
      Misframing::bad_header,
      fmt::format(
          "{}: \"{}\"",
          folded ? "a header that goes on in a second line"
                 : row_of(framing.wire).complaint(framing, {head.why, head.payload_bytes, "", ""}),
          printable(block, kQuoted))};
}

Suspicion in_front(std::string_view front) {
  return {
      Misframing::text_then_frame,
      is_blank(front)
          ? fmt::format("{} bytes of empty lines, and a sound frame only behind them", front.size())
          : fmt::format("{} bytes of text (a banner or a stray print), and a sound frame only "
                        "behind them: \"{}\"",
                        front.size(), printable(front, kQuoted))};
}

/// Suspects text before a sound frame.
std::optional<Suspicion> text_in_front(const Framing& framing, std::string_view bytes) {
  const std::size_t last = std::min(bytes.size(), kSearched);
  for (std::size_t at = 1; at < last; ++at) {
    if (framing.by_lines() && bytes[at - 1] != '\n') continue;
    if (framing.wire == Wire::headers && bytes[at - 1] != '\n' && !names_content(bytes.substr(at)))
      continue;
    // The frame is looked for first, because that is cheap: is_text() goes through all of the text.
    if (document_in(framing, bytes.substr(at)).empty()) continue;
    const std::string_view front = bytes.substr(0, at);
    if (!is_text(front)) return std::nullopt;
    return in_front(front);
  }
  return std::nullopt;
}

/// Suspects lines of JSON, as loggers write them, before a sound frame.
std::optional<Suspicion> json_log_in_front(const Framing& framing, std::string_view bytes) {
  std::size_t at = 0;
  for (int lines = 0; lines < kTries; ++lines) {
    const std::string_view line = first_line(bytes.substr(at));
    if (at + line.size() >= bytes.size() || !is_document(line)) return std::nullopt;
    at += line.size() + 1;
    if (!document_in(framing, bytes.substr(at)).empty()) return in_front(bytes.substr(0, at));
  }
  return std::nullopt;
}

/// Suspects bytes that begin with text: foreign headers, JSON without a header, or a banner.
std::optional<Suspicion> text(const Framing& framing, std::string_view bytes) {
  constexpr std::string_view kHeader = "content-length";
  if (framing.wire != Wire::headers && bytes.size() > kHeader.size() && names_content(bytes)) {
    return Suspicion{Misframing::headers,
                     "headers (Content-Length), as language servers write them"};
  }
  std::string_view line = first_line(bytes);
  if (line.starts_with(kByteOrderMark)) line.remove_prefix(kByteOrderMark.size());
  if (is_document(line)) {
    if (auto found = json_log_in_front(framing, bytes)) return found;
    return Suspicion{Misframing::json_line, without_header(framing) + ", one text a line"};
  }
  if (auto found = text_in_front(framing, bytes)) return found;
  // On a wire of lines each line of JSON is a message, whatever it says.
  if (framing.by_lines() && line.size() < bytes.size() && parse_json(line)) return std::nullopt;
  if (!is_text(bytes.substr(0, kSearched))) return std::nullopt;
  if (!framing.by_lines() && json_look(line) != JsonLook::other)
    return Suspicion{Misframing::json_line, without_header(framing)};
  return Suspicion{Misframing::text, fmt::format("text (a banner or a stray print): \"{}\"",
                                                 printable(bytes, kQuoted))};
}

/// Describes a length of another form than the agreed one.
std::string form_of(const Framing& other, const Framing& agreed) {
  const std::size_t size = other.prefix_bytes;
  const std::string instead = agreed.wire == Wire::prefix ? fmt::format("{}", agreed.prefix_bytes)
                                                          : std::string(row_of(agreed.wire).plural);
  return fmt::format("a length of {} byte{}{} where {} are agreed", size, size == 1 ? "" : "s",
                     size == 1              ? " (or a varint)"
                     : other.little_endian  ? ", little-endian"
                     : agreed.little_endian ? ", big-endian"
                                            : "",
                     instead);
}

/// Suspects a length in the other byte order that is wrong, too: read as agreed it is beyond all
/// limits, read the other way it is near the size of the JSON behind it.
std::optional<Suspicion> wrong_in_other_order(const Framing& agreed, const Framing& other,
                                              std::string_view bytes) {
  const Head head = row_of(agreed.wire).head(agreed, bytes, 0);
  const Head swapped = row_of(other.wire).head(other, bytes, 0);
  if (head.state != Head::State::broken || swapped.header_bytes == 0) return std::nullopt;
  const std::size_t size = document_at(bytes.substr(swapped.header_bytes)).size();
  const bool is_near = size / 2 < swapped.payload_bytes && swapped.payload_bytes < 2 * size;
  if (!is_near) return std::nullopt;
  return Suspicion{
      Misframing::little_endian,
      fmt::format("a length in {}-endian order, and a wrong one: {} where the JSON "
                  "text behind it has {} bytes",
                  other.little_endian ? "little" : "big", swapped.payload_bytes, size)};
}

/// Suspects a length of another form than the agreed one, with the JSON that it announces behind
/// it.
std::optional<Suspicion> other_length(const Framing& framing, std::string_view bytes) {
  Framing other = framing;
  other.max_frame_bytes = kLooked;
  other.wire = Wire::prefix;
  if (framing.wire == Wire::prefix) {
    other.little_endian = !framing.little_endian;
    if (framing.prefix_bytes > 1 && !document_in(other, bytes).empty()) {
      return Suspicion{
          Misframing::little_endian,
          fmt::format("a length in {}-endian order", other.little_endian ? "little" : "big")};
    }
    if (auto found = wrong_in_other_order(framing, other, bytes)) return found;
  }
  other.wire = Wire::varint;
  const bool one_byte = !bytes.empty() && static_cast<unsigned char>(bytes[0]) < 0x80;
  if (framing.wire != Wire::varint && !one_byte && !document_in(other, bytes).empty())
    return Suspicion{Misframing::varint, "a length as protobuf's varint, as Bazel's workers have"};
  other.wire = Wire::prefix;
  for (const std::uint8_t size : std::array<std::uint8_t, 4>{8, 4, 2, 1}) {
    for (const bool little : {false, true}) {
      if (framing.wire == Wire::prefix && size == framing.prefix_bytes) continue;
      if (framing.wire == Wire::varint && size == 1) continue;
      other.prefix_bytes = size;
      other.little_endian = little;
      if (document_in(other, bytes).empty()) continue;
      return Suspicion{Misframing::other_prefix, form_of(other, framing)};
    }
  }
  return std::nullopt;
}

/// Suspects a wrong length in a header that has the agreed form and is sound by itself.
std::optional<Suspicion> wrong_length(const Framing& framing, std::string_view bytes) {
  if (framing.by_lines()) return std::nullopt;
  const Head head = row_of(framing.wire).head(framing, bytes, 0);
  if (head.header_bytes == 0 || head.payload_bytes > framing.payload_limit()) return std::nullopt;
  return wrong_count(framing, head.header_bytes, head.payload_bytes,
                     bytes.substr(head.header_bytes));
}

/// Whether bytes that are text may nevertheless be the beginning of a sound frame. A single word
/// may be a header's name, but if nothing follows it, it is most likely a banner.
bool is_beginning(const Framing& framing, std::string_view bytes) {
  const bool one_line = bytes.find('\n') == std::string_view::npos;
  if (framing.wire == Wire::headers && one_line && !agrees_with_content(bytes)) return false;
  const Head head = row_of(framing.wire).head(framing, bytes, 0);
  const bool one_byte = framing.wire == Wire::prefix || framing.wire == Wire::varint;
  return (!one_byte || head.header_bytes == 1) && head.end_bytes == 0 &&
         may_begin_message(framing, bytes);
}

}  // namespace

bool may_begin_message(const Framing& framing, std::string_view bytes) {
  const Head head = row_of(framing.wire).head(framing, bytes, 0);
  if (head.state == Head::State::broken) return false;
  if (framing.wire == Wire::headers)
    return head.state == Head::State::whole || may_begin_headers(bytes);
  const std::string_view payload = bytes.substr(head.header_bytes);
  const bool announced = head.state == Head::State::whole || framing.by_lines();
  return !announced || payload.empty() || json_look(payload) != JsonLook::other;
}

bool first_is_sound(Misframing kind) {
  return kind == Misframing::newline_after || kind == Misframing::text_after ||
         kind == Misframing::frame_after || kind == Misframing::bytes_after;
}

std::string without_header(const Framing& framing) {
  return fmt::format("JSON without a {}", framing.wire == Wire::prefix
                                              ? "length prefix"
                                              : row_of(framing.wire).missing(framing));
}

std::string_view first_document(std::string_view bytes) {
  bytes = bytes.substr(0, kLooked);
  std::size_t at = bytes.find_first_of("{[");
  for (int tries = 0; tries < kTries && at < std::min(bytes.size(), kSearched); ++tries) {
    if (const std::string_view found = document_at(bytes.substr(at)); !found.empty()) return found;
    at = bytes.find_first_of("{[", at + 1);
  }
  return {};
}

std::string_view behind_unasked(const Framing& framing, Speech speech, std::string_view bytes) {
  const SpeechRow& row = row_of(speech);
  if (!row.speaks_unasked) return bytes;
  for (;;) {
    const WholeFrame whole = whole_frame(framing, bytes);
    if (whole.bytes == 0) return bytes;
    // No request has the id -1, so nothing is taken for a reply here.
    const Heard::Kind kind = row.hear(whole.payload, -1).kind;
    if (kind != Heard::Kind::unasked && kind != Heard::Kind::asked) return bytes;
    bytes.remove_prefix(whole.bytes);
  }
}

std::optional<Suspicion> suspect(const Framing& framing, std::string_view bytes) {
  bytes = bytes.substr(0, kLooked);
  const bool one_header = framing.wire == Wire::prefix && bytes.size() <= framing.prefix_bytes;
  if ((one_header || bytes.empty()) && !is_text(bytes)) return std::nullopt;
  if (!document_in(framing, bytes).empty()) {
    const std::string_view rest = bytes.substr(whole_frame(framing, bytes).bytes);
    if (rest.empty()) return std::nullopt;
    return surplus(framing, rest);
  }
  if (auto found = in_utf16(framing, bytes)) return found;
  if (auto found = behind_a_mark(framing, bytes)) return found;
  if (auto found = bad_header(framing, bytes)) return found;
  if (framing.by_lines()) {
    if (auto found = not_one_line(bytes)) return found;
  }
  if (one_header) return is_beginning(framing, bytes) ? std::nullopt : text(framing, bytes);
  if (auto found = other_length(framing, bytes)) return found;
  // Where a length is one byte, any letter passes for one: it counts only if JSON begins behind it.
  const bool begins = may_begin_message(framing, bytes);
  if (!begins) {
    if (auto found = text(framing, bytes)) return found;
  }
  if (auto found = wrong_length(framing, bytes)) return found;
  return !begins || is_beginning(framing, bytes) ? std::nullopt : text(framing, bytes);
}

}  // namespace poolproof::wire
