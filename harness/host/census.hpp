#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace poolproof::host {

/// A process of a run, found by the token that it carries or by its descent.
struct Marked {
  pid_t pid = 0;
  char state = '?';  ///< as in /proc/PID/stat
  /// Clock ticks after boot: with the pid, a name no other process ever has.
  std::uint64_t started = 0;
  std::string command;  ///< its command line, printable
};

/// What the operating system says about this process, whatever the pool believes. In a process that
/// adopts orphans, those are not counted among its children and zombies: see descendants().
struct Census {
  std::uint32_t children = 0;  ///< living children of this process
  std::uint32_t zombies = 0;   ///< dead and not reaped
  std::uint32_t descriptors = 0;
  std::uint32_t threads = 0;
  bool operator==(const Census&) const = default;
};

Census take_census();

/// Every process whose environment has POOLPROOF_TOKEN equal to `token` or beginning with `token/`,
/// by pid. Leaves out this very process and its ancestors, and those that the system does not let
/// us look into: zombies (they have no environment any more) and other users' processes.
std::vector<Marked> processes_marked(std::string_view token);

/// Which processes a sweep kills beside those that carry the mark.
enum class Reach : std::uint8_t {
  groups,     ///< the whole group of a marked process that was not there in the first look
  processes,  ///< none: there may be processes in the group that are not ours
};

/// Kills every marked process (SIGKILL) until two looks in a row find none, or `rounds` looks were
/// made. Returns how many it killed, once they are dead (waits at most 5 s for that).
std::size_t kill_marked(std::string_view token, int rounds = 100, Reach reach = Reach::groups);

/// The living processes below this one, by pid, but for `spared` and those below it. In a process
/// that adopts orphans (sys::adopt_orphans) nobody below can hide, whatever it does to its session
/// and environment. Where they come and go too fast to be seen, those that have ended between the
/// last two looks stand for the others.
std::vector<Marked> descendants(pid_t spared);

/// Kills (SIGKILL) and reaps all that is below this process but for `spared` and those below it,
/// until a look finds none. Returns those that it found alive, in the order in which it killed
/// them. Requires: nobody holds one of them by a pidfd. Needs adopt_orphans().
std::vector<Marked> end_descendants(pid_t spared);

/// Reaps the adopted orphans that have ended, but for those that lead a group in our own session,
/// as workers do.
void reap_dead_orphans();

/// Remembers that this process has started that child. In a process that adopts orphans, a child
/// that leads a group and was not started here counts as an orphan.
void note_started(pid_t child);

/// Whether the process with this pid and start time still runs (a zombie does not).
bool alive(pid_t pid, std::uint64_t started);

}  // namespace poolproof::host
