#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace poolproof::wire {

/// A member of an object as it is written.
struct Member {
  std::string_view key;  ///< in its quotes
  std::string value;
};

/// In their order. Requires: `json` is an object, and sound JSON.
std::vector<Member> members_of(std::string_view json);

}  // namespace poolproof::wire
