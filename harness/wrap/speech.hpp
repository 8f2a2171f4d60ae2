#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "fake_workers/reply.hpp"
#include "harness/base/enumerators.hpp"

namespace poolproof::wrap {

/// How payloads speak, as far as requests and replies must be told apart and brought together.
enum class Speech : std::uint8_t {
  bridge,    ///< DSPex's envelope: every frame has an id and is a request or its reply
  json_rpc,  ///< JSON-RPC 2.0: replies go by their id, and anybody may notify and ask
  mcp,       ///< JSON-RPC as MCP servers speak it
  lsp,       ///< JSON-RPC as language servers speak it: `exit` says goodbye
  jest,      ///< jest-worker's lists: calls are answered in their order, by how they ended
  opaque,    ///< any bytes: the nth frame back answers the nth frame out
};
inline constexpr auto kSpeechNames = enumerator_names<Speech>();

/// What one payload says.
struct Message {
  enum class Kind : std::uint8_t {
    request,
    reply,
    other,  ///< a notification, or what the speech does not know
  };
  Kind kind = Kind::other;
  std::string id;                      ///< the id as JSON; empty: none
  std::optional<std::int64_t> number;  ///< the id, if it is a whole number
  std::string method;                  ///< the method or the command; empty: none
  std::optional<std::string> nonce;    ///< `client:call`, if the arguments carry one
  bool goodbye = false;                ///< it asks its reader to exit
};

Message from_client(Speech speech, std::string_view payload);
Message from_worker(Speech speech, std::string_view payload);

/// The same speech as fake workers know it; `jest` and `opaque` count as the bridge.
wire::Speech wire_speech(Speech speech);
bool has_members(Speech speech);   ///< payloads are JSON objects with an id
bool says_success(Speech speech);  ///< replies have the member `success`
bool says_goodbye(Speech speech);  ///< a worker can be asked to exit: see Message::goodbye

/// A real reply in which id, body, success and names_success are changed as faults changed them
/// from `before` to `now`; all other members stay, byte for byte. A payload that is no JSON object
/// comes back as it is.
std::string rewritten(Speech speech, std::string_view payload,
                      const faults::ReplyInProgress& before, const faults::ReplyInProgress& now);

/// A hash of a request as it is written, without what is new in each repetition: its id, a bridge's
/// timestamp, MCP's `_meta`. A call that is repeated has the same.
/// Requires: has_members(), and the payload is an object.
std::uint64_t digest(Speech speech, std::string_view payload);

/// An empty reply to a request that was not read.
std::string made_up_reply(Speech speech, std::uint64_t id);

}  // namespace poolproof::wrap
