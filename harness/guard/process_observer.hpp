#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "harness/base/clock.hpp"
#include "harness/guard/facts.hpp"
#include "harness/host/census.hpp"
#include "harness/host/descriptor.hpp"
#include "harness/host/proc_fs.hpp"

namespace poolproof::guard {

/// Looks now and then at all processes below this one, and keeps what it has seen. This process
/// must adopt orphans, and tell of every child that it reaps.
class ProcessObserver {
 public:
  explicit ProcessObserver(Time begun);

  /// Sets the guarded program: our child.
  void set_host(pid_t host) { host_ = host; }
  /// Looks which processes are there. Returns how many have come or gone since the last look.
  std::size_t look(Time now);
  /// A descriptor that is readable when a known process has ended. Then note_ends() notes the time,
  /// which is nearer to the truth than that of the next look.
  [[nodiscard]] int ends() const { return ends_.get(); }
  void note_ends(Time now);
  /// Looks at the descriptors of all known processes.
  void look_at_descriptors(Time now);
  /// Notes that a child of ours, own or adopted, has ended and was reaped.
  void reaped(pid_t pid, ExitStatus exit, Time now);

  void begin_idle(Time now);
  void end_idle();

  /// The processes of the last look.
  [[nodiscard]] std::vector<pid_t> pids() const;
  /// The processes that live below us at this moment, by a look of its own that misses none.
  [[nodiscard]] std::vector<Process> living() const;
  /// What is known of a process that the host room has found; it may be gone already.
  [[nodiscard]] Process process_of(const host::Marked& one) const;
  [[nodiscard]] Address address_of(pid_t pid) const;
  /// Moves what was seen into `facts`.
  void finish(Facts& facts);

 private:
  struct Known {
    Process process;
    std::uint64_t ticks = 0;  ///< its start time, which tells it from other processes of its pid
    int looks = 0;
    std::optional<Duration> ended{};  ///< when it ended, as note_ends() was told
    /// When a look saw it dead, waiting to be reaped by another process
    std::optional<Duration> dead_since{};
    host::Descriptor pidfd;
  };
  /// What a process had used at some time, in nanoseconds and bytes.
  struct Usage {
    Duration at{};
    std::uint64_t ticks = 0;
    std::uint64_t demand = 0;  ///< processor time used or waited for, in nanoseconds
    std::uint64_t used = 0;    ///< processor time, in nanoseconds
    std::uint64_t resident = 0;
    Duration read{};  ///< when all of this had been read
  };

  [[nodiscard]] Duration since_begin(Time now) const { return now - begun_; }
  [[nodiscard]] Duration started_after(std::uint64_t ticks) const;
  [[nodiscard]] Process first_seen(pid_t pid, const host::proc_fs::Stat& stat) const;
  [[nodiscard]] Usage usage_of(pid_t pid, const Known& known) const;
  std::size_t meet_strangers(const std::vector<pid_t>& pids, Duration at);
  bool admit(pid_t pid, const host::proc_fs::Stat& stat, Duration at);
  static void learn_command(Known& known, const host::proc_fs::Stat& stat);
  void look_closer(Known& known, const host::proc_fs::Stat& stat);
  std::size_t look_again(Duration at);
  void note_dead(Known& known, const host::proc_fs::Stat& stat, Duration at) const;
  void forget(Known& known, Duration at, std::optional<ExitStatus> exit);

  Time begun_;
  pid_t self_;
  pid_t host_ = 0;
  std::uint64_t own_ticks_ = 0;
  host::Descriptor ends_;  ///< an epoll of the pidfds of all known processes
  std::map<pid_t, Known> known_;
  /// Sorted pids of processes that are not below us, and never will be
  std::vector<pid_t> strangers_;
  std::vector<Process> over_;
  std::size_t reaped_ = 0;  ///< how many children of ours have been reaped since the last look
  std::vector<Zombie> zombies_;
  std::map<pid_t, Descriptors> descriptors_;
  std::vector<std::string> outside_;  ///< what our own descriptors are open on
  bool is_idle_ = false;
  std::map<pid_t, Usage> usage_;
  std::vector<IdleStretch> idle_;
};

}  // namespace poolproof::guard
