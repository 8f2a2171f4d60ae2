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
  /// Of a `read` by poolproof wrap: a hash of the request without its id; empty: none
  std::string digest;
  /// Of poolproof wrap, when its worker was ended by a signal: that signal; 0: nothing of the kind
  int signal = 0;
  /// Of a `read` by a fake worker: the request came before the answer before it was out
  bool early = false;
};

/// One request that a worker has read.
struct WorkerRequest {
  std::uint64_t number = 0;  ///< counted from 0 in each incarnation
  std::optional<std::string> command;
  std::optional<std::string> nonce;
  std::string digest;               ///< as in JournalLine: of the request without its id
  bool is_owed = false;             ///< it has an id, so an answer is due
  bool early = false;               ///< as in JournalLine: whoever asked did not wait
  Duration read{};                  ///< when it was read, since the guard began
  std::optional<Duration> wrote{};  ///< when the last byte of its answer was written

  /// Whether it tells its reader to leave: it is no call that anybody waits for.
  [[nodiscard]] bool says_goodbye() const { return command == "shutdown"; }
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
  std::size_t journal = 0;  ///< which of the run's journals it has written
  WorkerId worker;          ///< the slot and generation that it says it has
  Duration started{};
  Duration last{};  ///< when its last line was written
  std::vector<WorkerRequest> asked;
  std::vector<Receipt> receipts;
  std::vector<std::int64_t> children;  ///< the pids of processes that it says it has left behind
  std::optional<Duration> stdin_end{};
  std::optional<Duration> term{};
  std::optional<Duration> goodbye{};  ///< when it was told to leave in its own protocol
  std::optional<int> exiting{};       ///< the exit code with which it ended by itself
  bool real_was_killed = false;       ///< the worker behind wrap died by a signal before wrap did

  /// Whether it has ever answered.
  [[nodiscard]] bool has_served() const;
  /// The first of the calls that it has read and not answered: what its client waits for longest.
  [[nodiscard]] const WorkerRequest* in_flight() const;
  /// When it first learned in any way that it is to leave; nothing: it never did.
  [[nodiscard]] std::optional<Duration> asked_to_leave() const;
};

/// The incarnations of one journal in the order of their starts. Where the line
/// `started` was lost, the first line of that pid begins the incarnation.
std::vector<Incarnation> incarnations_of(std::span<const JournalLine> journal, Time begun);

}  // namespace poolproof::guard
