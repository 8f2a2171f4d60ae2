#include "harness/pool/requests.hpp"

namespace poolproof::pool {

std::string name_of(WorkerId worker) {
  return std::to_string(worker.slot).append(1, '.').append(std::to_string(worker.generation));
}

namespace {

Expected<std::string, std::string> terse(const WireOptions& wire, std::int64_t request,
                                         const char* command) {
  return wire::encode_frame(wire.framing, wire::TerseRequest{request, command, {}, "{}", 0});
}

}  // namespace

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
