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

/// The codes that JSON-RPC has for errors.
enum class RpcError : std::int32_t {
  parse_error = -32700,
  invalid_request = -32600,
  method_not_found = -32601,
  invalid_params = -32602,
  server_error = -32000,
};

/// One request as a worker reads it. A bad one is kept, too: `problem` says what is wrong with it.
struct Request {
  std::uint64_t number = 0;  ///< counted from 0 in each incarnation
  std::optional<std::int64_t> id;
  std::string text_id;  ///< JSON-RPC: the id as JSON, if it is a text; empty: it is not
  /// The id as JSON, if it is a text or number that this speech does not accept
  std::string refused_id;
  std::optional<std::string> command;
  std::optional<std::string> nonce;  ///< `client:call`, if the args carry one
  /// An object; null if there is a problem, or if a terse request's command does not look at its
  /// args.
  std::shared_ptr<const nlohmann::json> args;
  std::string terse_args;                     ///< terse: the args as text
  std::uint32_t pad_bytes = 0;                ///< terse: the size of the request's pad
  std::string problem;                        ///< why it can't be obeyed; empty: it can
  RpcError code = RpcError::invalid_request;  ///< the error code of the problem
  bool early = false;         ///< it began to come before the answer before it was out
  bool notification = false;  ///< nobody waits for an answer, and it is not numbered
  bool tool_call = false;  ///< mcp: a tool is called, and the answer is wrapped as a tool's result
};

/// Resets a request to a fresh one, and reuses its memory.
void clear(Request& request);
/// Reads a request into `into`, in place of the request there.
void read_request(std::string_view payload, std::uint64_t number, wire::Codec codec,
                  wire::Speech speech, Request& into);

}  // namespace poolproof::faults
