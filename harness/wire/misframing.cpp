#include "harness/wire/misframing.hpp"

#include <algorithm>
#include <array>
#include <cctype>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "harness/base/text.hpp"
#include "harness/wire/envelope.hpp"

namespace poolproof::wire {
namespace {

constexpr std::size_t kLooked = std::size_t{4} << 20U;
/// Another frame, or the end of a text, is looked for so far from the beginning.
constexpr std::size_t kSearched = 4096;
constexpr std::size_t kQuoted = 48;

bool is_document(std::string_view text) {
  if (text.empty() || (text.front() != '{' && text.front() != '[')) return false;
  return parse_json(text).has_value();
}

std::uint64_t number_in(std::string_view bytes, bool little) {
  std::string order(bytes);
  if (little) std::reverse(order.begin(), order.end());
  std::uint64_t number = 0;
  for (const char byte : order) number = (number << 8U) | static_cast<unsigned char>(byte);
  return number;
}

/// The JSON document behind a length of that form at the very beginning, if there is one.
std::string_view document_behind(std::string_view bytes, std::size_t prefix, bool little) {
  if (bytes.size() <= prefix) return {};
  const std::uint64_t length = number_in(bytes.substr(0, prefix), little);
  if (length == 0 || length > bytes.size() - prefix) return {};
  const std::string_view payload = bytes.substr(prefix, static_cast<std::size_t>(length));
  return is_document(payload) ? payload : std::string_view();
}

/// Where the first `count` characters of UTF-8 end; with `units`, characters outside of the basic
/// plane count twice, as in UTF-16. Nothing if there are not as many.
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
    const std::string_view inner = document_behind(behind.substr(at), framing.prefix_bytes, false);
    if (inner.empty()) continue;
    return Suspicion{
        Misframing::frame_inside,
        fmt::format("a frame of {} bytes in which another frame begins inside this one, at byte {} "
                    "({} bytes: {}): two writers are not locked against each other",
                    length, at, inner.size(), printable(inner, kQuoted))};
  }
  return std::nullopt;
}

/// The header has the agreed form and says a wrong number.
std::optional<Suspicion> wrong_count(const Framing& framing, std::uint64_t length,
                                     std::string_view behind) {
  if (auto found = characters(length, behind)) return found;
  if (length == behind.size() + framing.prefix_bytes && is_document(behind)) {
    return Suspicion{Misframing::counts_header,
                     fmt::format("a length that counts its own header: it says {}, and {} bytes "
                                 "follow it",
                                 length, behind.size())};
  }
  return inner_frame(framing, length, behind);
}

Suspicion surplus(const Framing& framing, std::string_view rest) {
  if (rest == "\n" || rest == "\r\n") {
    return {Misframing::newline_after,
            fmt::format("a perfect reply and {}: a newline, as println writes it after what it "
                        "prints",
                        rest.size() == 1 ? "one byte too many" : "two bytes too many")};
  }
  if (!document_behind(rest, framing.prefix_bytes, false).empty())
    return {Misframing::frame_after, "more than one reply: another frame follows the first one"};
  if (is_text(rest)) {
    return {Misframing::text_after,
            fmt::format("a perfect reply and text behind it (a stray print): \"{}\"",
                        printable(rest, kQuoted))};
  }
  return {Misframing::bytes_after, fmt::format("a perfect reply and {} bytes too many: {}",
                                               rest.size(), hex_and_text(rest, 16))};
}

/// The bytes begin with a text.
std::optional<Suspicion> text(const Framing& framing, std::string_view bytes) {
  constexpr std::string_view kHeader = "content-length";
  const bool headers =
      bytes.size() > kHeader.size() &&
      std::equal(kHeader.begin(), kHeader.end(), bytes.begin(),
                 [](char a, unsigned char b) { return a == static_cast<char>(std::tolower(b)); });
  if (headers) {
    return Suspicion{Misframing::headers,
                     "headers (Content-Length), as language servers write them"};
  }
  if (is_document(bytes.substr(0, bytes.find('\n'))))
    return Suspicion{Misframing::json_line, "JSON without a length prefix, one text a line"};
  const std::size_t last = std::min(bytes.size(), kSearched);
  for (std::size_t at = 1; at < last && is_text(bytes.substr(0, at)); ++at) {
    if (document_behind(bytes.substr(at), framing.prefix_bytes, false).empty()) continue;
    return Suspicion{Misframing::text_then_frame,
                     fmt::format("{} bytes of text (a banner or a stray print), and a sound frame "
                                 "only behind them: \"{}\"",
                                 at, printable(bytes.substr(0, at), kQuoted))};
  }
  if (!is_text(bytes.substr(0, kSearched))) return std::nullopt;
  return Suspicion{Misframing::text, fmt::format("text (a banner or a stray print): \"{}\"",
                                                 printable(bytes, kQuoted))};
}

/// The bytes behind a protobuf varint are a document of that length.
bool is_varint(std::string_view bytes) {
  std::uint64_t length = 0;
  for (std::size_t at = 0; at < std::min<std::size_t>(bytes.size(), 5); ++at) {
    const auto byte = static_cast<unsigned char>(bytes[at]);
    length |= std::uint64_t{byte & 127U} << (7 * at);
    if (byte < 128) return at > 0 && is_document(bytes.substr(at + 1, length));
  }
  return false;
}

/// A length of another form, with a document behind it.
std::optional<Suspicion> other_length(const Framing& framing, std::string_view bytes) {
  if (!document_behind(bytes, framing.prefix_bytes, true).empty())
    return Suspicion{Misframing::little_endian, "a length in little-endian order"};
  if (is_varint(bytes))
    return Suspicion{Misframing::varint, "a length as protobuf's varint, as Bazel's workers have"};
  for (const std::size_t size : {8U, 4U, 2U, 1U}) {
    for (const bool little : {false, true}) {
      if (size == framing.prefix_bytes || document_behind(bytes, size, little).empty()) continue;
      return Suspicion{
          Misframing::other_prefix,
          fmt::format("a length of {} byte{}{} where {} are agreed", size, size == 1 ? "" : "s",
                      size == 1 ? " (or a varint)"
                      : little  ? ", little-endian"
                                : "",
                      framing.prefix_bytes)};
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<Suspicion> suspect(const Framing& framing, std::string_view bytes) {
  bytes = bytes.substr(0, kLooked);
  const std::size_t prefix = framing.prefix_bytes;
  if (bytes.size() <= prefix && !is_text(bytes)) return std::nullopt;
  const std::string_view whole = whole_frame(framing, bytes);
  if (!whole.empty() && is_document(whole)) {
    const std::string_view rest = bytes.substr(prefix + whole.size());
    if (rest.empty()) return std::nullopt;
    return surplus(framing, rest);
  }
  if (bytes.size() > prefix) {
    if (auto found = other_length(framing, bytes)) return found;
    const std::uint64_t length = number_in(bytes.substr(0, prefix), false);
    if (length <= framing.payload_limit()) {
      if (auto found = wrong_count(framing, length, bytes.substr(prefix))) return found;
    }
  }
  return text(framing, bytes);
}

}  // namespace poolproof::wire
