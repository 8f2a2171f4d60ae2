#include "harness/pool/requests.hpp"

#include <nlohmann/json.hpp>

namespace poolproof::pool {

std::string name_of(WorkerId worker) {
  return std::to_string(worker.slot).append(1, '.').append(std::to_string(worker.generation));
}

namespace {

Expected<std::string, std::string> encode(const WireOptions& wire, WorkerId worker,
                                          std::int64_t request, std::string_view timestamp,
                                          const char* command) {
  if (wire.codec == wire::Codec::terse) {
    return wire::encode_frame(wire.framing, wire::TerseRequest{request, command, {}, "{}", 0});
  }
  nlohmann::json args{{"worker_id", name_of(worker)}};
  if (request == 0) args["initialization"] = true;
  return wire::encode_frame(wire.framing, wire::encode_request(request, command, args, timestamp));
}

}  // namespace

Expected<std::string, std::string> own_request(const WireOptions& wire, WorkerId worker,
                                               std::int64_t request, std::string_view timestamp) {
  return encode(wire, worker, request, timestamp, request == 0 ? "ping" : "shutdown");
}

Expected<std::string, std::string> idle_ping(const WireOptions& wire, WorkerId worker,
                                             std::int64_t request, std::string_view timestamp) {
  return encode(wire, worker, request, timestamp, "ping");
}

}  // namespace poolproof::pool
