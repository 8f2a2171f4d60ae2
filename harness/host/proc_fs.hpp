#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include "harness/base/clock.hpp"

/// Reading /proc: what census and sweep share.
namespace poolproof::host::proc_fs {

/// What /proc/PID/stat says. Where the main thread has ended and others run (the kernel shows `Zl`)
/// `state` and `flags` are those of one that lives: such a process is not dead.
struct Stat {
  std::string name;
  char state = '?';
  pid_t parent = 0;
  pid_t group = 0;
  pid_t session = 0;
  std::uint32_t flags = 0;    ///< the kernel's PF_* bits
  std::uint32_t threads = 0;  ///< threads that the kernel has not taken off its list yet
  std::uint64_t started = 0;  ///< clock ticks after boot

  [[nodiscard]] bool stopped() const { return state == 'T' || state == 't'; }
  [[nodiscard]] bool dead() const { return state == 'Z' || state == 'X'; }
  /// Whether the end of it has begun. Source: PF_EXITING in Linux's include/linux/sched.h.
  [[nodiscard]] bool exiting() const { return (flags & 0x4U) != 0; }
  /// Whether it is a thread of the kernel, which nobody here has started. Source: PF_KTHREAD there.
  [[nodiscard]] bool of_kernel() const { return (flags & 0x200000U) != 0; }
};

/// What /proc/PID/stat says. Nothing if there is no such process.
std::optional<Stat> read_stat(pid_t pid);

/// The folder that shows the memory, environment and descriptors of a process, with a slash at the
/// end: `/proc/PID/`, or, since a main thread that has ended shows none, that of a thread that
/// lives.
std::string living_folder(pid_t pid);

/// The resident memory of a process, without that of its children. 0: there is no such process, or
/// the system does not tell.
std::uint64_t resident_bytes(pid_t pid);

/// How long the process's threads have run on a processor or waited for one, together, in
/// nanoseconds: what it wants of the machine, however loaded that is. 0 if it can't be told.
std::uint64_t cpu_demand(pid_t pid);
/// That demand as a share of one processor, in percent, if it came up within `span`.
int percent_of(std::uint64_t demand, Duration span);

/// The pids of all processes, rising. Asserts that /proc can be read: a witness that can't see must
/// not say that nobody is there.
std::vector<pid_t> all_pids();

/// This process and all its ancestors.
std::set<pid_t> own_line();

/// The number of threads of this process. A thread that has just been joined may still be on the
/// kernel's list; it does not count.
std::uint32_t own_threads();

/// The number of entries of a folder.
std::uint32_t count_entries(const char* folder);

/// A process's command line, arguments parted by spaces; its name in parentheses if it has none.
std::string command_of(pid_t pid, const Stat& stat);

enum class TokenMark : std::uint8_t {
  none,
  carried,
  blank,  ///< no environment to see: between two programs, dead, or it has none
  gone,
};

/// Does the process carry POOLPROOF_TOKEN equal to `token` or beginning with `token/`? One that we
/// may not look into counts as `none`.
TokenMark mark_of(pid_t pid, std::string_view token);

}  // namespace poolproof::host::proc_fs
