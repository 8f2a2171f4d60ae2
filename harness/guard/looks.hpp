#pragma once

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

/// Looks, now and then, at all processes below this one, and keeps what it has seen. It must adopt
/// orphans, and tell of every child that it reaps.
class Looks {
 public:
  explicit Looks(Time begun);

  /// The program that is guarded: our child.
  void set_host(pid_t host) { host_ = host; }
  /// One look at who is there. True: somebody came or went since the last one.
  bool look(Time now);
  /// Readable when somebody whom we know has ended; then note_ends() says when that was, which is
  /// nearer to the truth than the next look is.
  [[nodiscard]] int ends() const { return ends_.get(); }
  void note_ends(Time now);
  /// One look at everybody's descriptors.
  void look_at_descriptors(Time now);
  /// A child of ours, own or adopted, has ended and is reaped.
  void reaped(pid_t pid, ExitStatus exit, Time now);

  void begin_idle(Time now);
  void end_idle();

  /// Who was there in the last look.
  [[nodiscard]] std::vector<pid_t> pids() const;
  /// Who lives below us now, in a look of its own that misses nobody.
  [[nodiscard]] std::vector<Process> living() const;
  /// The same of one of whom the host room tells; it may be gone already.
  [[nodiscard]] Process process_of(const host::Marked& one) const;
  [[nodiscard]] Address address_of(pid_t pid) const;
  /// Moves what was seen into `facts`.
  void finish(Facts& facts);

 private:
  struct Known {
    Process process;
    std::uint64_t ticks = 0;  ///< its start time, which tells it from others of its pid
    int looks = 0;
    std::optional<Duration> ended{};       ///< as note_ends() was told
    std::optional<Duration> dead_since{};  ///< a look saw it dead, and somebody else is to reap it
    host::Descriptor pidfd;
  };
  /// What a process had used at some time.
  struct Usage {
    Duration at{};
    std::uint64_t ticks = 0;
    std::uint64_t demand = 0;  ///< nanoseconds
    std::uint64_t used = 0;    ///< nanoseconds
    std::uint64_t resident = 0;
    Duration read{};  ///< when all that was read
  };

  [[nodiscard]] Duration since_begin(Time now) const { return now - begun_; }
  [[nodiscard]] Duration started_after(std::uint64_t ticks) const;
  [[nodiscard]] Process first_seen(pid_t pid, const host::proc_fs::Stat& stat) const;
  [[nodiscard]] Usage usage_of(pid_t pid, const Known& known) const;
  bool meet_strangers(const std::vector<pid_t>& pids, Duration at);
  bool admit(pid_t pid, const host::proc_fs::Stat& stat, Duration at);
  void look_closer(Known& known, const host::proc_fs::Stat& stat);
  bool look_again(Duration at);
  void note_dead(Known& known, const host::proc_fs::Stat& stat, Duration at) const;
  void forget(Known& known, Duration at, std::optional<ExitStatus> exit);

  Time begun_;
  pid_t self_;
  pid_t host_ = 0;
  std::uint64_t own_ticks_ = 0;
  host::Descriptor ends_;  ///< an epoll of the pidfds of all known
  std::map<pid_t, Known> known_;
  std::vector<pid_t> strangers_;  ///< rising: not below us, and never will be
  std::vector<Process> over_;
  std::vector<Zombie> zombies_;
  std::map<pid_t, Descriptors> descriptors_;
  std::vector<std::string> outside_;  ///< what our own descriptors are open on
  bool is_idle_ = false;
  std::map<pid_t, Usage> usage_;
  std::vector<IdleStretch> idle_;
};

}  // namespace poolproof::guard
