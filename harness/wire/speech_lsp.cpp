#include <nlohmann/json.hpp>

#include "harness/wire/json_rpc.hpp"

namespace poolproof::wire {
namespace {

using nlohmann::json;

std::string greeting(std::string_view worker, std::string_view /*timestamp*/) {
  return rpc_request(0, "initialize",
                     {{"processId", nullptr},
                      {"rootUri", nullptr},
                      {"capabilities", json::object()},
                      {"clientInfo", {{"name", std::string("poolproof ").append(worker)}}}});
}

std::string request(std::int64_t id, std::string_view command, const json& args,
                    std::string_view /*timestamp*/) {
  return rpc_request(id, command, args);
}

std::vector<std::string> goodbye(std::int64_t id, std::string_view /*worker*/,
                                 std::string_view /*timestamp*/) {
  return {json{{"jsonrpc", "2.0"}, {"id", id}, {"method", "shutdown"}}.dump(),
          R"({"jsonrpc":"2.0","method":"exit"})"};
}

Heard hear(std::string_view payload, std::int64_t expected_id) {
  return hear_rpc(payload, expected_id, false);
}

std::string bad_greeting(const Reply& reply) {
  return bad_capabilities(*reply.result);
}

}  // namespace

const SpeechRow kLspSpeech{
    .speech = Speech::lsp,
    .name = "lsp",
    .users = "language servers",
    .speaks_unasked = true,
    .greeting = greeting,
    .greeting_name = "initialize",
    .greeted = R"({"jsonrpc":"2.0","method":"initialized","params":{}})",
    .bad_greeting = bad_greeting,
    .ping = nullptr,
    .request = request,
    .goodbye = goodbye,
    .hear = hear,
    .error_flaw = rpc_error_flaw,
    .unwrapped = nullptr,
};

}  // namespace poolproof::wire
