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

/// What a Brain wants done, in order. The world carries each action out before it looks at the
/// next; only TERM comes in between (Brain::term).

/// Writes to stdout: in one write, or in chunks of `chunk_bytes` with a pause of `gap` after each.
struct Write {
  std::string bytes;
  std::size_t chunk_bytes = 0;  ///< 0: all in one write
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

/// Real work: count the primes below `below` (count_primes), then tell Brain::computed. Always the
/// last action.
struct Compute {
  std::uint32_t below = 0;
  bool operator==(const Compute&) const = default;
};

/// So much more memory is resident from now on.
struct Grow {
  std::uint64_t bytes = 0;
  bool operator==(const Grow&) const = default;
};

/// Always the last action.
struct Exit {
  int code = 0;
  bool operator==(const Exit&) const = default;
};

/// Raises a signal with its default disposition. What follows happens only to a process that
/// survives it (a stopped one that is continued, an ignored signal).
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

/// Nothing is read any more and the end of input is not noticed; only a signal ends it. Always the
/// last action.
struct StopReading {
  bool operator==(const StopReading&) const = default;
};

/// The reply that was written last is in the worker's own buffer from now on: tell
/// Brain::held_back(). TERM that comes before finds no such reply there.
struct HoldBack {
  bool operator==(const HoldBack&) const = default;
};

/// Leaves a process behind that holds stdin, stdout and stderr for `lifetime`. The world journals
/// the `grandchild`.
struct Fork {
  Duration lifetime{0};
  bool operator==(const Fork&) const = default;
};

/// What is to be noted in the journal, without the texts: they stand where it points to.
struct Journal {
  JournalRecord::Kind kind = JournalRecord::Kind::started;
  std::optional<std::uint64_t> request = {};
  /// read: stands until the Brain reads again.
  const Request* read = nullptr;
  const PlannedFault* fault = nullptr;  ///< receipt: of the plan
  std::uint64_t bytes = 0;              ///< wrote
  int code = 0;                         ///< exiting
  std::int64_t child_pid = 0;           ///< grandchild

  /// As a whole record; `into` is a fresh one.
  void put_into(JournalRecord& into) const;
  [[nodiscard]] JournalRecord record() const;
};

using Action = std::variant<Write, WriteStderr, Pause, Compute, Grow, Exit, Raise, CloseStdout,
                            CloseStdin, StopReading, HoldBack, Fork, Journal>;
using Actions = std::vector<Action>;

}  // namespace poolproof::faults
