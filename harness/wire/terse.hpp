#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "harness/base/result.hpp"
#include "harness/wire/envelope.hpp"
#include "harness/wire/framing.hpp"

namespace poolproof::wire {

/// How a message is written inside its frame.
enum class Codec : std::uint8_t {
  json,   ///< what real workers speak: envelope.hpp
  terse,  ///< the same content in few bytes and steps, for simulations by the million
};

/// Terse messages: a tag, numbers of a fixed width in the machine's own order (both ends are in one
/// process), then the texts one after the other, then a pad of any bytes. A payload that is one
/// byte longer or shorter than its numbers say is no message: so a frame cut in the wrong place
/// never passes.
///
///   request  '?' id:8 command_size:1 nonce_size:1 args_size:4 pad_size:4  command nonce args pad
///   reply    '!' id:8 has_id:1 success:1 (2: neither) nonce_size:1 body_size:4 pad_size:4  nonce
///   body pad

struct TerseRequest {
  std::int64_t id = 0;
  std::string_view command;  ///< at most 255 bytes; the nonce likewise
  std::string_view nonce;    ///< empty: there is none
  std::string_view args;     ///< a JSON object, without nonce and pad
  std::uint32_t pad_bytes = 0;
};

struct TerseReply {
  std::optional<std::int64_t> id;
  std::optional<bool> success;
  std::string_view nonce;  ///< copied from the request
  std::string_view body;   ///< the result as JSON, or the error's text as JSON
  std::uint32_t pad_bytes = 0;
};

/// Appends the payload to `into`. Requires: command and nonce are at most 255 bytes.
void encode_terse(const TerseRequest& request, std::string& into);
void encode_terse(const TerseReply& reply, std::string& into);

/// The request as a frame. Error: no frame can hold it.
Expected<std::string, std::string> encode_frame(const Framing& framing,
                                                const TerseRequest& request);

/// The size of a reply whose texts and pad have `content_bytes` together.
std::size_t terse_reply_size(std::size_t content_bytes);

/// The message, with views into `payload`. Nothing if the payload is no such message.
std::optional<TerseRequest> read_terse_request(std::string_view payload);
std::optional<TerseReply> read_terse_reply(std::string_view payload);

/// Like decode_reply(), for a terse payload. The result itself is left out, except for its nonce
/// and for whether it is an object.
Expected<Reply, std::string> decode_terse_reply(std::string_view payload, std::int64_t expected_id);

}  // namespace poolproof::wire
