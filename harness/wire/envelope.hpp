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
  /// Not null if success. Always null with terse messages, which leave the result out.
  std::shared_ptr<const nlohmann::json> result;
  bool result_is_object = false;
  std::string nonce;  ///< the nonce that the result carries; empty: none
  std::string error;  ///< the worker's error text, if not success
};

/// JSON of one request. `args` must be an object; `timestamp` is copied as it is.
std::string encode_request(std::int64_t id, std::string_view command, const nlohmann::json& args,
                           std::string_view timestamp);

/// The reply to request `expected_id`, or one sentence, safe on a terminal, why the payload is
/// none. Bounded: JSON nested deeper than kMaxDepth is refused before a document is built. Errors
/// are also: bare NaN and Infinity, broken UTF-8, an id that is a string, a missing `success`,
/// success without `result`.
Expected<Reply, std::string> decode_reply(std::string_view payload, std::int64_t expected_id);

/// Like decode_reply(), but always parsed by nlohmann: a check for the fast reader of plain
/// replies.
Expected<Reply, std::string> decode_reply_in_full(std::string_view payload,
                                                  std::int64_t expected_id);

/// The text `nonce` of a result that is an object; empty if it has none.
std::string nonce_of(const nlohmann::json& result);

/// A value in a person's words, bounded: `the text "7"`, `an array`, `8`.
std::string described(const nlohmann::json& value);

inline constexpr int kMaxDepth = 128;

/// Parses JSON from an untrusted source. Limits the depth and never throws. A byte order mark is an
/// error. The error is one sentence with the byte offset.
Expected<nlohmann::json, std::string> parse_json(std::string_view text, int max_depth = kMaxDepth);

}  // namespace poolproof::wire
