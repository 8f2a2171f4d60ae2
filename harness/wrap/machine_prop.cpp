#include <cstdint>
#include <string>
#include <vector>

#include "harness/base/property_testing.hpp"
#include "harness/wrap/cutter.hpp"
#include "harness/wrap/machine_testing.hpp"

using namespace poolproof;
using namespace poolproof::wrap;
using namespace poolproof::wrap::testing;

namespace {

using Bytes = std::vector<std::uint8_t>;

/// Frames of a wire, and now and then what is none.
std::string stream_of(const wire::Framing& framing, const std::vector<Bytes>& payloads,
                      std::size_t nonsense_after) {
  std::string stream;
  for (std::size_t i = 0; i < payloads.size(); ++i) {
    const std::string payload(payloads[i].begin(), payloads[i].end());
    if (i == nonsense_after) stream += payload;
    const auto frame = wire::encode_frame(framing, payload);
    if (frame) stream += *frame;
  }
  return stream;
}

wire::Framing any_framing() {
  using wire::Wire;
  return *rc::gen::element(wire::Framing{4, 200, Wire::prefix}, wire::Framing{1, 200, Wire::prefix},
                           wire::Framing{8, 200, Wire::prefix, true},
                           wire::Framing{4, 200, Wire::varint}, wire::Framing{4, 200, Wire::lines},
                           wire::Framing{4, 200, Wire::headers});
}

std::string any_stream(const wire::Framing& framing) {
  const auto payloads = *rc::gen::arbitrary<std::vector<Bytes>>();
  const auto nonsense = *rc::gen::inRange<std::size_t>(0, 2 * payloads.size() + 2);
  return stream_of(framing, payloads, nonsense);
}

std::size_t chunk_at(const Bytes& chunks, std::size_t i) {
  return chunks.empty() ? 1000 : 1U + chunks[i % chunks.size()] % 40U;
}

}  // namespace

TEST_CASE("wrap: machine: with nothing armed, or armed and not struck, no byte changes") {
  holds("any bytes both ways, in any chunks, taken in any portions", [] {
    const wire::Framing framing = any_framing();
    const std::string down = any_stream(framing);
    const std::string up = any_stream(framing);
    const auto chunks = *rc::gen::arbitrary<Bytes>();
    const auto speech = *rc::gen::element(Speech::bridge, Speech::json_rpc, Speech::opaque);
    const bool armed = *rc::gen::arbitrary<bool>();
    Between between(
        armed ? R"({"fault":"reply_twice","at":{"request":100000}},)"
                R"({"fault":"killed_mid_call","at":{"contains":"no request has this in it"}})"
              : "",
        speech, framing, *rc::gen::arbitrary<bool>());
    between.takes = *rc::gen::inRange<std::size_t>(1, 50);
    std::size_t i = 0;
    for (std::size_t at = 0; at < std::max(down.size(), up.size()); ++i) {
      const std::size_t size = chunk_at(chunks, i);
      if (at < down.size()) between.from_client(std::string_view(down).substr(at, size));
      if (at < up.size()) between.from_worker(std::string_view(up).substr(at, size));
      at += size;
    }
    if (armed) RC_ASSERT(down.starts_with(between.to_worker));
    if (!armed) RC_ASSERT(between.to_worker == down);
    between.end_input();
    between.exit({7, 0});
    RC_ASSERT(between.to_worker == down);
    RC_ASSERT(between.to_client == up);
    RC_ASSERT(between.all<EndWorkerInput>().size() == 1U);
    RC_ASSERT((between.all<End>() == std::vector{End{{7, 0}}}));
  });
}

TEST_CASE("wrap: cutter: the pieces are the stream, and its frames are the decoder's") {
  holds("any bytes in any chunks", [] {
    const wire::Framing framing = any_framing();
    const std::string stream = any_stream(framing);
    const auto chunks = *rc::gen::arbitrary<Bytes>();
    Cutter cutter(framing);
    wire::FrameDecoder decoder(framing);
    std::string passed;
    bool broken = false;
    for (std::size_t at = 0, i = 0; at < stream.size(); ++i) {
      const std::string_view part = std::string_view(stream).substr(at, chunk_at(chunks, i));
      at += part.size();
      cutter.push(part);
      decoder.push(part);
      for (Piece piece = cutter.next(); !piece.bytes.empty(); piece = cutter.next()) {
        passed += piece.bytes;
        if (broken) continue;
        const auto frame = decoder.next();
        broken = !frame.has_value();
        if (broken) {
          RC_ASSERT(piece.complaint == frame.error().message);
        } else {
          RC_ASSERT(frame->has_value());
          RC_ASSERT(piece.payload == **frame);
        }
      }
      RC_ASSERT(cutter.buffered_bytes() <= 200U + 1024U + 10U);
    }
    passed += cutter.rest().bytes;
    RC_ASSERT(passed == stream);
  });
}
