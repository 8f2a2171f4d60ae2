#include "harness/host/census.hpp"

#include <algorithm>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <unistd.h>
#include <utility>

#include "harness/host/proc_fs.hpp"
#include "harness/host/system.hpp"

namespace poolproof::host {

using proc_fs::Stat;
using proc_fs::TokenMark;

namespace {

/// The children that launch() has started, with their start times. This is the launcher's own
/// record: so a child that the pool has lost does not pass for an orphan.
class StartedHere {
 public:
  void add(pid_t child, std::uint64_t started) {
    constexpr std::size_t kKeptAtLeast = 64;
    const std::lock_guard lock(mutex_);
    if (children_.size() >= most_) {
      std::erase_if(children_, [](const auto& one) { return !alive(one.first, one.second); });
      most_ = std::max(kKeptAtLeast, 2 * children_.size());
    }
    children_.emplace(child, started);
  }
  [[nodiscard]] bool has(pid_t child, std::uint64_t started) const {
    const std::lock_guard lock(mutex_);
    return children_.contains({child, started});
  }

 private:
  mutable std::mutex mutex_;
  std::set<std::pair<pid_t, std::uint64_t>> children_;
  std::size_t most_ = 0;
};

StartedHere& started_here() {
  static StartedHere children;
  return children;
}

/// Tells the children that this process started from orphans that it adopted. A child that it
/// started is in its session, and leads a group or is in that of this process.
class Adoption {
 public:
  /// Like is_adopted_orphan(), but a leader of a group that is not known as started here is one,
  /// too. Requires: no start is under way.
  [[nodiscard]] bool is_surely_adopted_orphan(pid_t child, const Stat& stat) const {
    const bool leads = stat.group == child && child != group_;
    const bool unknown = adopts_ && leads && !started_here().has(child, stat.started);
    return unknown || is_adopted_orphan(child, stat);
  }
  [[nodiscard]] bool is_adopted_orphan(pid_t child, const Stat& stat) const {
    const bool grouped = stat.group == child || stat.group == group_;
    return adopts_ && (stat.session != session_ || !grouped);
  }

 private:
  bool adopts_ = sys::adopts_orphans();
  pid_t session_ = ::getsid(0);
  pid_t group_ = ::getpgrp();
};

Marked marked(pid_t pid, const Stat& stat) {
  return {pid, stat.state, stat.started, proc_fs::command_of(pid, stat)};
}

/// Processes below this one, by pid and start time.
using Below = std::map<std::pair<pid_t, std::uint64_t>, Stat>;

/// Whether both looks saw the same processes, and none has died in between.
bool same(const Below& one, const Below& other) {
  return std::ranges::equal(one, other, [](const auto& left, const auto& right) {
    return left.first == right.first && left.second.dead() == right.second.dead();
  });
}

/// Looks once at all processes below this one, except `spared` and those below it.
Below look_below(pid_t spared) {
  std::map<pid_t, Stat> stats;
  for (const pid_t pid : proc_fs::all_pids()) {
    if (const std::optional<Stat> stat = proc_fs::read_stat(pid)) stats.emplace(pid, *stat);
  }
  const auto is_below = [&](pid_t pid) {
    // Bounded: with a pid that is used again, the parents of a process might make a circle.
    for (std::size_t steps = 0; steps < stats.size() && pid != spared; ++steps) {
      const auto found = stats.find(pid);
      if (found == stats.end()) return false;
      pid = found->second.parent;
      if (pid == ::getpid()) return true;
    }
    return false;
  };
  Below below;
  for (const auto& [pid, stat] : stats) {
    if (is_below(pid)) below.emplace(std::pair(pid, stat.started), stat);
  }
  return below;
}

}  // namespace

Census take_census() {
  Census census;
  const pid_t self = ::getpid();
  const Adoption adoption;
  for (const pid_t pid : proc_fs::all_pids()) {
    const std::optional<Stat> stat = proc_fs::read_stat(pid);
    if (!stat || stat->parent != self || adoption.is_surely_adopted_orphan(pid, *stat)) continue;
    ++(stat->dead() ? census.zombies : census.children);
  }
  // One is open for this very count.
  census.descriptors = proc_fs::count_entries("/proc/self/fd") - 1;
  census.threads = proc_fs::own_threads();
  return census;
}

std::vector<Marked> processes_marked(std::string_view token) {
  std::vector<Marked> found;
  const std::set<pid_t> spared = proc_fs::own_line();
  for (const pid_t pid : proc_fs::all_pids()) {
    if (spared.contains(pid) || proc_fs::mark_of(pid, token) != TokenMark::carried) continue;
    const std::optional<Stat> stat = proc_fs::read_stat(pid);
    if (!stat || stat->dead()) continue;
    found.push_back(marked(pid, *stat));
  }
  return found;
}

std::vector<Marked> descendants(pid_t spared) {
  // A process that forks and ends within a look may be missed, and its child, too; then the next
  // look differs.
  constexpr int kLooksMost = 5;
  Below before = look_below(spared);
  Below now = look_below(spared);
  for (int looks = 2; looks < kLooksMost && !same(before, now); ++looks) {
    before = std::exchange(now, look_below(spared));
  }
  const bool settled = same(before, now);
  std::vector<Marked> found;
  for (const auto& [name, stat] : now) {
    const auto earlier = before.find(name);
    const bool was_dead = earlier != before.end() && earlier->second.dead();
    if (stat.dead() && (settled || was_dead)) continue;
    found.push_back(marked(name.first, stat));
  }
  return found;
}

std::vector<Marked> end_descendants(pid_t spared) {
  std::vector<Marked> ended;
  for (bool found = true; found;) {
    found = false;
    for (const pid_t pid : proc_fs::all_pids()) {
      const std::optional<Stat> stat = proc_fs::read_stat(pid);
      if (pid == spared || !stat || stat->parent != ::getpid()) continue;
      if (!stat->dead()) ended.push_back(marked(pid, *stat));
      sys::kill_and_reap(pid);  // its children are ours in the next round
      found = true;
    }
  }
  return ended;
}

void note_started(pid_t child) {
  if (!sys::adopts_orphans()) return;
  if (const std::optional<Stat> stat = proc_fs::read_stat(child)) {
    started_here().add(child, stat->started);
  }
}

void reap_dead_orphans() {
  const Adoption adoption;
  for (const pid_t pid : proc_fs::all_pids()) {
    const std::optional<Stat> stat = proc_fs::read_stat(pid);
    if (!stat || stat->parent != ::getpid() || !stat->dead()) continue;
    if (adoption.is_adopted_orphan(pid, *stat)) sys::kill_and_reap(pid);
  }
}

bool alive(pid_t pid, std::uint64_t started) {
  const std::optional<Stat> stat = proc_fs::read_stat(pid);
  return stat && stat->started == started && !stat->dead();
}

}  // namespace poolproof::host
