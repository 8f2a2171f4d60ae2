#pragma once

#include <string>

#include "harness/host/census.hpp"
#include "harness/host/child.hpp"

namespace poolproof::host {

/// A small process in a session of its own that outlives us just long enough: when our end of its
/// pipe closes (we ended, however), it kills every process that carries our token (kill_marked),
/// again and again until none is left, then exits. Neither parent-death signals nor process groups
/// reach grandchildren that left. It counts as a child of this process.
class Guardian {
 public:
  /// `program` is started as `program guardian --token TOKEN` with its stdin on the pipe. Ctrl-C
  /// does not reach it.
  /// With `Reach::processes` it is started with `--processes-only`, too.
  static Expected<Guardian, LaunchError> start(const std::string& program, const std::string& token,
                                               Reach reach = Reach::groups);

  Guardian(Guardian&&) noexcept;
  /// Tells it to sweep now and waits for its end (bounded: 10 s), then reaps it.
  ~Guardian();

  /// Ends the guardian without a sweep, and reaps it.
  void dismiss();

  [[nodiscard]] pid_t pid() const { return child_.pid; }

 private:
  explicit Guardian(Child child) : child_(std::move(child)) {}

  Child child_;
};

/// The guardian's own program: waits for end of stdin, sweeps, returns the exit code (0: none is
/// left). Only for a process of its own: closes every descriptor above 2 and ignores the signals
/// that ask to end.
int guardian_main(const std::string& token, Reach reach = Reach::groups);

/// A token no other run has: from the pid, the boot clock and the kernel's random device.
std::string new_token();

}  // namespace poolproof::host
