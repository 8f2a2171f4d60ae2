#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "harness/base/assert.hpp"
#include "harness/testing/fuzz/input.hpp"
#include "harness/wire/framing.hpp"
#include "harness/wire/wires.hpp"

/// One wire's decoder: any bytes in any chunks.
///
/// An input is: one digit for prefix_bytes, the order of its bytes and whether empty frames are
/// passed over; one for max_frame_bytes; four chunk sizes, which are used over and over; then the
/// stream.
namespace poolproof::fuzz {
namespace {

using wire::FrameDecoder;
using wire::Framing;

/// The least limit for what may stand around a payload, such as a block of headers.
constexpr std::size_t kLeastAround = 1024;
constexpr std::size_t kShownAfterHeader = 60;
/// An error shows no more of the stream when so much has come behind the chunk that brought it.
constexpr std::size_t kSurelyShown = 200;

struct Course {
  Framing framing;
  bool skips_empty = false;
  std::array<std::size_t, 4> chunks{};
};

/// All that a stream yielded: the payloads, the error that ended it, and the bytes left.
struct Decoded {
  std::vector<std::string> payloads;
  std::string error;
  std::string first_bytes;
  std::string left;
  bool operator==(const Decoded&) const = default;
};

std::size_t most_around(const Framing& framing) {
  return std::max(framing.max_frame_bytes, kLeastAround);
}

/// A payload that can be written must be read back unchanged.
void check_payload(const Framing& framing, std::string_view payload) {
  const auto written = wire::encode_frame(framing, payload);
  if (!written) return;  // the payload is too large, or is no line
  const wire::WholeFrame again = wire::whole_frame(framing, *written);
  POOLPROOF_ASSERT(again.payload == payload && again.bytes == written->size());
}

/// A frame that is given out must stand in the stream, and must be the frame of its payload.
void check_frame(const Framing& framing, std::string_view payload, std::string_view frame,
                 std::string_view stream) {
  POOLPROOF_ASSERT(!payload.empty() && payload.size() <= framing.payload_limit());
  POOLPROOF_ASSERT(stream.starts_with(frame));
  const wire::WholeFrame whole = wire::whole_frame(framing, stream);
  POOLPROOF_ASSERT(whole.payload == payload && whole.bytes == frame.size());
  check_payload(framing, payload);
}

void check_error(const Framing& framing, FrameDecoder decoder, const wire::FrameError& error) {
  POOLPROOF_ASSERT(!error.message.empty());
  POOLPROOF_ASSERT(error.first_bytes.size() <= most_around(framing) + kShownAfterHeader);
  decoder.push(std::string(kLeastAround + 2 * kShownAfterHeader, 'x'));
  POOLPROOF_ASSERT(decoder.buffered_bytes() <= most_around(framing) + kShownAfterHeader);
  const auto again = decoder.next();
  POOLPROOF_ASSERT(!again && again.error().kind == error.kind);
}

/// Takes what can be taken of the `arrived` bytes.
void take_all(const Course& course, FrameDecoder& decoder, std::string_view arrived,
              Decoded& decoded) {
  for (;;) {
    while (course.skips_empty && decoder.skip_empty()) {
    }
    const bool was_ready = decoder.ready();
    const std::size_t before = arrived.size() - std::min(arrived.size(), decoder.buffered_bytes());
    const auto frame = decoder.next();
    POOLPROOF_ASSERT(was_ready == (!frame || frame->has_value()));
    if (!frame) {
      if (decoded.error.empty()) check_error(course.framing, decoder, frame.error());
      decoded.error = frame.error().message;
      decoded.first_bytes = frame.error().first_bytes;
      return;
    }
    if (!*frame) return;
    check_frame(course.framing, **frame, decoder.last_frame(), arrived.substr(before));
    decoded.payloads.emplace_back(**frame);
  }
}

Decoded decode(const Course& course, std::string_view stream) {
  FrameDecoder decoder(course.framing);
  Decoded decoded;
  std::size_t arrived = 0;
  std::size_t in_error = 0;
  for (std::size_t i = 0; arrived < stream.size() && in_error <= kSurelyShown; ++i) {
    const std::size_t asked = course.chunks[i % course.chunks.size()];
    const bool stuck = i % 16 == 15;  // a byte at least, so that it comes to an end
    const std::size_t bytes = std::min(asked + (stuck ? 1U : 0U), stream.size() - arrived);
    decoder.push(stream.substr(arrived, bytes));
    arrived += bytes;
    take_all(course, decoder, stream.substr(0, arrived), decoded);
    POOLPROOF_ASSERT(decoder.buffered_bytes() <= arrived);
    if (!decoded.error.empty()) {
      // What the error shows of the stream is complete when enough of these have come
      in_error += bytes;
      continue;
    }
    POOLPROOF_ASSERT(decoder.buffered_bytes() <
                     most_around(course.framing) + course.framing.payload_limit());
  }
  decoded.left = decoder.buffered();
  if (decoded.error.empty()) {
    POOLPROOF_ASSERT(!decoder.ready());
    POOLPROOF_ASSERT(wire::whole_frame(course.framing, decoded.left).bytes == 0);
    POOLPROOF_ASSERT(!decoder.progress().empty());
  }
  return decoded;
}

/// What is ready within the first bytes must be just what is ready if no more comes.
void check_ready_within(const Framing& framing, std::string_view stream, std::size_t first) {
  FrameDecoder all(framing);
  all.push(stream);
  FrameDecoder some(framing);
  some.push(stream.substr(0, first));
  POOLPROOF_ASSERT(all.ready_within(first) == some.ready());
}

}  // namespace
}  // namespace poolproof::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace poolproof::fuzz;
  constexpr std::array<std::uint8_t, 4> kPrefixes{4, 1, 2, 8};
  constexpr std::array<std::size_t, 5> kLimits{100, 1, 16, 5000, std::size_t{1} << 40U};
  constexpr std::size_t kLongestChunk = 64;

  Input input(data, size);
  const std::size_t kind = input.choose(16);
  Course course;
  course.framing.wire = poolproof::wire::wire_called(POOLPROOF_FUZZED)->wire;
  course.framing.prefix_bytes = kPrefixes[kind % kPrefixes.size()];
  course.framing.little_endian = kind / 4 % 2 == 1;
  course.skips_empty = kind / 8 == 1;
  course.framing.max_frame_bytes = kLimits[input.choose(kLimits.size())];
  for (std::size_t& chunk : course.chunks) chunk = input.choose(kLongestChunk);

  const std::string_view stream = input.rest();
  const Decoded in_chunks = decode(course, stream);
  check_ready_within(course.framing, stream, course.chunks.front());
  check_payload(course.framing, stream);
  course.chunks.fill(stream.size());
  const Decoded at_once = decode(course, stream);
  POOLPROOF_ASSERT(in_chunks == at_once);
  course.chunks.fill(1);
  const Decoded by_bytes = decode(course, stream);
  POOLPROOF_ASSERT(by_bytes == at_once);
  return 0;
}
