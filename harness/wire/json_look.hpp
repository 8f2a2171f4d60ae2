#pragma once

#include <cstdint>
#include <string_view>

namespace poolproof::wire {

/// Whether a text looks like a JSON object or list, judged by its beginning. Log lines begin with
/// brackets, too: `[Info] up` and `{name} started` are no JSON.
enum class JsonLook : std::uint8_t {
  other,      ///< not the beginning of any JSON object or list
  beginning,  ///< valid JSON so far, whole or not
  meant,      ///< broken JSON that is meant as such: it begins with a key and its colon
};

/// Looks at the first 4 KiB at most.
JsonLook json_look(std::string_view text);

}  // namespace poolproof::wire
