#include "harness/wire/json_rpc.hpp"

#include <cmath>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "harness/base/text.hpp"
#include "harness/wire/plain_json.hpp"

namespace poolproof::wire {
namespace {

using nlohmann::json;

constexpr int kMethodNotFound = -32601;

Heard wrong(std::string why) {
  return {Heard::Kind::wrong, {}, "", std::move(why)};
}

std::string shown(const json& value) {
  constexpr std::size_t kShown = 80;
  return printable(value.dump(-1, ' ', false, json::error_handler_t::replace), kShown);
}

/// The answer to a worker's own request: success for `ping`, an error for everything else.
std::string answer_to(const json& request) {
  const json& id = request["id"];
  if (request["method"] == "ping")
    return json{{"jsonrpc", "2.0"}, {"id", id}, {"result", json::object()}}.dump();
  return json{{"jsonrpc", "2.0"},
              {"id", id},
              {"error", {{"code", kMethodNotFound}, {"message", "Method not found"}}}}
      .dump();
}

std::optional<Heard> unasked(const json& message) {
  const auto method = message.find("method");
  if (method == message.end()) return std::nullopt;
  if (!method->is_string())
    return wrong("a message whose \"method\" is no text: " + shown(message));
  // Taken for a question, it would never answer anything.
  for (const char* const key : {"result", "error"}) {
    if (message.contains(key)) {
      return wrong(
          fmt::format("a message with both \"method\" and \"{}\", so it is neither a "
                      "request nor a reply: {}",
                      key, shown(message)));
    }
  }
  const auto id = message.find("id");
  if (id == message.end()) return Heard{Heard::Kind::unasked, {}, "", ""};
  if (!id->is_string() && !id->is_number()) {
    return wrong("a request of the worker's own whose id is neither a number nor a text: " +
                 shown(*id));
  }
  return Heard{Heard::Kind::asked, {}, answer_to(message), ""};
}

std::string error_words(const json& error) {
  if (!error.is_object()) return shown(error);
  const auto message = error.find("message");
  const std::string text =
      message != error.end() && message->is_string() ? message->get<std::string>() : "(no message)";
  const auto code = error.find("code");
  return code == error.end() ? text : fmt::format("{} (code {})", text, shown(*code));
}

bool same_id(const json& id, std::int64_t expected) {
  if (id.is_number_unsigned()) {
    return expected >= 0 && id.get<std::uint64_t>() == static_cast<std::uint64_t>(expected);
  }
  return id.is_number_integer() && id.get<std::int64_t>() == expected;
}

std::optional<std::string> wrong_id(const json& message, std::int64_t expected) {
  const auto id = message.find("id");
  if (id == message.end()) return "a message with neither \"id\" nor \"method\": " + shown(message);
  if (same_id(*id, expected)) return std::nullopt;
  std::string why = id->is_string()
                        ? fmt::format("expected id {}, got the text {}", expected, shown(*id))
                        : fmt::format("expected id {}, got {}", expected, shown(*id));
  const auto error = message.find("error");
  if (id->is_null() && error != message.end())
    why += "; its error says: " + printable(error_words(*error));
  return why;
}

}  // namespace

std::string rpc_request(std::int64_t id, std::string_view method, const json& params) {
  // Written with the keys sorted, as dump() would write them, but without a copy of the params.
  std::string message = fmt::format(R"({{"id":{},"jsonrpc":"2.0","method":)", id);
  append_json_text(message, method);
  message += R"(,"params":)";
  append_json(message, params);
  return message += '}';
}

std::string rpc_error_flaw(const json& message) {
  const auto error = message.find("error");
  if (error == message.end()) return "";
  if (!error->is_object())
    return fmt::format("that is {}, not an object with a code and a message", described(*error));
  const auto code = error->find("code");
  if (code == error->end()) return "without a \"code\"";
  if (!code->is_number() || std::trunc(code->get<double>()) != code->get<double>())
    return fmt::format("whose \"code\" is {}, not a whole number", described(*code));
  const auto words = error->find("message");
  if (words == error->end()) return "without a \"message\"";
  if (words->is_string()) return "";
  return fmt::format("whose \"message\" is {}, not a text", described(*words));
}

std::string bad_capabilities(const json& result) {
  const auto found = result.find("capabilities");
  if (found == result.end()) return "the result of initialize has no \"capabilities\"";
  // PHP writes an empty object as a list.
  if (found->is_structured()) return "";
  return fmt::format("the result of initialize has {} as \"capabilities\", not an object",
                     described(*found));
}

Heard hear_rpc(std::string_view payload, std::int64_t expected_id, bool strict) {
  auto parsed = parse_json(payload);
  if (!parsed) return wrong("the message is " + parsed.error());
  json& message = *parsed;
  if (message.is_array()) return wrong("a batch (a JSON array), where one message is agreed");
  if (!message.is_object()) return wrong("the message is " + shown(message) + ", not an object");
  const auto version = message.find("jsonrpc");
  if (version != message.end() ? *version != "2.0" : strict)
    return wrong("a message without \"jsonrpc\": \"2.0\": " + shown(message));
  if (auto heard = unasked(message)) return *std::move(heard);
  if (auto why = wrong_id(message, expected_id)) return wrong(*std::move(why));
  const bool failed = message.contains("error");
  if (failed == message.contains("result")) {
    return wrong(failed ? "a reply with both \"result\" and \"error\""
                        : "a reply with neither \"result\" nor \"error\"");
  }
  // A client that tests whether there is an error finds none, and waits on.
  if (failed && message["error"].is_null())
    return wrong("a reply whose \"error\" is null, and that has no \"result\"");
  Heard heard{Heard::Kind::reply, {}, "", ""};
  heard.reply.id = expected_id;
  heard.reply.success = !failed;
  if (failed) {
    heard.reply.error = error_words(message["error"]);
    return heard;
  }
  heard.reply.result = std::make_shared<const json>(std::move(message["result"]));
  heard.reply.result_is_object = heard.reply.result->is_object();
  heard.reply.nonce = nonce_of(*heard.reply.result);
  return heard;
}

}  // namespace poolproof::wire
