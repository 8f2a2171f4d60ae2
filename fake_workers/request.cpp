#include "fake_workers/request.hpp"

#include <cstdint>
#include <vector>

#include <nlohmann/json.hpp>

#include "harness/base/json_node.hpp"
#include "harness/wire/envelope.hpp"

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

constexpr const char* kNoObject = "the request is not a JSON object";

bool looks_at_args(std::string_view command) {
  return command == "sleep" || command == "compute" || command == "grow" || command == "fail" ||
         command.starts_with("session_");
}

/// Who speaks terse says the same few things by the million: those met last are parsed once.
/// Nothing: no object.
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

}  // namespace

void clear(Request& request) {
  request.number = 0;
  request.id.reset();
  request.command.reset();
  request.nonce.reset();
  request.args.reset();
  request.terse_args.clear();
  request.pad_bytes = 0;
  request.problem.clear();
}

void read_request(std::string_view payload, std::uint64_t number, wire::Codec codec,
                  Request& into) {
  clear(into);
  into.number = number;
  codec == wire::Codec::terse ? read_terse(payload, into) : read_json(payload, into);
}

}  // namespace poolproof::faults
