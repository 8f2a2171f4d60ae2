#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "fake_workers/journal.hpp"
#include "harness/base/clock.hpp"

namespace poolproof::faults {

struct PlannedFault;
struct Request;

/// What a Brain wants done, in order. The world carries out one action before it looks at the next;
/// only TERM may come in between (Brain::term).

/// Writes to stdout: in one write, or in chunks of `chunk_bytes` with a pause of `gap` after each.
struct Write {
  std::string bytes;
  std::size_t chunk_bytes = 0;  ///< the size of a chunk; 0: all in one write
  Duration gap{0};
  bool operator==(const Write&) const = default;
};

struct WriteStderr {
  std::string text;
  bool operator==(const WriteStderr&) const = default;
};

struct Pause {
  Duration span{0};
  bool operator==(const Pause&) const = default;
};

/// Does real work: counts the primes below `below` (PrimeCount), then tells Brain::computed. Always
/// the last action.
struct Compute {
  std::uint32_t below = 0;
  bool operator==(const Compute&) const = default;
};

/// Makes this much more memory resident, for good.
struct Grow {
  std::uint64_t bytes = 0;
  bool operator==(const Grow&) const = default;
};

/// Exits with a code. Always the last action.
struct Exit {
  int code = 0;
  bool operator==(const Exit&) const = default;
};

/// Raises a signal with its default disposition. The actions after it happen only if the process
/// survives it (it was stopped and continued, or the signal is ignored).
struct Raise {
  int signal = 0;
  bool operator==(const Raise&) const = default;
};

struct CloseStdout {
  bool operator==(const CloseStdout&) const = default;
};

struct CloseStdin {
  bool operator==(const CloseStdin&) const = default;
};

/// Stops reading for good: not even the end of input is noticed, and only a signal ends the worker.
/// Always the last action.
struct StopReading {
  bool operator==(const StopReading&) const = default;
};

/// The reply written last goes into the worker's own buffer: tell Brain::held_back(). A TERM that
/// comes before this action finds no such reply there.
struct HoldBack {
  bool operator==(const HoldBack&) const = default;
};

/// Leaves a process behind that holds stdin, stdout and stderr for `lifetime`. The world journals
/// the `grandchild`.
struct Fork {
  Duration lifetime{0};
  bool operator==(const Fork&) const = default;
};

/// What is to be noted in the journal; texts stay where the pointers lead.
struct Journal {
  JournalRecord::Kind kind = JournalRecord::Kind::started;
  std::optional<std::uint64_t> request = {};
  /// of `read`: the request, which stays valid until the Brain reads again.
  const Request* read = nullptr;
  const PlannedFault* fault = nullptr;  ///< of `receipt`: the planned fault
  std::uint64_t bytes = 0;              ///< of `wrote`: how many bytes were written
  int code = 0;                         ///< of `exiting`: the exit code
  std::int64_t child_pid = 0;           ///< of `grandchild`: its pid

  /// Fills `into`, which must be fresh, as a whole record.
  void put_into(JournalRecord& into) const;
  [[nodiscard]] JournalRecord record() const;
};

using Action = std::variant<Write, WriteStderr, Pause, Compute, Grow, Exit, Raise, CloseStdout,
                            CloseStdin, StopReading, HoldBack, Fork, Journal>;
using Actions = std::vector<Action>;

}  // namespace poolproof::faults
