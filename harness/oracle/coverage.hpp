#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "harness/oracle/oracle.hpp"

/// What a run reached: which fault struck in which situation, and which rare situations came up.
/// A sweep adds up the coverage of its runs and so knows what it has never seen.
namespace poolproof::oracle {

/// What the struck worker was doing.
enum class WorkerPhase : std::uint8_t {
  starting,   ///< not leased, and its init ping had not been read
  handshake,  ///< its init ping was in hand, or just answered
  in_call,    ///< leased, or with a client's request in hand
  idle,       ///< waiting to be leased
  leaving,    ///< told to go
};
inline constexpr std::array<std::string_view, 5> kWorkerPhaseNames{"starting", "handshake",
                                                                   "in_call", "idle", "leaving"};

/// How the pool stood; the last that applies.
enum class PoolMood : std::uint8_t {
  spare,         ///< a worker is idle or a slot vacant, and nobody waits
  busy,          ///< neither, and nobody waits
  queueing,      ///< somebody waits
  breaker_open,  ///< starts keep failing and are held back
  closing,
};
inline constexpr std::array<std::string_view, 5> kPoolMoodNames{"spare", "busy", "queueing",
                                                                "breaker_open", "closing"};

/// Rare situations, each shown by the witnesses.
enum class Mark : std::uint8_t {
  granted_in_the_last_microsecond,
  try_checkout_served,
  try_checkout_refused,
  deadline_met_checkin,
  deadline_met_good_start,
  deadline_and_grant_in_one_step,
  several_deadlines_at_once,
  late_with_failing_starts,
  queue_full,
  grant_met_cancel,
  cancel_met_checkin,
  hopeless_all_refused,
  blocking_start_held_back_a_grant,
  starts_max_held_back_a_start,
  leaving_list_held_back_a_start,
  start_for_a_client_who_left,
  start_answered_after_given_up,
  handshake_ended_after_given_up,
  start_budget_spent,
  death_in_the_handshake,
  death_unused,
  death_while_idle,
  death_while_leased,
  exit_met_checkin,
  exit_met_handshake_end,
  unsolicited_output_while_idle,
  breaker_opened,
  breaker_healed,
  breaker_probe_failed,
  close_while_starting,
  close_while_in_handshake,
  close_while_leased,
  close_while_waiting,
  close_with_open_breaker,
  close_asked_twice,
  lease_revoked_at_drains_end,
  late_checkin,
  asking_sufficed,
  end_of_stdin_sufficed,
  term_sufficed,
  kill_was_needed,
  grandchild_killed_with_its_group,
  stale_before_the_call,
  error_before_the_request_was_written,
  timeout_before_the_first_byte,
  timeout_in_the_middle_of_a_reply,
  cancel_before_the_first_byte,
  cancel_in_the_middle_of_a_reply,
  reply_at_the_deadline,
  timeout_met_the_reply,
  read_after_its_caller_had_gone,
  returned_twice,
  signal_reached_nobody,
};
inline constexpr std::size_t kMarks = static_cast<std::size_t>(Mark::signal_reached_nobody) + 1;

struct MarkRow {
  std::string_view name;     ///< as the enumerator
  std::string_view meaning;  ///< one sentence
};
const MarkRow& row_of(Mark mark);

/// A cell of the matrix. `fault` is its row in faults::catalogue().
struct Cell {
  std::size_t fault = 0;
  WorkerPhase phase = WorkerPhase::starting;
  PoolMood mood = PoolMood::spare;
};

/// Cells and marks as bits: small enough to keep for each run, cheap to add up for millions.
/// Limits: 64 rows in the catalogue of faults, 64 marks.
class Coverage {
 public:
  static constexpr std::size_t kFaultsMax = 64;
  static constexpr std::size_t kCells =
      kFaultsMax * kWorkerPhaseNames.size() * kPoolMoodNames.size();

  void strike(const Cell& cell) { set(place(cell)); }
  void see(Mark mark) { set(kCells + static_cast<std::size_t>(mark)); }
  [[nodiscard]] bool struck(const Cell& cell) const { return test(place(cell)); }
  [[nodiscard]] bool seen(Mark mark) const { return test(kCells + static_cast<std::size_t>(mark)); }

  /// Adds what the other one has; the number of bits that are new.
  std::size_t add(const Coverage& other);
  [[nodiscard]] std::size_t count() const;  ///< cells and marks together
  bool operator==(const Coverage&) const = default;

  /// For those who keep it in a file or in shared memory.
  static constexpr std::size_t kWords = kCells / 64 + 1;
  [[nodiscard]] const std::array<std::uint64_t, kWords>& words() const { return words_; }
  [[nodiscard]] std::array<std::uint64_t, kWords>& words() { return words_; }

 private:
  static std::size_t place(const Cell& cell) {
    return (cell.fault * kWorkerPhaseNames.size() + static_cast<std::size_t>(cell.phase)) *
               kPoolMoodNames.size() +
           static_cast<std::size_t>(cell.mood);
  }
  void set(std::size_t bit) { words_[bit / 64] |= std::uint64_t{1} << bit % 64; }
  [[nodiscard]] bool test(std::size_t bit) const {
    return (words_[bit / 64] >> bit % 64 & 1U) != 0;
  }

  std::array<std::uint64_t, kWords> words_{};
};
static_assert(kMarks <= 64);

/// Why that cell can never be struck, in one sentence; empty: it can.
std::string_view reason_it_cannot_be(const faults::Fault& fault, WorkerPhase phase, PoolMood mood);

}  // namespace poolproof::oracle
