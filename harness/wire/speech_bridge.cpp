#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "harness/wire/speech.hpp"

namespace poolproof::wire {
namespace {

using nlohmann::json;

std::string greeting(std::string_view worker, std::string_view timestamp) {
  return encode_request(0, "ping", {{"worker_id", worker}, {"initialization", true}}, timestamp);
}

std::string ping(std::int64_t id, std::string_view worker, std::string_view timestamp) {
  return encode_request(id, "ping", {{"worker_id", worker}}, timestamp);
}

std::vector<std::string> goodbye(std::int64_t id, std::string_view worker,
                                 std::string_view timestamp) {
  return {encode_request(id, "shutdown", {{"worker_id", worker}}, timestamp)};
}

Heard hear(std::string_view payload, std::int64_t expected_id) {
  auto reply = decode_reply(payload, expected_id);
  if (!reply) return {Heard::Kind::wrong, {}, "", std::move(reply.error())};
  return {Heard::Kind::reply, *std::move(reply), "", ""};
}

std::string error_flaw(const json& message) {
  const auto error = message.find("error");
  if (error == message.end()) return "without the text \"error\"";
  if (error->is_string()) return "";
  return fmt::format("that is {}, not a text", described(*error));
}

}  // namespace

const SpeechRow kBridgeSpeech{
    .speech = Speech::bridge,
    .name = "bridge",
    .users = "DSPex and other Python bridges",
    .speaks_unasked = false,
    .greeting = greeting,
    .greeting_name = "ping",
    .greeted = "",
    .bad_greeting = nullptr,
    .ping = ping,
    .request = encode_request,
    .goodbye = goodbye,
    .hear = hear,
    .error_flaw = error_flaw,
    .unwrapped = nullptr,
};

}  // namespace poolproof::wire
