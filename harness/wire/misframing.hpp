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
  bytes_after,    ///< a sound frame, then bytes that are neither
  counts_characters,  ///< the header counts characters (or UTF-16 units) and not bytes
  counts_header,      ///< the header counts itself, too
  wrong_length,       ///< the header says another number of bytes than the JSON behind it has
  text_inside,        ///< text stands between a header and its payload
  frame_inside,       ///< another frame begins in the middle of this one
  little_endian,      ///< the length's bytes stand in the other order
  other_prefix,       ///< the length has another size
  varint,             ///< the length is a protobuf varint
  headers,            ///< Content-Length and other headers, as language servers write them
  bad_header,         ///< headers: they say no length, or break a rule of theirs
  json_line,          ///< JSON without any length
  byte_order_mark,    ///< JSON behind a byte order mark
  no_newline,         ///< lines: JSON without the line break that ends a message
  several_lines,      ///< lines: one JSON text over more than one
  several_texts,      ///< lines: more than one JSON text in one
  broken_json,        ///< lines: one that begins as JSON and is none
  text_then_frame,    ///< text, then a sound frame
  text,               ///< nothing but text
};

struct Suspicion {
  Misframing kind;
  std::string words;  ///< a noun phrase, safe on a terminal, with the numbers that show it
};

/// Looks for the rule that `bytes`, all that came since a request, break. A frame is sound if its
/// payload is JSON. Nothing: they are one sound frame, its beginning, or nothing known. At most the
/// first 4 MiB are looked at.
std::optional<Suspicion> suspect(const Framing& framing, std::string_view bytes);

/// What came first is one sound frame; what it says is another question.
bool first_is_sound(Misframing kind);

/// JSON without what stands in front of it on this wire, in words: `JSON without a length prefix`.
std::string without_header(const Framing& framing);

/// The first object or list of JSON anywhere near the beginning; empty: there is none.
std::string_view first_document(std::string_view bytes);

/// What came behind the messages at the beginning that a worker may say unasked in this speech.
std::string_view behind_unasked(const Framing& framing, Speech speech, std::string_view bytes);

/// Whether a frame with an object or a list of JSON may begin so. Nothing may begin one.
bool may_begin_message(const Framing& framing, std::string_view bytes);

}  // namespace poolproof::wire
