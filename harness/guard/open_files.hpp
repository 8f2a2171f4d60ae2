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
  std::string target;  ///< `/dev/null`, `pipe:[4711]`
  bool reads = false;
  bool writes = false;
};

/// Its descriptors' targets in no order; none if we may not look or it is gone.
std::vector<OpenFile> open_files(pid_t pid);
/// What one of its descriptors is open on; empty: nothing.
std::string target_of(pid_t pid, int descriptor);

/// Its stdin is a pipe or a socket of its own, and its parent has the other end of that or of its
/// stdout; or it has a channel of Node's (NODE_CHANNEL_FD).
bool looks_like_worker(pid_t pid, pid_t parent);

/// Of each process how many descriptors are stale, and how many are open on the same thing. Of
/// pipes in `outside` the other end is elsewhere. `at` is left to the caller.
std::map<pid_t, DescriptorLook> look_at(const std::map<pid_t, std::vector<OpenFile>>& files,
                                        std::span<const std::string> outside);

}  // namespace poolproof::guard
