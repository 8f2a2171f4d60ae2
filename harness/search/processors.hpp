#pragma once

#include <cstdint>
#include <string>

namespace poolproof::search {

/// The number of processors that this process may keep busy: those of its affinity, but no more
/// than the quota of its control groups (rounded up) allows. At least 1.
std::uint32_t usable_processors();

/// The quota of this process's control groups in processors, rounded up: the smallest of its own
/// group and those above. 0: no limit. Reads `root`/proc/self/cgroup and `root`/sys/fs/cgroup, of
/// versions 1 and 2.
std::uint32_t cgroup_processors(const std::string& root = "");

}  // namespace poolproof::search
