#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace poolproof::host {

/// A process that carries a run's token.
struct Marked {
  pid_t pid = 0;
  char state = '?';  ///< as in /proc/PID/stat
  /// Clock ticks after boot: with the pid, a name no other process ever has.
  std::uint64_t started = 0;
  std::string command;  ///< its command line, printable
};

/// What the OS knows about this process. The witness that nobody can bribe. In a process that
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

/// Whom else a sweep kills.
enum class Reach : std::uint8_t {
  groups,     ///< whoever shares a group with a marked process that came late
  processes,  ///< nobody: others may be in the group who are not ours
};

/// Kills every marked process (SIGKILL) until two looks running find none, or `rounds` looks were
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

/// Remembers that this process has started that child. In a process that adopts orphans, a leader
/// of a group that was not started here is one.
void note_started(pid_t child);

/// A process is this one and still runs (same start time; not a zombie).
bool alive(pid_t pid, std::uint64_t started);

}  // namespace poolproof::host
