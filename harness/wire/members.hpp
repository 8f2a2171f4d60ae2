#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace poolproof::wire {

/// A member of a JSON object, as it is written.
struct Member {
  std::string_view key;  ///< with its quotes
  std::string value;
};

/// The members in their order. Requires: `json` is an object, and valid JSON.
std::vector<Member> members_of(std::string_view json);

}  // namespace poolproof::wire
