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
  std::string program;  ///< the path of the program
  std::vector<std::string> argv;
  std::vector<std::string> env;       ///< the whole environment
  std::optional<Duration> limit;      ///< the limit for the whole run
  std::optional<Duration> end_limit;  ///< the limit for the time after its last output
  std::string marks;                  ///< a file: the program writes `idle`, `busy`, `end` there
  std::string journals;               ///< a folder: a new line in it is a sign of life, too
};

/// The limit for the time after the mark `end`, when no other limit is given.
inline constexpr Duration kEndLimit = std::chrono::seconds(10);

/// Runs the command to its end, watches all processes below this one, and puts away what is left.
/// The facts do not have what only journals and the plan tell.
///
/// Requires: one thread; this process has been forked from `front` (front.hpp) for nothing else,
/// and adopts orphans. If the front ends, all that is below this process is killed, and it exits.
/// Error: the errno with which the command could not be started.
Expected<Facts, int> watch(const Command& command, pid_t front);

}  // namespace poolproof::guard
