#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "fake_workers/plan.hpp"
#include "harness/base/clock.hpp"
#include "harness/base/outcome.hpp"
#include "harness/guard/finding.hpp"
#include "harness/guard/incarnations.hpp"

/// What was seen of one guarded program. All times are spans since the guard began.
namespace poolproof::guard {

/// A process that was seen below the guard. One that lived and died between two looks was not.
struct Process {
  Address address;
  /// Its stdin is a pipe or a socket that it shares with its parent alone, or it has a channel of
  /// Node's: who starts it means to talk to it.
  bool is_worker = false;
  bool is_copy = false;  ///< it has its parent's command line: a fork without an exec
  /// The leaders of its group and its session when it was first seen; 0: it was not.
  pid_t group = 0;
  pid_t session = 0;
  Duration last_seen{};
  /// When it ended; where that was not told, the first look that missed it.
  std::optional<Duration> gone{};
  std::optional<ExitStatus> exit{};  ///< nothing: the system did not say
};

/// Someone's dead child, not reaped.
struct Zombie {
  Address address;
  Duration dead_since{};  ///< when it ended; where that was not told, the first look that saw it
  Duration parent_end{};  ///< its parent had ended and not reaped it
};

/// What the program was last seen to do.
enum class Sign : std::uint8_t {
  start,     ///< it has begun, and done nothing since that we could notice
  output,    ///< on its stdout or stderr
  journal,   ///< a worker of its wrote a line in its journal
  mark,      ///< it wrote a mark, but not `end`
  end_mark,  ///< its mark `end`: what it does after that counts no more
};

/// How the program that was guarded came to its end.
struct HostEnd {
  enum class How : std::uint8_t {
    by_itself,
    over_limit,      ///< it ran for longer than `--limit` and was put away
    over_end_limit,  ///< it lived on after its last sign or its mark, and was put away
  };
  How how = How::by_itself;
  ExitStatus exit{};
  Duration at{};
  Duration limit{};  ///< the one that it was over
  Sign sign = Sign::start;
  Duration last_sign{};       ///< when that was
  std::optional<int> passed;  ///< the last signal that we passed on to it
};

/// A stretch of time in which the program had said that it is idle, and what one process did then.
struct IdleStretch {
  Address address;
  Duration from{};
  Duration to{};
  int used_percent = 0;    ///< of one processor
  int wanted_percent = 0;  ///< the same, and what it waited for
  std::uint64_t resident_before = 0;
  std::uint64_t resident_after = 0;  ///< bytes
};

/// One look at the descriptors of one process.
struct DescriptorLook {
  Duration at{};
  std::uint32_t open = 0;
  /// Ends of pipes whose other end nobody holds any more, in this process or in another one.
  std::uint32_t stale = 0;
  std::uint32_t same = 0;   ///< how many are open on one and the same thing, at most
  std::string same_target;  ///< that thing: `/dev/null`
};

struct Descriptors {
  Address address;
  std::vector<DescriptorLook> looks;
};

struct Facts {
  Time begun{};  ///< when the guard began, on its clock
  Address host;
  HostEnd end;
  std::vector<Process> left;  ///< lived on after the program's end and its time to leave
  std::vector<Process> seen;  ///< all processes, in the order in which they were first seen
  std::vector<Zombie> zombies;
  std::vector<IdleStretch> idle;
  std::vector<Descriptors> descriptors;
  std::vector<Incarnation> incarnations;  ///< workers that write a journal
  faults::Plan plan;
  bool exclusive = false;          ///< a worker serves one request at a time
  bool distinct = false;           ///< the program makes no call twice
  std::uint32_t starts_most = 30;  ///< of workers that fail, within 10 s
};

}  // namespace poolproof::guard
