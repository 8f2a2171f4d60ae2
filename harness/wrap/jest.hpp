#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace poolproof::wrap {

/// The beginning of a message of jest-worker: a list that begins with a number.
struct JestMessage {
  /// From the client: 1 is a call; from the worker: 0 to 2 is how a call ended
  std::int64_t what = 0;
  std::string name;  ///< the name of what is called; empty: there is none
};

/// Reads such a message from JSON, or from V8's own format (Node's `serialization: "advanced"`,
/// which jest-worker asks for). Nothing: it is no list that begins with a number.
std::optional<JestMessage> read_jest_message(std::string_view payload);

}  // namespace poolproof::wrap
