#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "harness/base/property_testing.hpp"
#include "harness/wire/framing.hpp"

using namespace poolproof;
using namespace poolproof::wire;

namespace {

/// What a decoder may keep beside a payload: a block of headers.
constexpr std::size_t kMostAround = 1024;

using Bytes = std::vector<std::uint8_t>;

std::string text_of(const Bytes& bytes) {
  return {bytes.begin(), bytes.end()};
}

/// Everything that a stream yielded: the payloads, the error if one ended it, and the bytes left.
struct Decoded {
  std::vector<std::string> payloads;
  std::string error;
  std::string first_bytes;
  std::string left;
  bool operator==(const Decoded&) const = default;
};

void take_all(FrameDecoder& decoder, Decoded& decoded) {
  for (;;) {
    auto frame = decoder.next();
    if (!frame) {
      decoded.error = frame.error().message;
      decoded.first_bytes = frame.error().first_bytes;
    }
    if (!frame || !*frame) return;
    decoded.payloads.emplace_back(**frame);
  }
}

/// Feeds the stream in chunks of the given sizes, over and over. A size of 0 is a read without
/// bytes.
Decoded decode_in_chunks(const Framing& framing, std::string_view stream, const Bytes& chunks) {
  FrameDecoder decoder(framing);
  Decoded decoded;
  std::size_t arrived = 0;
  for (std::size_t i = 0; arrived < stream.size(); ++i) {
    const std::size_t asked = chunks.empty() ? stream.size() : chunks[i % chunks.size()];
    const bool stuck = i % 64 == 63;  // a list of zeros must not loop for ever
    const std::size_t bytes = std::min(asked + (stuck ? 1U : 0U), stream.size() - arrived);
    decoder.push(stream.substr(arrived, bytes));
    arrived += bytes;
    take_all(decoder, decoded);
    RC_ASSERT(decoder.buffered_bytes() <= arrived);
    RC_ASSERT(decoder.buffered_bytes() < kMostAround + framing.payload_limit() ||
              !decoded.error.empty());
  }
  decoded.left = decoder.buffered();
  return decoded;
}

Framing any_framing(std::size_t max_frame_bytes) {
  const auto prefix = *rc::gen::element<std::uint8_t>(1, 2, 4, 8);
  const auto wire =
      *rc::gen::element(Wire::prefix, Wire::varint, Wire::lines, Wire::headers, Wire::node_ipc);
  return Framing{prefix, max_frame_bytes, wire, *rc::gen::arbitrary<bool>()};
}

/// The beginnings of headers, sound and broken, among the bytes that a stream is made of.
std::string any_piece(const Framing& framing, std::uint8_t byte) {
  if (framing.wire == Wire::prefix && byte % 3 == 0)
    return std::string(1, static_cast<char>(byte % 8));
  if (framing.wire == Wire::prefix && byte % 5 == 0)
    return std::string(framing.prefix_bytes - 1U, 0);
  if (framing.by_lines() && byte % 4 == 0) return byte % 8 == 0 ? "\n" : "\r\n";
  if (framing.wire == Wire::headers && byte % 2 == 0) {
    constexpr std::array<const char*, 8> kPieces{"Content-Length: 3\r\n\r\n",
                                                 "content-length:2\r\n",
                                                 "\r\n",
                                                 "Content-Length: 41\r\n\r\n",
                                                 "Content-Type: x\r\n",
                                                 "Content-Length: -1\r\n\r\n",
                                                 "Content-Length: 99999999999999999999\r\n\r\n",
                                                 "\n"};
    return kPieces[byte / 2 % kPieces.size()];
  }
  return std::string(1, static_cast<char>(byte));
}

}  // namespace

TEST_CASE("wire: framing: any payloads come through any chunking on any wire") {
  holds("framing.payloads", [](const std::vector<Bytes>& contents, const Bytes& chunks) {
    const Framing framing = any_framing(200);
    std::vector<std::string> payloads;
    std::string stream;
    for (const Bytes& content : contents) {
      std::string payload = text_of(content).substr(0, 199) + "x";
      if (framing.by_lines()) std::ranges::replace(payload, '\n', ' ');
      const auto frame = encode_frame(framing, payload);
      RC_ASSERT(frame.has_value());
      payloads.push_back(payload);
      stream += *frame;
    }
    const Decoded decoded = decode_in_chunks(framing, stream, chunks);
    RC_ASSERT(decoded.payloads == payloads);
    RC_ASSERT(decoded.error.empty());
    RC_ASSERT(decoded.left.empty());
  });
}

TEST_CASE("wire: framing: any bytes mean the same in any chunking as in one") {
  holds("framing.chunking", [](const Bytes& bytes, const Bytes& chunks) {
    const Framing framing = any_framing(40);
    // Small lengths are common, so that the stream holds whole frames as well as broken headers.
    std::string stream;
    if (framing.wire == Wire::prefix) stream.assign(framing.prefix_bytes - 1U, '\0');
    for (const std::uint8_t byte : bytes) stream += any_piece(framing, byte);
    RC_ASSERT(decode_in_chunks(framing, stream, chunks) == decode_in_chunks(framing, stream, {}));
  });
}
