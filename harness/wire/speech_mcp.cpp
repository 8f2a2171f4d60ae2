#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "harness/base/text.hpp"
#include "harness/wire/json_rpc.hpp"

namespace poolproof::wire {
namespace {

using nlohmann::json;

/// The revision of the protocol that we ask for; a server answers with one that it has.
constexpr const char* kProtocol = "2025-06-18";

std::string greeting(std::string_view worker, std::string_view /*timestamp*/) {
  return rpc_request(
      0, "initialize",
      {{"protocolVersion", kProtocol},
       {"capabilities", json::object()},
       {"clientInfo", {{"name", "poolproof"}, {"title", worker}, {"version", "1"}}}});
}

std::string ping(std::int64_t id, std::string_view /*worker*/, std::string_view /*timestamp*/) {
  return rpc_request(id, "ping", json::object());
}

/// A command is the name of a tool, unless it is a method: `ping`, or a name with a slash.
std::string request(std::int64_t id, std::string_view command, const json& args,
                    std::string_view /*timestamp*/) {
  if (command.find('/') != std::string_view::npos || command == "ping")
    return rpc_request(id, command, args);
  return rpc_request(id, "tools/call", {{"name", command}, {"arguments", args}});
}

/// What a tool gave back: as structured content, or as JSON in its text.
std::shared_ptr<const json> unwrapped(const std::shared_ptr<const json>& result) {
  if (!result || !result->is_object()) return result;
  const auto structured = result->find("structuredContent");
  if (structured != result->end()) return std::make_shared<const json>(*structured);
  const auto pieces = result->find("content");
  if (pieces == result->end() || !pieces->is_array() || pieces->size() != 1) return result;
  const json& piece = pieces->front();
  if (!piece.is_object() || !piece.contains("text") || !piece["text"].is_string()) return result;
  auto inner = parse_json(piece["text"].get_ref<const std::string&>());
  return inner ? std::make_shared<const json>(*std::move(inner)) : result;
}

/// The texts of a result that says that the tool failed.
std::string failure(const json& result) {
  std::string text;
  const auto pieces = result.find("content");
  if (pieces == result.end() || !pieces->is_array()) return "(no text)";
  for (const json& piece : *pieces) {
    if (!piece.is_object() || !piece.contains("text") || !piece["text"].is_string()) continue;
    if (!text.empty()) text += '\n';
    text += piece["text"].get_ref<const std::string&>();
  }
  return text;
}

Heard hear(std::string_view payload, std::int64_t expected_id) {
  Heard heard = hear_rpc(payload, expected_id, true);
  Reply& reply = heard.reply;
  if (heard.kind != Heard::Kind::reply || !reply.result_is_object) return heard;
  const auto is_error = reply.result->find("isError");
  if (is_error != reply.result->end() && *is_error == true) {
    reply.success = false;
    reply.error = failure(*reply.result);
    reply.result.reset();
    return heard;
  }
  reply.nonce = nonce_of(*unwrapped(reply.result));
  return heard;
}

std::string bad_greeting(const Reply& reply) {
  const auto version = reply.result->find("protocolVersion");
  if (version == reply.result->end()) return "the result of initialize has no \"protocolVersion\"";
  if (!version->is_string()) {
    return fmt::format("the result of initialize has {} as \"protocolVersion\", not a text",
                       described(*version));
  }
  return bad_capabilities(*reply.result);
}

}  // namespace

const SpeechRow kMcpSpeech{
    .speech = Speech::mcp,
    .name = "mcp",
    .users = "servers of the Model Context Protocol",
    .speaks_unasked = true,
    .greeting = greeting,
    .greeting_name = "initialize",
    .greeted = R"({"jsonrpc":"2.0","method":"notifications/initialized"})",
    .bad_greeting = bad_greeting,
    .ping = ping,
    .request = request,
    .goodbye = nullptr,
    .hear = hear,
    .error_flaw = rpc_error_flaw,
    .unwrapped = unwrapped,
};

}  // namespace poolproof::wire
