#pragma once

#include <cstdint>

#include <sys/types.h>

#include "harness/base/clock.hpp"

namespace poolproof::search {

/// What is seen of a process that carries out cases, at one moment.
struct JobSight {
  std::uint64_t at = 0;       ///< the case under way
  Duration processor_time{};  ///< what the process has used so far
  Duration watched{};         ///< since the look before, without the time in which nobody looked
  bool suspended = false;     ///< the process is stopped: it could not go on
};

/// Decides whether a process will never end the case under way. What counts is the processor time
/// that the case has taken: a process that is suspended (Ctrl-Z, a frozen container) or gets no
/// processor takes none, however late it is. One that takes none because it waits for what never
/// comes is given ten times as long by the clock.
class Standstill {
 public:
  explicit Standstill(Duration limit) : limit_(limit) {}

  /// Takes one look at the process. True: it is stuck.
  bool look(const JobSight& sight);

 private:
  Duration limit_;
  bool begun_ = false;
  std::uint64_t at_ = 0;
  Duration began_{};   ///< the processor time at which the case was first seen
  Duration waited_{};  ///< the time by the clock since then
};

/// The processor time of a living process. Zero if it can't be told.
Duration processor_time(pid_t pid);

}  // namespace poolproof::search
