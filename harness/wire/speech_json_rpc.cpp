#include <nlohmann/json.hpp>

#include "harness/wire/json_rpc.hpp"

namespace poolproof::wire {
namespace {

using nlohmann::json;

std::string request(std::int64_t id, std::string_view command, const json& args,
                    std::string_view /*timestamp*/) {
  return rpc_request(id, command, args);
}

Heard hear(std::string_view payload, std::int64_t expected_id) {
  return hear_rpc(payload, expected_id, false);
}

}  // namespace

const SpeechRow kJsonRpcSpeech{
    .speech = Speech::json_rpc,
    .name = "json_rpc",
    .users = "JSON-RPC 2.0 without a greeting",
    .speaks_unasked = true,
    .greeting = nullptr,
    .greeting_name = "",
    .greeted = "",
    .bad_greeting = nullptr,
    .ping = nullptr,
    .request = request,
    .goodbye = nullptr,
    .hear = hear,
    .error_flaw = rpc_error_flaw,
    .unwrapped = nullptr,
};

}  // namespace poolproof::wire
