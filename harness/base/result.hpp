#pragma once

#include <string>
#include <utility>

#include <tl/expected.hpp>

namespace poolproof {

/// A value, or the reason why there is none. (clang 14 does not see `std::expected`.)
template <class T, class E>
using Expected = tl::expected<T, E>;

using tl::unexpected;

/// What is wrong with something a person gave us: a scenario, a trace, a command line.
///
/// The program prints `where: what; want` as one line and exits with 64.
struct InputError {
  std::string where;  ///< file and JSON pointer, or the option: `seed/x.json#/pool/size`
  std::string what;   ///< what is there: `unknown key "sise"`
  std::string want;   ///< what would be right: `did you mean "size"?`

  [[nodiscard]] std::string line() const {
    return where + ": " + what + (want.empty() ? "" : "; " + want);
  }
};

template <class T>
using Parsed = Expected<T, InputError>;

}  // namespace poolproof
