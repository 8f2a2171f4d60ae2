#include "fake_workers/request.hpp"

#include <limits>

#include <nlohmann/json.hpp>

#include "harness/wire/envelope.hpp"

namespace poolproof::faults {
namespace {

using Json = nlohmann::json;

std::optional<std::int64_t> whole_number(const Json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_number_integer()) return std::nullopt;
  const bool too_large = found->is_number_unsigned() &&
                         found->get<std::uint64_t>() > std::numeric_limits<std::int64_t>::max();
  if (too_large) return std::nullopt;
  return found->get<std::int64_t>();
}

std::optional<std::string> text(const Json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_string()) return std::nullopt;
  return found->get<std::string>();
}

}  // namespace

Request read_request(std::string_view payload, std::uint64_t number) {
  Request request;
  request.number = number;
  const auto message = wire::parse_json(payload);
  if (!message || !message->is_object()) {
    request.problem = "the request is not a JSON object";
    return request;
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
  return request;
}

}  // namespace poolproof::faults
