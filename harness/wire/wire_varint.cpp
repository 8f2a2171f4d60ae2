#include <fmt/format.h>

#include "harness/wire/wires.hpp"

namespace poolproof::wire {
namespace {

/// The most bytes of a varint: 64 bits, 7 in each byte.
constexpr std::size_t kLongest = 10;

Head head(const Framing& framing, std::string_view bytes, std::size_t /*looked*/) {
  std::uint64_t length = 0;
  for (std::size_t at = 0; at < std::min(bytes.size(), kLongest); ++at) {
    const auto byte = static_cast<unsigned char>(bytes[at]);
    // The tenth byte has room for one bit.
    if (at + 1 == kLongest && byte > 1) return {Head::State::broken, FrameError::Kind::too_long};
    length |= std::uint64_t{byte & 0x7FU} << (7U * at);
    if (byte < 0x80) return head_of_length(framing, at + 1, length);
  }
  return {};
}

std::string header(const Framing& /*framing*/, std::uint64_t length) {
  std::string header;
  for (; length >= 0x80; length >>= 7U) header += static_cast<char>((length & 0x7FU) | 0x80U);
  return header += static_cast<char>(length);
}

std::string complaint(const Framing& framing, const FrameError& error) {
  if (error.kind == FrameError::Kind::too_long)
    return fmt::format("frame length without an end: a varint has at most {} bytes", kLongest);
  return row_of(Wire::prefix).complaint(framing, error);
}

std::string beginning(const Framing& /*framing*/, std::size_t bytes) {
  return fmt::format("{} bytes of a varint length", bytes);
}

std::string missing(const Framing& /*framing*/) {
  return "varint length";
}

}  // namespace

const WireRow kVarintWire{
    .wire = Wire::varint,
    .name = "varint",
    .users = "Bazel's persistent workers, embedded Sass",
    .plural = "varints",
    .head = head,
    .header = header,
    .end = "",
    .complaint = complaint,
    .beginning = beginning,
    .missing = missing,
};

}  // namespace poolproof::wire
