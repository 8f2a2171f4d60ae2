#include <algorithm>

#include <fmt/format.h>

#include "harness/wire/wires.hpp"

namespace poolproof::wire {
namespace {

std::uint64_t length_in(std::string_view header, bool little) {
  std::uint64_t length = 0;
  for (std::size_t at = 0; at < header.size(); ++at) {
    const char byte = header[little ? header.size() - 1 - at : at];
    length = (length << 8U) | static_cast<unsigned char>(byte);
  }
  return length;
}

Head head(const Framing& framing, std::string_view bytes, std::size_t /*looked*/) {
  const std::size_t size = framing.prefix_bytes;
  if (bytes.size() < size) return {};
  return head_of_length(framing, size, length_in(bytes.substr(0, size), framing.little_endian));
}

std::string header(const Framing& framing, std::uint64_t length) {
  length = std::min(length, largest_length(framing.prefix_bytes));
  std::string header(framing.prefix_bytes, '\0');
  for (std::size_t at = 0; at < header.size(); ++at, length >>= 8U) {
    header[framing.little_endian ? at : header.size() - 1 - at] = static_cast<char>(length & 0xFFU);
  }
  return header;
}

std::string complaint(const Framing& framing, const FrameError& error) {
  if (error.kind == FrameError::Kind::zero_length)
    return "frame length 0 is not allowed: a frame holds at least 1 byte";
  return fmt::format("frame length {} is above the limit of {} bytes", error.length,
                     framing.payload_limit());
}

std::string beginning(const Framing& framing, std::size_t bytes) {
  return fmt::format("{} of {} header bytes", bytes, framing.prefix_bytes);
}

std::string missing(const Framing& framing) {
  return fmt::format("{}-byte length prefix", framing.prefix_bytes);
}

}  // namespace

const WireRow kPrefixWire{
    .wire = Wire::prefix,
    .name = "prefix",
    .users = "Erlang ports, esbuild, browsers",
    .plural = "length prefixes",
    .head = head,
    .header = header,
    .end = "",
    .complaint = complaint,
    .beginning = beginning,
    .missing = missing,
};

}  // namespace poolproof::wire
