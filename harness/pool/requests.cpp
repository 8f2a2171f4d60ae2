#include "harness/pool/requests.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace poolproof::pool {

std::string name_of(WorkerId worker) {
  return std::to_string(worker.slot).append(1, '.').append(std::to_string(worker.generation));
}

namespace {

Expected<std::string, std::string> terse(const WireOptions& wire, std::int64_t request,
                                         const char* command) {
  return wire::encode_frame(wire.framing, wire::TerseRequest{request, command, {}, "{}", 0});
}

/// The size of the longest payload that the pool itself sends, to a worker with a long name.
std::size_t longest_of_our_own(const WireOptions& wire) {
  constexpr std::int64_t kRequest = 999'999'999;
  constexpr std::string_view kTimestamp = "2026-11-23T10:00:00.123Z";
  const std::string name = name_of({999, 999'999});
  const wire::SpeechRow& row = wire.row();
  std::size_t longest = 0;
  if (wire.greets()) longest = row.greeting(name, kTimestamp).size();
  if (wire.pings()) longest = std::max(longest, row.ping(kRequest, name, kTimestamp).size());
  if (!wire.says_goodbye()) return longest;
  for (const auto& payload : row.goodbye(kRequest, name, kTimestamp))
    longest = std::max(longest, payload.size());
  return longest;
}

}  // namespace

Parsed<void> checked(const WireOptions& wire) {
  const std::size_t needed = longest_of_our_own(wire);
  const std::size_t limit = wire.framing.payload_limit();
  if (needed <= limit) return {};
  const bool by_length = limit < wire.framing.max_frame_bytes;
  return unexpected(InputError{
      by_length ? "prefix_bytes" : "max_frame_bytes",
      fmt::format("allows frames of {} bytes, and the pool's own requests in the speech {} take {}",
                  limit, wire.row().name, needed),
      by_length ? "2, 4 or 8" : fmt::format("at least {}", needed)});
}

Parsed<void> checked(const Config& config, const WireOptions& wire) {
  if (config.idle_ping_interval == Duration::zero() || wire.pings()) return {};
  return unexpected(InputError{
      "idle_ping_interval_ms",
      wire.opaque ? "is said of opaque payloads, which have no ping"
                  : fmt::format("is said of the speech {}, which has no ping", wire.row().name),
      "the speech bridge or mcp, or 0"});
}

Expected<std::string, std::string> greeting(const WireOptions& wire, WorkerId worker,
                                            std::string_view timestamp) {
  if (wire.codec == wire::Codec::terse) return terse(wire, 0, "ping");
  return wire::encode_frame(wire.framing, wire.row().greeting(name_of(worker), timestamp));
}

Expected<std::string, std::string> goodbye(const WireOptions& wire, WorkerId worker,
                                           std::int64_t request, std::string_view timestamp) {
  if (wire.codec == wire::Codec::terse) return terse(wire, request, "shutdown");
  std::string frames;
  for (const auto& payload : wire.row().goodbye(request, name_of(worker), timestamp)) {
    auto frame = wire::encode_frame(wire.framing, payload);
    if (!frame) return frame;
    frames += *frame;
  }
  return frames;
}

Expected<std::string, std::string> idle_ping(const WireOptions& wire, WorkerId worker,
                                             std::int64_t request, std::string_view timestamp) {
  if (wire.codec == wire::Codec::terse) return terse(wire, request, "ping");
  return wire::encode_frame(wire.framing, wire.row().ping(request, name_of(worker), timestamp));
}

}  // namespace poolproof::pool
