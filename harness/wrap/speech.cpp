#include "harness/wrap/speech.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "harness/base/json_node.hpp"
#include "harness/wire/envelope.hpp"
#include "harness/wire/members.hpp"
#include "harness/wrap/jest.hpp"

namespace poolproof::wrap {
namespace {

using Json = nlohmann::json;
using Kind = Message::Kind;
using wire::Member;
using wire::members_of;

/// The member of a JSON object; null: there is none, or `object` is no object.
const Json* member(const Json* object, const char* key) {
  if (object == nullptr || !object->is_object()) return nullptr;
  const auto found = object->find(key);
  return found == object->end() ? nullptr : &*found;
}

std::optional<std::string> text(const Json* value) {
  if (value == nullptr || !value->is_string()) return std::nullopt;
  return value->get<std::string>();
}

void read_id(const Json& object, Message& message) {
  const Json* const id = member(&object, "id");
  if (id == nullptr || id->is_null()) return;
  message.id = id->dump(-1, ' ', false, Json::error_handler_t::replace);
  message.number = whole_within(*id, INT64_MIN, INT64_MAX);
}

/// The nonce in the arguments. Those of an MCP tool lie one level deeper.
std::optional<std::string> nonce_in(const Json* args) {
  if (auto nonce = text(member(args, "nonce"))) return nonce;
  return text(member(member(args, "arguments"), "nonce"));
}

/// Whether it is a message that both ends of Node's IPC send by themselves, about a passed handle.
bool is_nodes_own(std::string_view payload) {
  return payload.starts_with(R"({"cmd":"NODE_)");
}

/// Reads a message of jest-worker. The client calls or prepares, and the worker tells what came of
/// it; other messages have no answer, or one of another kind.
Message read_jest(std::string_view payload, bool client) {
  constexpr std::int64_t kCall = 1;
  constexpr std::int64_t kPrepare = 4;
  constexpr std::int64_t kLastEnd = 2;
  Message message;
  const auto said = read_jest_message(payload);
  if (!said) return message;
  if (client && (said->what == kCall || said->what == kPrepare)) message.kind = Kind::request;
  if (!client && said->what <= kLastEnd) message.kind = Kind::reply;
  if (client && said->what == kCall) message.method = said->name;
  return message;
}

Message read(Speech speech, std::string_view payload, bool client) {
  Message message;
  if (is_nodes_own(payload)) return message;
  if (speech == Speech::jest) return read_jest(payload, client);
  if (!has_members(speech)) {
    message.kind = client ? Kind::request : Kind::reply;
    return message;
  }
  const auto object = wire::parse_json(payload);
  const bool bridge = speech == Speech::bridge;
  if (bridge) message.kind = client ? Kind::request : Kind::reply;
  if (!object || !object->is_object()) return message;
  read_id(*object, message);
  const auto method = text(member(&*object, bridge ? "command" : "method"));
  message.method = method.value_or("");
  message.nonce = nonce_in(member(&*object, bridge ? "args" : "params"));
  if (!bridge && method && client && !message.id.empty()) message.kind = Kind::request;
  if (!bridge && !method && !client) message.kind = Kind::reply;
  message.goodbye = (bridge && message.method == "shutdown") ||
                    (speech == Speech::lsp && message.method == "exit");
  return message;
}

/// The member that says what came of the request; nothing: the reply must not have one.
std::optional<Member> body_member(Speech speech, const faults::ReplyInProgress& reply) {
  if (reply.body.empty()) return std::nullopt;
  if (reply.success) return Member{"\"result\"", reply.body};
  if (speech == Speech::bridge) return Member{"\"error\"", reply.body};
  return Member{"\"error\"", fmt::format(R"({{"code":-32000,"message":{}}})", reply.body)};
}

std::string written(const std::vector<Member>& members) {
  std::string json = "{";
  for (const Member& one : members) {
    if (json.size() > 1) json += ',';
    json.append(one.key).append(1, ':').append(one.value);
  }
  return json + "}";
}

}  // namespace

Message from_client(Speech speech, std::string_view payload) {
  return read(speech, payload, true);
}

Message from_worker(Speech speech, std::string_view payload) {
  return read(speech, payload, false);
}

wire::Speech wire_speech(Speech speech) {
  switch (speech) {
    case Speech::json_rpc:
      return wire::Speech::json_rpc;
    case Speech::mcp:
      return wire::Speech::mcp;
    case Speech::lsp:
      return wire::Speech::lsp;
    case Speech::bridge:
    case Speech::jest:
    case Speech::opaque:
      break;
  }
  return wire::Speech::bridge;
}

bool has_members(Speech speech) {
  return speech != Speech::opaque && speech != Speech::jest;
}

bool says_success(Speech speech) {
  return speech == Speech::bridge;
}

bool says_goodbye(Speech speech) {
  return speech == Speech::bridge || speech == Speech::lsp;
}

std::uint64_t digest(Speech speech, std::string_view payload) {
  // FNV-1a over each member, followed by a byte that occurs in none.
  constexpr std::uint64_t kPrime = 0x100000001b3;
  std::uint64_t hash = 0xcbf29ce484222325;
  const auto add = [&hash](std::string_view bytes) {
    for (const char byte : bytes) hash = (hash ^ static_cast<unsigned char>(byte)) * kPrime;
  };
  const auto add_members = [&add](std::string_view object, std::string_view left_out, auto&& each) {
    for (const Member& one : members_of(object)) {
      if (one.key == left_out) continue;
      add(one.key);
      each(one);
      add({"\n", 1});
    }
  };
  const auto add_value = [&add](const Member& one) { add(one.value); };
  add_members(payload, "\"id\"", [&](const Member& one) {
    // The time at which a request was written, and the token under which its progress is told, are
    // new in each repetition.
    if (speech == Speech::bridge && one.key == "\"timestamp\"") return;
    const bool has_meta = speech == Speech::mcp && one.key == "\"params\"";
    if (!has_meta || !one.value.starts_with('{')) return add_value(one);
    add_members(one.value, "\"_meta\"", add_value);
  });
  return hash;
}

std::string rewritten(Speech speech, std::string_view payload,
                      const faults::ReplyInProgress& before, const faults::ReplyInProgress& now) {
  const auto object = wire::parse_json(payload);
  if (!object || !object->is_object()) return std::string(payload);
  const bool new_body = before.body != now.body || before.success != now.success;
  std::optional<Member> body = new_body ? body_member(speech, now) : std::nullopt;
  bool has_id = false;
  std::vector<Member> kept;
  for (Member& one : members_of(payload)) {
    if (new_body && (one.key == "\"result\"" || one.key == "\"error\"")) {
      if (body) kept.push_back(*std::exchange(body, std::nullopt));
      continue;
    }
    if (one.key == "\"id\"") has_id = true;
    if (one.key == "\"id\"" && before.id != now.id) one.value = now.id;
    if (one.key == "\"success\"" && new_body) one.value = now.success ? "true" : "false";
    if (one.key == "\"success\"" && !now.names_success) continue;
    kept.push_back(std::move(one));
  }
  if (body) kept.push_back(*body);
  if (!has_id && before.id != now.id) kept.push_back({"\"id\"", now.id});
  return written(kept);
}

std::string made_up_reply(Speech speech, std::uint64_t id) {
  if (speech == Speech::opaque) return "{}";
  if (speech == Speech::jest) return "[0,null]";
  if (speech == Speech::bridge)
    return fmt::format(R"({{"id":{},"result":{{}},"success":true,"timestamp":0}})", id);
  return fmt::format(R"({{"jsonrpc":"2.0","id":{},"result":{{}}}})", id);
}

}  // namespace poolproof::wrap
