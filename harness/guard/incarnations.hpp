#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "fake_workers/journal.hpp"
#include "harness/base/clock.hpp"
#include "harness/base/ids.hpp"

namespace poolproof::guard {

/// A line of a journal.
struct JournalLine {
  faults::StampedJournalRecord said;
  std::string digest;  ///< `read`, by poolproof wrap: of the request without its id; empty: none
};

/// One request that a worker has read.
struct Asked {
  std::uint64_t number = 0;  ///< counted from 0 in its incarnation
  std::optional<std::string> command;
  std::optional<std::string> nonce;
  std::string digest;               ///< see JournalLine
  bool is_owed = false;             ///< it has an id, so an answer is due
  Duration read{};                  ///< since the guard began
  std::optional<Duration> wrote{};  ///< the last byte of the answer was out
};

struct Receipt {
  std::string fault;
  std::string plan_id;
  std::optional<std::uint64_t> request;
  Duration at{};
};

/// What one worker's process has told of itself. A foreign pool gives no slot and no generation, so
/// it is known by its pid and by the line that begins it.
struct Incarnation {
  std::int64_t pid = 0;
  WorkerId worker;  ///< as it calls itself
  Duration started{};
  Duration last{};  ///< its last line
  std::vector<Asked> asked;
  std::vector<Receipt> receipts;
  std::vector<std::int64_t> children;  ///< pids of what it says that it has left behind
  std::optional<Duration> stdin_end{};
  std::optional<Duration> term{};
  std::optional<Duration> goodbye{};  ///< it was told in its speech to leave
  std::optional<int> exiting{};       ///< it ended by itself, with that code

  /// Whether it has ever answered.
  [[nodiscard]] bool has_served() const;
  /// The first of the calls that it has read and not answered: what its client waits for longest.
  [[nodiscard]] const Asked* in_flight() const;
  /// When it first learned that it is to leave, by whatever way.
  [[nodiscard]] std::optional<Duration> asked_to_leave() const;
};

/// The incarnations of one journal in the order of their starts. Lines before the first start of
/// their pid begin one, too: its own first line was lost.
std::vector<Incarnation> incarnations_of(std::span<const JournalLine> journal, Time begun);

}  // namespace poolproof::guard
