#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "fake_workers/reply.hpp"
#include "harness/base/enumerators.hpp"

namespace poolproof::wrap {

/// What payloads say, as far as requests and replies have to be told apart and brought together.
enum class Speech : std::uint8_t {
  bridge,    ///< DSPex's envelope: every frame has an id and is a request or its reply
  json_rpc,  ///< JSON-RPC 2.0: replies go by their id, and anybody may notify and ask
  mcp,       ///< JSON-RPC as MCP servers speak it
  lsp,       ///< JSON-RPC as language servers speak it: `exit` says goodbye
  jest,      ///< jest-worker's lists: its calls, in their order, and what it says of how they ended
  opaque,    ///< any bytes: the nth frame back answers the nth frame out
};
inline constexpr auto kSpeechNames = enumerator_names<Speech>();

/// One payload.
struct Message {
  enum class Kind : std::uint8_t {
    request,
    reply,
    other,  ///< a notification, or what the speech does not know
  };
  Kind kind = Kind::other;
  std::string id;                      ///< as JSON; empty: none
  std::optional<std::int64_t> number;  ///< the id, if it is a whole number
  std::string method;                  ///< or the command; empty: none
  std::optional<std::string> nonce;    ///< `client:call`, if the arguments carry one
  bool goodbye = false;                ///< whoever reads it is to exit
};

Message from_client(Speech speech, std::string_view payload);
Message from_worker(Speech speech, std::string_view payload);

/// As fake workers know it; what is opaque, or jest's, is told as the bridge.
wire::Speech wire_speech(Speech speech);
bool has_members(Speech speech);   ///< payloads are JSON objects with an id
bool says_success(Speech speech);  ///< replies have the member `success`
bool says_goodbye(Speech speech);  ///< see Message::goodbye

/// A real reply with what faults changed of `now`'s id, body, success and names_success against
/// `before`; all its other members stay, byte for byte. A payload that is no JSON object comes back
/// as it is.
std::string rewritten(Speech speech, std::string_view payload,
                      const faults::ReplyInProgress& before, const faults::ReplyInProgress& now);

/// Of a request as it is written, without its id: the same for a call that is made once more.
/// Requires: has_members(), and the payload is an object.
std::uint64_t digest(std::string_view payload);

/// A reply of nothing to a request that was not read.
std::string made_up_reply(Speech speech, std::uint64_t id);

}  // namespace poolproof::wrap
