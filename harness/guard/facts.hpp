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

/// What was seen of one guarded program. All times are counted from when the guard began.
namespace poolproof::guard {

/// A process that was seen below the guard. A process that lived only between two looks was not.
struct Process {
  Address address;
  /// Its stdin is a pipe or a socket that it shares with its parent alone, or it has a channel of
  /// Node's: whoever started it means to talk to it.
  bool is_worker = false;
  bool is_copy = false;  ///< it has its parent's command line: a fork without an exec
  /// The leaders of its group and its session when it was first seen; 0: not seen.
  pid_t group = 0;
  pid_t session = 0;
  Duration last_seen{};
  /// When it ended; where the system did not tell, when a look first missed it.
  std::optional<Duration> gone{};
  std::optional<ExitStatus> exit{};  ///< nothing: the system did not say
};

/// A dead child that its parent has not reaped.
struct Zombie {
  Address address;
  /// When it ended; where the system did not tell, when a look first saw it dead
  Duration dead_since{};
  Duration parent_end{};  ///< when its parent ended without having reaped it
};

/// What the program was last seen to do.
enum class Sign : std::uint8_t {
  start,     ///< it has started, and has done nothing since that we could notice
  output,    ///< it wrote to its stdout or stderr
  journal,   ///< one of its workers wrote a line in its journal
  mark,      ///< it wrote a mark, but not `end`
  end_mark,  ///< it wrote the mark `end`: what it does after that does not count
};

/// How the guarded program came to its end.
struct HostEnd {
  enum class How : std::uint8_t {
    by_itself,
    over_limit,      ///< it ran for longer than `--limit` and was put away
    over_end_limit,  ///< it lived on after its last sign or its mark, and was put away
  };
  How how = How::by_itself;
  ExitStatus exit{};
  Duration at{};
  Duration limit{};  ///< the limit that it exceeded
  Sign sign = Sign::start;
  Duration last_sign{};       ///< when the last sign came
  std::optional<int> passed;  ///< the last signal that we passed on to it
};

/// A time in which the program said that it was idle, and what one process did in that time.
struct IdleStretch {
  Address address;
  Duration from{};
  Duration to{};
  int used_percent = 0;    ///< processor time used, as a share of one processor
  int wanted_percent = 0;  ///< the same, with the time in which it waited for a processor
  std::uint64_t resident_before = 0;
  std::uint64_t resident_after = 0;  ///< memory in use after it, in bytes
};

/// One look at the descriptors of one process.
struct DescriptorLook {
  Duration at{};
  /// How many are open that no living process accounts for: neither by the other end of a pipe, nor
  /// by a socket of a child, nor as the process of a pidfd.
  std::uint32_t unexplained = 0;
  /// How many ends of pipes it holds whose other ends nobody holds any more.
  std::uint32_t stale = 0;
  std::uint32_t same = 0;   ///< the most descriptors that are open on one and the same thing
  std::string same_target;  ///< that thing, such as `/dev/null`
};

struct Descriptors {
  Address address;
  std::vector<DescriptorLook> looks;
};

struct Facts {
  Time begun{};  ///< when the guard began, on its clock
  Address host;
  HostEnd end;
  std::vector<Process> left;  ///< what lived on after the program's end and the time to leave
  std::vector<Process> seen;  ///< all processes, in the order in which they were first seen
  std::vector<Zombie> zombies;
  std::vector<IdleStretch> idle;
  std::vector<Descriptors> descriptors;
  std::vector<Incarnation> incarnations;  ///< what workers tell in their journals
  faults::Plan plan;
  bool exclusive = false;          ///< a worker serves one request at a time
  bool distinct = false;           ///< the program makes no call twice
  std::uint32_t starts_most = 30;  ///< how many failing starts of workers within 10 s are allowed
};

}  // namespace poolproof::guard
