#include "fake_workers/request.hpp"

#include <cstdint>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "fake_workers/reply.hpp"
#include "harness/base/json_node.hpp"
#include "harness/wire/envelope.hpp"
#include "harness/wire/members.hpp"

namespace poolproof::faults {
namespace {

using Json = nlohmann::json;

std::optional<std::int64_t> whole_number(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() ? std::nullopt : whole_within(*found, INT64_MIN, INT64_MAX);
}

std::optional<std::string> text(const Json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_string()) return std::nullopt;
  return found->get<std::string>();
}

/// The id of a request as JSON, if it is a text or number that this speech does not accept as an
/// id; else empty. Numbers stay as they are written.
std::string refused_id(const Json& message, std::string_view payload) {
  const auto id = message.find("id");
  if (id == message.end()) return "";
  if (id->is_string()) return json_text(id->get<std::string>());
  if (!id->is_number()) return "";
  std::string written;
  for (wire::Member& member : wire::members_of(payload)) {
    if (member.key == "\"id\"") written = std::move(member.value);
  }
  return written;
}

constexpr const char* kNoObject = "the request is not a JSON object";

void refuse(Request& request, const char* problem, RpcError code = RpcError::invalid_request) {
  request.problem = problem;
  request.code = code;
}

bool looks_at_args(std::string_view command) {
  return command == "sleep" || command == "compute" || command == "grow" || command == "fail" ||
         command.starts_with("session_");
}

/// The args of a terse message. Simulated pools send the same few things by the million, so the
/// latest ones are parsed only once. Null: the text is no JSON object.
std::shared_ptr<const Json> parsed_args(std::string_view text) {
  struct Known {
    std::string text;
    std::shared_ptr<const Json> args;
  };
  constexpr std::size_t kMost = 32;
  thread_local std::vector<Known> known;
  for (const Known& one : known) {
    if (one.text == text) return one.args;
  }
  auto args = wire::parse_json(text);
  if (!args || !args->is_object()) return nullptr;
  if (known.size() >= kMost) known.clear();
  known.push_back({std::string(text), std::make_shared<const Json>(*std::move(args))});
  return known.back().args;
}

void read_terse(std::string_view payload, Request& request) {
  const auto message = wire::read_terse_request(payload);
  if (!message) {
    request.problem = kNoObject;
    return;
  }
  request.id = message->id;
  request.command = message->command;
  if (!message->nonce.empty()) request.nonce = message->nonce;
  request.terse_args = message->args;
  request.pad_bytes = message->pad_bytes;
  if (!looks_at_args(message->command)) return;
  request.args = parsed_args(message->args);
  if (!request.args) request.problem = "bad args: not an object";
}

void read_json(std::string_view payload, Request& request) {
  const auto message = wire::parse_json(payload);
  if (!message || !message->is_object()) {
    request.problem = kNoObject;
    return;
  }
  request.id = whole_number(*message, "id");
  if (!request.id) request.refused_id = refused_id(*message, payload);
  request.command = text(*message, "command");
  const auto args = message->find("args");
  const bool has_args = args != message->end();
  if (has_args && args->is_object()) request.nonce = text(*args, "nonce");

  if (!request.id) {
    request.problem = "the request has no integer id";
  } else if (!request.command) {
    request.problem = "the request has no command";
  } else if (has_args && !args->is_object()) {
    request.problem = "bad args: not an object";
  } else {
    request.args = std::make_shared<const Json>(has_args ? *args : Json::object());
  }
}

/// Takes the arguments of a method or, for `tools/call`, of the tool that it calls.
void take_params(const Json& params, wire::Speech speech, Request& request) {
  request.tool_call = speech == wire::Speech::mcp && request.command == "tools/call";
  if (!request.tool_call) {
    request.args = std::make_shared<const Json>(params);
    return;
  }
  // A call without the name of a tool is still a call, and is answered with its id.
  const auto name = text(params, "name");
  if (name) request.command = name;
  const auto args = params.find("arguments");
  const bool has_args = args != params.end();
  if (!name) {
    refuse(request, "the call of a tool has no name", RpcError::invalid_params);
  } else if (has_args && !args->is_object()) {
    refuse(request, "bad arguments: not an object", RpcError::invalid_params);
  } else {
    request.args = std::make_shared<const Json>(has_args ? *args : Json::object());
  }
}

/// Whether nobody waits for a reply: also an answer to the worker's own request has no answer.
bool is_notification(const Json& message, bool has_method) {
  if (has_method) return !message.contains("id");
  return message.contains("result") || message.contains("error");
}

void read_rpc(std::string_view payload, wire::Speech speech, Request& request) {
  const auto message = wire::parse_json(payload);
  if (!message || !message->is_object()) {
    return refuse(request, kNoObject, message ? RpcError::invalid_request : RpcError::parse_error);
  }
  request.id = whole_number(*message, "id");
  if (const auto id = text(*message, "id")) {
    request.text_id = json_text(*id);
  } else if (!request.id) {
    request.refused_id = refused_id(*message, payload);
  }
  request.command = text(*message, "method");
  request.notification = is_notification(*message, request.command.has_value());
  if (request.notification) return;
  const auto params = message->find("params");
  const bool has_params = params != message->end();
  if (!request.id && request.text_id.empty()) {
    refuse(request, "the request has no id that is an integer or a text");
  } else if (!request.command) {
    refuse(request, "the request has no method");
  } else if (has_params && !params->is_object()) {
    refuse(request, "bad params: not an object", RpcError::invalid_params);
  } else {
    take_params(has_params ? *params : Json::object(), speech, request);
  }
  if (request.args) request.nonce = text(*request.args, "nonce");
}

}  // namespace

void clear(Request& request) {
  request.number = 0;
  request.id.reset();
  request.text_id.clear();
  request.refused_id.clear();
  request.command.reset();
  request.nonce.reset();
  request.args.reset();
  request.terse_args.clear();
  request.pad_bytes = 0;
  request.problem.clear();
  request.code = RpcError::invalid_request;
  request.early = request.notification = request.tool_call = false;
}

void read_request(std::string_view payload, std::uint64_t number, wire::Codec codec,
                  wire::Speech speech, Request& into) {
  clear(into);
  into.number = number;
  if (codec == wire::Codec::terse) return read_terse(payload, into);
  speech == wire::Speech::bridge ? read_json(payload, into) : read_rpc(payload, speech, into);
}

}  // namespace poolproof::faults
