#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace poolproof::wrap {

/// The beginning of a message of jest-worker: a list that begins with a number.
struct JestMessage {
  std::int64_t what = 0;  ///< of the client 1: a call; of the worker 0 to 2: how one ended
  std::string name;       ///< of a call: what is called; empty: none
};

/// Reads it as JSON, or as V8 serializes it (Node's `serialization: "advanced"`, which is what
/// jest-worker asks for). Nothing: it is no such list.
std::optional<JestMessage> read_jest_message(std::string_view payload);

}  // namespace poolproof::wrap
