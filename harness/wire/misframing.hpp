#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "harness/wire/framing.hpp"
#include "harness/wire/speech_name.hpp"

namespace poolproof::wire {

/// What bytes on a worker's stdout most likely are, when they are not one sound frame.
enum class Misframing : std::uint8_t {
  newline_after,  ///< a sound frame, then a line break, as println leaves it; lines: an empty line
  text_after,     ///< a sound frame, then text
  frame_after,    ///< a sound frame, then another one
  bytes_after,    ///< a sound frame, then bytes that are neither text nor a frame
  counts_characters,  ///< the header counts characters (or UTF-16 units) and not bytes
  counts_header,      ///< the header counts itself, too
  wrong_length,       ///< the header says another number of bytes than the JSON behind it has
  text_inside,        ///< text stands between a header and its payload
  frame_inside,       ///< another frame begins in the middle of this one
  little_endian,      ///< the length's bytes stand in the other order
  other_prefix,       ///< the length has another number of bytes
  varint,             ///< the length is a protobuf varint
  headers,            ///< Content-Length and other headers, as language servers write them
  bad_header,         ///< headers that say no length, or break another rule of theirs
  json_line,          ///< JSON without any length
  utf16,              ///< JSON in UTF-16, or whatever else has a NUL in each character
  byte_order_mark,    ///< JSON behind a byte order mark
  no_newline,         ///< lines: JSON without the line break that ends a message
  several_lines,      ///< lines: one JSON text over more than one line
  several_texts,      ///< lines: more than one JSON text in one line
  broken_json,        ///< lines: a line that begins as JSON and is not valid
  text_then_frame,    ///< text, then a sound frame
  text,               ///< nothing but text
};

struct Suspicion {
  Misframing kind;
  std::string words;  ///< a noun phrase, safe on a terminal, with the numbers that show it
};

/// Looks for the rule that `bytes` break, which are all that came since a request. A frame is sound
/// if its payload is JSON. Nothing: the bytes are one sound frame or its beginning, or no known
/// rule explains them. At most the first 4 MiB are looked at.
std::optional<Suspicion> suspect(const Framing& framing, std::string_view bytes);

/// Whether the first frame is sound by this kind, and only what follows it is wrong.
bool first_is_sound(Misframing kind);

/// JSON without what stands in front of it on this wire, in words: `JSON without a length prefix`.
std::string without_header(const Framing& framing);

/// The first object or list of JSON anywhere near the beginning; empty: there is none.
std::string_view first_document(std::string_view bytes);

/// The rest of `bytes`, after the messages at their beginning that a worker may say unasked.
std::string_view behind_unasked(const Framing& framing, Speech speech, std::string_view bytes);

/// Whether `bytes` may be the beginning of a frame with a JSON object or list, whatever headers
/// stand first in it. Empty bytes may.
bool may_begin_message(const Framing& framing, std::string_view bytes);

}  // namespace poolproof::wire
