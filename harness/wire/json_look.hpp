#pragma once

#include <cstdint>
#include <string_view>

namespace poolproof::wire {

/// How far a text is an object or a list of JSON, by its beginning. Log lines begin with brackets,
/// too: `[Info] up` and `{name} started` are no JSON.
enum class JsonLook : std::uint8_t {
  other,      ///< a text that no JSON begins with
  beginning,  ///< all that is there may be the beginning of one, or is one
  meant,      ///< a key and its colon are there: it is meant as JSON, and breaks its rules later
};

/// Looks at the first 4 KiB at most.
JsonLook json_look(std::string_view text);

}  // namespace poolproof::wire
