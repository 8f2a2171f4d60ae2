#pragma once

#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "harness/base/clock.hpp"
#include "harness/base/result.hpp"
#include "harness/guard/facts.hpp"

namespace poolproof::guard {

/// What is to be guarded, and for how long.
struct Command {
  std::string program;  ///< its path
  std::vector<std::string> argv;
  std::vector<std::string> env;       ///< all of it
  std::optional<Duration> limit;      ///< of its whole run
  std::optional<Duration> end_limit;  ///< of its life after its last output
  std::string marks;                  ///< a file: the program writes `idle`, `busy`, `end` there
  std::string journals;               ///< a folder: a line there is a sign of life, too
};

/// After its mark `end`, when no other limit is given.
inline constexpr Duration kEndLimit = std::chrono::seconds(10);

/// Runs the command to its end, watches all that is below this process, and puts away what is left.
/// The facts lack what journals and the plan tell.
///
/// Requires: one thread; this process has been forked from `front` (front.hpp) for nothing else,
/// and adopts orphans. If the front ends, all that is below this process is killed, and it exits.
/// Error: the errno with which the command could not be started.
Expected<Facts, int> watch(const Command& command, pid_t front);

}  // namespace poolproof::guard
