#include <algorithm>
#include <optional>
#include <set>
#include <signal.h>
#include <string_view>
#include <unistd.h>
#include <utility>
#include <vector>

#include "harness/host/census.hpp"
#include "harness/host/proc_fs.hpp"
#include "harness/host/system.hpp"

namespace poolproof::host {
namespace {

using proc_fs::Stat;
using proc_fs::TokenMark;

constexpr Duration kPause = std::chrono::milliseconds(2);
constexpr Duration kDeathLimit = std::chrono::seconds(5);
constexpr int kQuietLooks = 2;
constexpr int kUnsureLooks = 10;

/// A pidfd of exactly this process, or nothing if it is gone.
std::optional<Descriptor> hold(pid_t pid, std::uint64_t started) {
  sys::Try<Descriptor> pidfd = sys::pidfd_open(pid);
  // Only now is the process held: before, its pid could have passed to another one.
  if (!pidfd || !alive(pid, started)) return std::nullopt;
  return std::move(*pidfd);
}

/// Looks through all processes and kills the marked ones, again and again.
class Sweep {
 public:
  Sweep(std::string_view token, Reach reach)
      : token_(token), reach_(reach), spared_(proc_fs::own_line()) {}

  /// What one look through all processes came to.
  enum class Look : std::uint8_t { found, unsure, quiet };
  Look look();
  void wait_for_deaths() const;
  [[nodiscard]] std::size_t killed() const { return killed_.size(); }

 private:
  void kill_one(pid_t pid);

  std::string_view token_;
  Reach reach_;
  std::set<pid_t> spared_;
  std::set<pid_t> blank_;  ///< those without an environment in the last look
  std::set<std::pair<pid_t, std::uint64_t>> killed_;
  bool first_look_ = true;
};

Sweep::Look Sweep::look() {
  bool found = false;
  bool unsure = false;
  std::set<pid_t> blank;
  const std::vector<pid_t> pids = proc_fs::all_pids();
  // The newest first, and killed at once: a process that forks and exits all the time lives
  // briefly.
  for (auto pid = pids.rbegin(); pid != pids.rend(); ++pid) {
    if (spared_.contains(*pid)) continue;
    const TokenMark mark = proc_fs::mark_of(*pid, token_);
    if (mark == TokenMark::carried) {
      found = true;
      kill_one(*pid);
    }
    if (mark == TokenMark::blank) blank.insert(*pid);
    // Such a process may have been ours: it may have left a child behind, or be about to show its
    // mark.
    unsure =
        unsure || mark == TokenMark::gone || (mark == TokenMark::blank && !blank_.contains(*pid));
  }
  blank_ = std::move(blank);
  first_look_ = false;
  if (found) return Look::found;
  return unsure ? Look::unsure : Look::quiet;
}

void Sweep::kill_one(pid_t pid) {
  const std::optional<Stat> stat = proc_fs::read_stat(pid);
  if (!stat || stat->dead()) return;
  const auto pidfd = hold(pid, stat->started);
  if (!pidfd) return;
  // A marked process in a later look came from a fork since. Only a whole group, which is killed at
  // one stroke, can't go on forking. Our own group is never killed.
  if (reach_ == Reach::groups && !first_look_ && stat->group > 1 && stat->group != ::getpgrp()) {
    static_cast<void>(sys::signal_group(stat->group, SIGKILL));
  }
  if (sys::signal_process(pidfd->get(), SIGKILL)) killed_.emplace(pid, stat->started);
}

void Sweep::wait_for_deaths() const {
  const Time end = after(sys::now(), kDeathLimit);
  for (const auto& [pid, started] : killed_) {
    const auto pidfd = hold(pid, started);
    if (!pidfd) continue;
    (void)sys::poll_one(pidfd->get(), POLLIN, std::max(end - sys::now(), Duration::zero()));
  }
}

}  // namespace

std::size_t kill_marked(std::string_view token, int rounds, Reach reach) {
  Sweep sweep(token, reach);
  int quiet = 0;
  int unsure = 0;
  for (int round = 0; round < rounds && quiet < kQuietLooks; ++round) {
    const std::size_t before = sweep.killed();
    const Sweep::Look look = sweep.look();
    // Bounded: on a busy machine some process always comes or goes, so that a look may never be
    // sure.
    const bool still_unsure = look == Sweep::Look::unsure && ++unsure <= kUnsureLooks;
    quiet = look == Sweep::Look::found || still_unsure ? 0 : quiet + 1;
    if (sweep.killed() == before) static_cast<void>(sys::poll({}, kPause));
  }
  sweep.wait_for_deaths();
  return sweep.killed();
}

}  // namespace poolproof::host
