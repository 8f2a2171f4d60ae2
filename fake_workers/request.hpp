#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "harness/wire/speech.hpp"
#include "harness/wire/terse.hpp"

namespace poolproof::faults {

/// What JSON-RPC calls the reasons for an error.
enum class RpcError : std::int32_t {
  parse_error = -32700,
  invalid_request = -32600,
  method_not_found = -32601,
  invalid_params = -32602,
  server_error = -32000,
};

/// One request as a worker reads it. Never refused: what is wrong with it stands in `problem`.
struct Request {
  std::uint64_t number = 0;  ///< counted from 0 in each incarnation
  std::optional<std::int64_t> id;
  std::string text_id;     ///< JSON-RPC: an id that is a text, as JSON; empty: it is none
  std::string refused_id;  ///< a text or a number, as JSON, that the speech has for no id
  std::optional<std::string> command;
  std::optional<std::string> nonce;  ///< `client:call`, if the args carry one
  /// An object; null when there is a problem, or when a terse request's command looks at none.
  std::shared_ptr<const nlohmann::json> args;
  std::string terse_args;                     ///< terse: the same as text
  std::uint32_t pad_bytes = 0;                ///< terse
  std::string problem;                        ///< empty, or why it can't be obeyed
  RpcError code = RpcError::invalid_request;  ///< of the problem
  bool notification = false;                  ///< nobody waits for an answer, and it has no number
  bool tool_call = false;                     ///< mcp: its answer is wrapped as that of a tool
};

/// A fresh one, in the memory that it has.
void clear(Request& request);
/// In the place of the request that `into` was.
void read_request(std::string_view payload, std::uint64_t number, wire::Codec codec,
                  wire::Speech speech, Request& into);

}  // namespace poolproof::faults
