#include "harness/bench/wire_bench.hpp"

#include <string>

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "harness/base/assert.hpp"
#include "harness/wire/wires.hpp"

/// wire/NAME/PAYLOAD/CHUNK: a stream of frames of PAYLOAD bytes that comes in reads of CHUNK bytes,
/// as bytes of payload a second. That two chunks cost alike shows that each byte is looked at once.
namespace poolproof::bench {
namespace {

constexpr std::size_t kStreamBytes = std::size_t{8} << 20U;

void decode(benchmark::State& state, const wire::Framing& framing) {
  const auto payload_bytes = static_cast<std::size_t>(state.range(0));
  const auto chunk = static_cast<std::size_t>(state.range(1));
  const auto frame = wire::encode_frame(framing, std::string(payload_bytes, 'x'));
  POOLPROOF_ASSERT(frame.has_value());
  std::string stream;
  while (stream.size() < kStreamBytes) stream += *frame;
  std::int64_t decoded = 0;
  for ([[maybe_unused]] auto _ : state) {
    wire::FrameDecoder decoder(framing);
    for (std::size_t at = 0; at < stream.size(); at += chunk) {
      decoder.push(std::string_view(stream).substr(at, chunk));
      for (auto next = decoder.next(); *next; next = decoder.next())
        decoded += static_cast<std::int64_t>((*next)->size());
    }
    POOLPROOF_ASSERT(decoder.buffered_bytes() == 0);
  }
  state.SetBytesProcessed(decoded);
}

}  // namespace

void register_wires() {
  for (const wire::WireRow* const row : wire::wires()) {
    wire::Framing framing;
    framing.wire = row->wire;
    benchmark::RegisterBenchmark(fmt::format("wire/{}", row->name).c_str(), decode, framing)
        ->Args({65'536, 65'536})
        ->Args({65'536, 512})
        ->Args({100, 65'536})
        ->Args({100, 16});
  }
}

}  // namespace poolproof::bench
