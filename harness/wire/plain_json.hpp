#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

namespace poolproof::wire {

struct Reply;

/// Most messages are plain: JSON of objects, lists, whole numbers, and texts of printable ASCII
/// without escapes. They are written and read here in a fraction of the time. Whatever is not plain
/// is left to nlohmann, and so is every error.

/// Appends what nlohmann's dump() would write, without spaces. Bytes that are not UTF-8 become
/// U+FFFD.
void append_json(std::string& into, const nlohmann::json& value);
void append_json_text(std::string& into, std::string_view text);

/// The reply to request `expected_id`, if it is plain and sound. Nothing: it is not plain or not a
/// reply; decode_reply_in_full() tells which.
std::optional<Reply> read_plain_reply(std::string_view payload, std::int64_t expected_id);

}  // namespace poolproof::wire
