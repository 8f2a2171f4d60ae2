#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "harness/wire/speech.hpp"

namespace poolproof::wire {

/// What the speeches that are JSON-RPC 2.0 have in common.

/// A request as JSON. `params` must be an object.
std::string rpc_request(std::int64_t id, std::string_view method, const nlohmann::json& params);

/// Reads a payload as a JSON-RPC message. `strict`: it must say `"jsonrpc": "2.0"`.
Heard hear_rpc(std::string_view payload, std::int64_t expected_id, bool strict);

/// What is wrong with the `error` of a message: it must be an object with a whole number as its
/// code, and a text as its message. Empty: nothing, or the message has no error.
std::string rpc_error_flaw(const nlohmann::json& message);

/// What is wrong with the capabilities in the result of `initialize`; empty: nothing.
std::string bad_capabilities(const nlohmann::json& result);

}  // namespace poolproof::wire
