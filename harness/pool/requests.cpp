#include "harness/pool/requests.hpp"

#include <nlohmann/json.hpp>

namespace poolproof::pool {

std::string name_of(WorkerId worker) {
  return std::to_string(worker.slot).append(1, '.').append(std::to_string(worker.generation));
}

Expected<std::string, std::string> own_request(const WireOptions& wire, WorkerId worker,
                                               std::int64_t request, std::string_view timestamp) {
  const bool is_ping = request == 0;
  const char* command = is_ping ? "ping" : "shutdown";
  if (wire.codec == wire::Codec::terse) {
    return wire::encode_frame(wire.framing, wire::TerseRequest{request, command, {}, "{}", 0});
  }
  nlohmann::json args{{"worker_id", name_of(worker)}};
  if (is_ping) args["initialization"] = true;
  return wire::encode_frame(wire.framing, wire::encode_request(request, command, args, timestamp));
}

}  // namespace poolproof::pool
