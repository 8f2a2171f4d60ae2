#include "harness/search/processors.hpp"

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <sched.h>
#include <sstream>
#include <string_view>
#include <thread>
#include <vector>

namespace poolproof::search {
namespace {

/// More than any machine has.
constexpr std::size_t kProcessorsMost = std::size_t{1} << 20U;

/// The number of processors in our affinity. 0: it can't be told.
std::uint32_t processors_of_affinity() {
  // The kernel refuses a set that is too small for the machine.
  for (std::size_t most = CPU_SETSIZE; most <= kProcessorsMost; most *= 2) {
    std::vector<cpu_set_t> set(most / CPU_SETSIZE);
    const std::size_t bytes = set.size() * sizeof(cpu_set_t);
    if (::sched_getaffinity(0, bytes, set.data()) == 0) {
      return static_cast<std::uint32_t>(CPU_COUNT_S(bytes, set.data()));
    }
    if (errno != EINVAL) break;
  }
  return 0;
}

std::string first_line(const std::string& file) {
  std::string line;
  std::ifstream in(file);
  std::getline(in, line);
  return line;
}

/// Whole processors for a quota in a period, both in microseconds. 0: no limit ("max" or -1).
std::uint32_t processors_for(const std::string& quota, const std::string& period) {
  std::istringstream text(quota + " " + period);
  std::int64_t most = 0;
  std::int64_t of = 0;
  if (!(text >> most >> of) || most <= 0 || of <= 0) return 0;
  const std::int64_t whole = most / of + (most % of > 0 ? 1 : 0);
  return static_cast<std::uint32_t>(std::min(whole, static_cast<std::int64_t>(kProcessorsMost)));
}

/// The limit that one group's folder sets, in either version.
std::uint32_t limit_in(const std::string& folder) {
  const std::string both = first_line(folder + "/cpu.max");
  if (const auto space = both.find(' '); space != std::string::npos) {
    return processors_for(both.substr(0, space), both.substr(space + 1));
  }
  return processors_for(first_line(folder + "/cpu.cfs_quota_us"),
                        first_line(folder + "/cpu.cfs_period_us"));
}

std::uint32_t smaller(std::uint32_t a, std::uint32_t b) {
  if (a == 0 || b == 0) return std::max(a, b);
  return std::min(a, b);
}

/// The smallest limit from the group `path` up to the root of the hierarchy. In a container the
/// path may be one that only the host knows: no folder is there, and the root is our own group.
std::uint32_t limit_of_line(const std::string& hierarchy, std::string path) {
  std::uint32_t limit = limit_in(hierarchy);
  while (!path.empty() && path != "/") {
    limit = smaller(limit, limit_in(hierarchy + path));
    path.resize(path.rfind('/') == std::string::npos ? 0 : path.rfind('/'));
  }
  return limit;
}

bool names_cpu(const std::string& controllers) {
  std::istringstream list(controllers);
  for (std::string one; std::getline(list, one, ',');) {
    if (one == "cpu") return true;
  }
  return false;
}

}  // namespace

std::uint32_t cgroup_processors(const std::string& root) {
  const std::string mounts = root + "/sys/fs/cgroup";
  std::uint32_t limit = 0;
  std::ifstream groups(root + "/proc/self/cgroup");
  // `0::/path` (version 2) or `4:cpu,cpuacct:/path` (version 1).
  for (std::string line; std::getline(groups, line);) {
    const auto first = line.find(':');
    const auto second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const std::string path = line.substr(second + 1);
    if (controllers.empty()) {
      limit = smaller(limit, limit_of_line(mounts, path));
      limit = smaller(limit, limit_of_line(mounts + "/unified", path));
    } else if (names_cpu(controllers)) {
      limit = smaller(limit, limit_of_line(mounts + "/" + controllers, path));
      limit = smaller(limit, limit_of_line(mounts + "/cpu", path));
    }
  }
  return limit;
}

std::uint32_t usable_processors() {
  std::uint32_t here = processors_of_affinity();
  if (here == 0) here = std::thread::hardware_concurrency();
  return std::max(1U, smaller(here, cgroup_processors()));
}

}  // namespace poolproof::search
