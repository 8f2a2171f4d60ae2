#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "harness/wire/framing.hpp"

namespace poolproof::wire {

/// What bytes on a worker's stdout most likely are, when they are not one sound frame.
enum class Misframing : std::uint8_t {
  newline_after,      ///< a sound frame, then a line break, as println leaves it
  text_after,         ///< a sound frame, then text
  frame_after,        ///< a sound frame, then another one
  bytes_after,        ///< a sound frame, then bytes that are neither
  counts_characters,  ///< the header counts characters (or UTF-16 units) and not bytes
  counts_header,      ///< the header counts itself, too
  frame_inside,       ///< another frame begins in the middle of this one
  little_endian,      ///< the length's bytes stand in the other order
  other_prefix,       ///< the length has another size
  varint,             ///< the length is a protobuf varint
  headers,            ///< Content-Length and other headers, as language servers write them
  json_line,          ///< JSON without any length
  no_newline,         ///< lines: JSON without the line break that ends a message
  several_lines,      ///< lines: one JSON text over more than one
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

/// Whether a frame with an object or a list of JSON may begin so. Nothing may begin one.
bool may_begin_message(const Framing& framing, std::string_view bytes);

}  // namespace poolproof::wire
