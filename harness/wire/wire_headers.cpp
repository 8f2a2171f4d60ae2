#include <algorithm>
#include <cctype>
#include <charconv>
#include <optional>

#include <fmt/format.h>

#include "harness/wire/wires.hpp"

namespace poolproof::wire {
namespace {

constexpr std::string_view kLength = "Content-Length";
/// The largest size of a block of headers.
std::size_t block_limit(const Framing& framing) {
  constexpr std::size_t kLeast = 1024;
  return std::max(framing.max_frame_bytes, kLeast);
}

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

bool same_word(std::string_view one, std::string_view other) {
  return std::ranges::equal(one, other, [](unsigned char a, unsigned char b) {
    return std::tolower(a) == std::tolower(b);
  });
}

/// Whether the text is a header's name, or the beginning of one.
bool is_name(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '_';
  });
}

/// Whether the line begins with a name and a colon.
bool is_header(std::string_view line) {
  const std::size_t colon = line.find(':');
  return colon != std::string_view::npos && is_name(line.substr(0, colon));
}

Head broken(FrameError::Kind why, std::size_t header_bytes = 0) {
  return {Head::State::broken, why, header_bytes};
}

/// Reads the length from `block`: all headers, including the empty line. Each line has been
/// checked.
Head head_of_block(const Framing& framing, std::string_view block) {
  std::optional<std::string_view> value;
  for (std::string_view rest = block; rest.size() > 2; rest.remove_prefix(rest.find('\n') + 1)) {
    const std::string_view line = rest.substr(0, rest.find('\r'));
    const std::size_t colon = line.find(':');
    if (!same_word(trimmed(line.substr(0, colon)), kLength)) continue;
    if (value) return broken(FrameError::Kind::two_lengths, block.size());
    value = trimmed(line.substr(colon + 1));
  }
  if (!value) return broken(FrameError::Kind::no_length, block.size());
  std::uint64_t length = 0;
  const char* const end = value->data() + value->size();
  const auto [stopped, error] = std::from_chars(value->data(), end, length);
  if (error == std::errc::result_out_of_range) length = UINT64_MAX;
  if (value->empty() || error == std::errc::invalid_argument || stopped != end)
    return broken(FrameError::Kind::no_number, block.size());
  return head_of_length(framing, block.size(), length);
}

Head head(const Framing& framing, std::string_view bytes, std::size_t looked) {
  for (auto newline = bytes.find('\n', looked); newline != std::string_view::npos;
       newline = bytes.find('\n', newline + 1)) {
    if (newline >= block_limit(framing)) return broken(FrameError::Kind::too_long);
    const std::size_t before =
        newline == 0 ? std::string_view::npos : bytes.rfind('\n', newline - 1);
    const std::size_t begin = before == std::string_view::npos ? 0 : before + 1;
    const std::string_view line = bytes.substr(begin, newline - begin);
    if (line == "\r") return head_of_block(framing, bytes.substr(0, newline + 1));
    if (!is_header(line)) return broken(FrameError::Kind::no_header);
    if (!line.ends_with('\r')) return broken(FrameError::Kind::bare_newline);
  }
  if (bytes.size() > block_limit(framing)) return broken(FrameError::Kind::too_long);
  return {};
}

std::string header(const Framing& /*framing*/, std::uint64_t length) {
  return fmt::format("{}: {}\r\n\r\n", kLength, length);
}

std::string complaint(const Framing& framing, const FrameError& error) {
  switch (error.kind) {
    case FrameError::Kind::zero_length:
      return "Content-Length 0 is not allowed: a message holds at least 1 byte";
    case FrameError::Kind::too_large:
      return fmt::format("Content-Length {} is above the limit of {} bytes", error.length,
                         framing.payload_limit());
    case FrameError::Kind::too_long:
      return fmt::format("headers without an empty line behind them, and more than {} bytes",
                         block_limit(framing));
    case FrameError::Kind::no_header:
      return "a line that is no header, where Content-Length is due";
    case FrameError::Kind::bare_newline:
      return "a header line that ends with LF, where CR LF is due";
    case FrameError::Kind::no_length:
      return "headers without Content-Length";
    case FrameError::Kind::two_lengths:
      return "headers with more than one Content-Length";
    case FrameError::Kind::no_number:
      break;
  }
  return "a Content-Length that is not a whole number of bytes";
}

std::string beginning(const Framing& /*framing*/, std::size_t bytes) {
  return fmt::format("{} bytes of headers", bytes);
}

std::string missing(const Framing& /*framing*/) {
  return "Content-Length header";
}

}  // namespace

bool may_begin_headers(std::string_view bytes) {
  const auto newline = bytes.rfind('\n');
  const bool first = newline == std::string_view::npos;
  const std::string_view line = first ? bytes : bytes.substr(newline + 1);
  if (line.empty() || (!first && line == "\r")) return true;
  return is_name(line.substr(0, line.find(':')));
}

const WireRow kHeadersWire{
    .wire = Wire::headers,
    .name = "headers",
    .users = "language servers, debug adapters",
    .plural = "headers",
    .head = head,
    .header = header,
    .end = "",
    .complaint = complaint,
    .beginning = beginning,
    .missing = missing,
};

}  // namespace poolproof::wire
