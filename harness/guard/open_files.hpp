#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include <sys/types.h>

#include "harness/guard/facts.hpp"

/// What processes have open, as /proc shows it.
namespace poolproof::guard {

struct OpenFile {
  std::string target;  ///< such as `/dev/null` or `pipe:[4711]`
  bool reads = false;
  bool writes = false;
  /// Of a pidfd: whether its process has not been reaped yet
  bool is_of_living = false;
};

/// What a process has open, in no order; empty: we may not look, or it is gone.
std::vector<OpenFile> open_files(pid_t pid);
/// What one descriptor of a process is open on; empty: nothing.
std::string target_of(pid_t pid, int descriptor);

/// Whether a process has a stdin of its own, a pipe or a socket, and its parent holds the other end
/// of that or of its stdout; or it has a channel of Node's (NODE_CHANNEL_FD).
bool looks_like_worker(pid_t pid, pid_t parent);

/// For each process: how many of its descriptors are stale, and how many are open on the same
/// thing. The pipes in `outside` have an end outside these processes; `parents` has each one's
/// parent. The caller sets `at`.
std::map<pid_t, DescriptorLook> look_at(const std::map<pid_t, std::vector<OpenFile>>& files,
                                        const std::map<pid_t, pid_t>& parents,
                                        std::span<const std::string> outside);

}  // namespace poolproof::guard
