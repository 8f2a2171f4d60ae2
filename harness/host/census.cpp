#include "harness/host/census.hpp"

#include <optional>
#include <set>
#include <unistd.h>

#include "harness/host/proc_fs.hpp"

namespace poolproof::host {

using proc_fs::Mark;
using proc_fs::Stat;

Census take_census() {
  Census census;
  const pid_t self = ::getpid();
  for (const pid_t pid : proc_fs::all_pids()) {
    const std::optional<Stat> stat = proc_fs::read_stat(pid);
    if (!stat || stat->parent != self) continue;
    ++(stat->dead() ? census.zombies : census.children);
  }
  census.descriptors = proc_fs::count_entries("/proc/self/fd") - 1;  // one is the look itself
  census.threads = proc_fs::own_threads();
  return census;
}

std::vector<Marked> processes_marked(std::string_view token) {
  std::vector<Marked> found;
  const std::set<pid_t> spared = proc_fs::own_line();
  for (const pid_t pid : proc_fs::all_pids()) {
    if (spared.contains(pid) || proc_fs::mark_of(pid, token) != Mark::carried) continue;
    const std::optional<Stat> stat = proc_fs::read_stat(pid);
    if (!stat || stat->dead()) continue;
    found.push_back({pid, stat->state, stat->started, proc_fs::command_of(pid, *stat)});
  }
  return found;
}

bool alive(pid_t pid, std::uint64_t started) {
  const std::optional<Stat> stat = proc_fs::read_stat(pid);
  return stat && stat->started == started && !stat->dead();
}

}  // namespace poolproof::host
