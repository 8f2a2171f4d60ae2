#pragma once

#include <functional>
#include <span>
#include <string>

#include "harness/base/result.hpp"

namespace poolproof::wrap {

/// How the program that contains `wrap` reports problems.
struct Voice {
  std::function<void(const std::string&)> say;
  std::function<int(const std::string&)> bad_input;  ///< reports bad input; returns the exit code
  /// Reports trouble of our own; returns the exit code
  std::function<int(const std::string&)> broken;
};

/// Carries out `wrap` with the words behind it. `own_program` can be started as `own_program
/// guardian --token TOKEN --processes-only`. Returns only for help and for errors; otherwise this
/// process ends as its worker does.
int wrap(std::span<const char* const> words, const std::string& own_program, const Voice& voice);

}  // namespace poolproof::wrap
