#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "harness/base/result.hpp"

namespace poolproof::wire {

/// The message inside a frame, as DSPex's Python bridge speaks it:
///   request {"id": int, "command": str, "args": object, "timestamp": iso8601}
///   ok      {"id": same, "success": true,  "result": any, "timestamp": any}
///   error   {"id": same, "success": false, "error": str, "timestamp": any}
/// Timestamps are never validated (Python sends a float epoch); a result may be any JSON value.

/// A reply that answers the request it was decoded for.
struct Reply {
  std::int64_t id = 0;
  bool success = false;
  std::shared_ptr<const nlohmann::json> result;  ///< never null when success (but see terse.hpp)
  bool result_is_object = false;
  std::string nonce;  ///< of a result that carries one
  std::string error;  ///< when not success
};

/// JSON of one request. `args` must be an object; `timestamp` is copied as it is.
std::string encode_request(std::int64_t id, std::string_view command, const nlohmann::json& args,
                           std::string_view timestamp);

/// Why a payload is not the reply to request `expected_id`: one sentence, safe on a terminal.
/// Bounded: JSON nested deeper than kMaxDepth is refused before a document is built. Bare NaN and
/// Infinity, broken UTF-8, a string id, a missing `success`, success without `result` are errors.
Expected<Reply, std::string> decode_reply(std::string_view payload, std::int64_t expected_id);

inline constexpr int kMaxDepth = 128;

/// Parses JSON from anyone: depth-limited, never throws. The error is one sentence with the byte
/// offset.
Expected<nlohmann::json, std::string> parse_json(std::string_view text, int max_depth = kMaxDepth);

}  // namespace poolproof::wire
