#pragma once

#include <cstdint>
#include <string>

namespace poolproof::search {

/// Why a sweep or an exploration was not carried out: one sentence.
struct SearchError {
  enum class Kind : std::uint8_t {
    input,   ///< something that was asked for is impossible
    locked,  ///< another one writes into the same folder
    killed,  ///< its processes are killed from outside, again and again
    broken,  ///< the harness itself can't go on
  };
  Kind kind = Kind::input;
  std::string line;
};

}  // namespace poolproof::search
