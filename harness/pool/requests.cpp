#include "harness/pool/requests.hpp"

#include <nlohmann/json.hpp>

#include "harness/wire/envelope.hpp"

namespace poolproof::pool {

using nlohmann::json;

std::string name_of(WorkerId worker) {
  return std::to_string(worker.slot).append(1, '.').append(std::to_string(worker.generation));
}

std::string ping_request(WorkerId worker, std::string_view timestamp) {
  const json args{{"initialization", true}, {"worker_id", name_of(worker)}};
  return wire::encode_request(0, "ping", args, timestamp);
}

std::string shutdown_request(WorkerId worker, std::int64_t request, std::string_view timestamp) {
  return wire::encode_request(request, "shutdown", json{{"worker_id", name_of(worker)}}, timestamp);
}

}  // namespace poolproof::pool
