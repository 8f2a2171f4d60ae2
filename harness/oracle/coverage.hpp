#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "harness/base/enumerators.hpp"
#include "harness/oracle/oracle.hpp"

/// What a run reached: which fault struck in which situation, and which rare situations came up.
/// A sweep adds up the coverage of its runs and so knows what it has never seen.
namespace poolproof::oracle {

/// What the struck worker was doing.
enum class WorkerPhase : std::uint8_t {
  starting,   ///< not leased, and its init ping had not been read
  handshake,  ///< its init ping was in hand, or just answered
  in_call,    ///< leased, or with a client's request in hand
  idle,       ///< the worker is waiting to be leased
  leaving,    ///< the worker has been told to go
};
inline constexpr auto kWorkerPhaseNames = enumerator_names<WorkerPhase>();

/// The state of the pool; where several apply, the last of them.
enum class PoolMood : std::uint8_t {
  spare,         ///< a worker is idle or a slot vacant, and nobody waits
  busy,          ///< no worker is idle, no slot is vacant, and nobody waits
  queueing,      ///< some client waits for a worker
  breaker_open,  ///< starts keep failing and are held back
  closing,
};
inline constexpr auto kPoolMoodNames = enumerator_names<PoolMood>();

/// Rare situations, each shown by the witnesses.
enum class Mark : std::uint8_t {
  granted_in_the_last_microsecond,  ///< a waiter was granted one microsecond before its deadline
  second_lease_before_any_return,   ///< two clients held workers before any lease had ended
  checkin_during_a_handshake,       ///< a worker was given back while another was being greeted
  try_checkout_served,              ///< a client that would not wait was served at once
  try_checkout_refused,             ///< a client that would not wait was refused at once
  deadline_met_checkin,     ///< a waiter was refused at the very time a worker was checked in
  deadline_met_good_start,  ///< a waiter was refused at the very time a start succeeded
  deadline_and_grant_in_one_step,  ///< one step refused a late waiter and served the next one
  several_deadlines_at_once,       ///< one step refused several late waiters
  late_with_failing_starts,        ///< a waiter's deadline came while starts kept failing
  queue_full,                      ///< a client was refused because the queue was full
  grant_met_cancel,      ///< a client was cancelled at the time of its grant, and too late
  cancel_met_checkin,    ///< a waiter was cancelled at the very time a worker was checked in
  hopeless_all_refused,  ///< one step refused several waiters because starts keep failing
  /// A client waited beside an idle worker during a blocking start
  blocking_start_held_back_a_grant,
  /// A slot stayed vacant beside a waiter: enough starts were under way
  starts_max_held_back_a_start,
  /// A slot stayed vacant beside a waiter: too many workers were leaving
  leaving_list_held_back_a_start,
  /// A slot stayed vacant beside a waiter: its last worker was still there
  worker_before_held_back_a_start,
  start_for_a_client_who_left,     ///< a lazy pool's start succeeded when nobody waited any more
  start_answered_after_given_up,   ///< a process came up after its start had been given up
  handshake_ended_after_given_up,  ///< a handshake ended after its worker had been told to go
  start_budget_spent,              ///< a start was given up because its budget was spent
  death_in_the_handshake,          ///< a worker died before it answered its ping
  death_unused,                    ///< a worker died idle before it had served anybody
  death_while_idle,                ///< a worker that had served died idle
  death_while_leased,              ///< a worker died while it was leased
  exit_met_checkin,                ///< a worker's exit and its check-in came at the same time
  exit_met_handshake_end,         ///< a worker's exit and its handshake's end came at the same time
  unsolicited_output_while_idle,  ///< an idle worker wrote unasked and was put away
  breaker_opened,                 ///< so many starts failed in a row that the breaker opened
  breaker_healed,                 ///< a good start closed the breaker
  breaker_probe_failed,           ///< a start failed while the breaker was open
  close_while_starting,           ///< the pool was closed while a process was being started
  close_while_in_handshake,       ///< the pool was closed in the middle of a handshake
  close_while_leased,             ///< the pool was closed while a worker was leased
  close_while_waiting,            ///< the pool was closed while somebody waited
  close_with_open_breaker,        ///< the pool was closed while the breaker was open
  close_asked_twice,              ///< the pool was asked to close while it closed
  lease_revoked_at_drains_end,    ///< the closing pool took a worker back from its client
  late_checkin,                   ///< a client returned a lease that had already ended
  asking_sufficed,                ///< a worker told to go exited at the shutdown request
  end_of_stdin_sufficed,          ///< a worker told to go exited at the end of its stdin
  term_sufficed,                  ///< a worker told to go exited at TERM
  kill_was_needed,                ///< a worker did not go at TERM and was killed
  grandchild_killed_with_its_group,  ///< a process that a worker left behind ended before its time
  stale_before_the_call,  ///< a call found its worker dead or talking before it wrote a byte
  error_before_the_request_was_written,  ///< a reply came before the request was written whole
  timeout_before_the_first_byte,         ///< a call timed out before a byte was written
  timeout_in_the_middle_of_a_reply,      ///< a call timed out when part of its reply had come
  cancel_before_the_first_byte,          ///< a call was cancelled before a byte was written
  cancel_in_the_middle_of_a_reply,       ///< a call was cancelled when part of its reply had come
  reply_at_the_deadline,                 ///< a call succeeded at the very time of its deadline
  timeout_met_the_reply,                 ///< a call timed out at the very time its reply was out
  read_after_its_caller_had_gone,        ///< a worker read a request whose caller had given up
  returned_twice,                        ///< a client gave its lease back twice
  signal_reached_nobody,                 ///< a signal from outside found its worker gone
  recycled_at_checkin,                   ///< a worker that came back was recycled at once
  recycled_while_idle,                   ///< an idle worker was recycled
  recycled_beside_a_waiter,              ///< a worker was recycled while somebody waited
  recycled_for_memory,                   ///< an idle worker was recycled because it had grown
  /// An idle worker was due to be recycled, but another was leaving or starting
  recycling_put_off,
  suspended_beside_idle,         ///< somebody waited beside an idle worker of a suspended pool
  sound_worker_outlasted_grace,  ///< a sound worker that was told to go took longer than its grace
};
inline constexpr auto kMarkNames = enumerator_names<Mark>();
inline constexpr std::size_t kMarks = kMarkNames.size();

/// A cell of the coverage matrix. `fault` is the fault's row in faults::catalogue().
struct Cell {
  std::size_t fault = 0;
  WorkerPhase phase = WorkerPhase::starting;
  PoolMood mood = PoolMood::spare;
};

/// Cells and marks as bits: small enough to keep for each run, cheap to add up for millions.
/// Limits: 64 rows in the catalogue of faults, 128 marks.
class Coverage {
 public:
  static constexpr std::size_t kFaultsMax = 64;
  static constexpr std::size_t kCells =
      kFaultsMax * kWorkerPhaseNames.size() * kPoolMoodNames.size();

  void strike(const Cell& cell) { set(place(cell)); }
  void see(Mark mark) { set(kCells + static_cast<std::size_t>(mark)); }
  [[nodiscard]] bool struck(const Cell& cell) const { return test(place(cell)); }
  [[nodiscard]] bool seen(Mark mark) const { return test(kCells + static_cast<std::size_t>(mark)); }

  /// Adds the bits of `other`; returns how many of them were not there before.
  std::size_t add(const Coverage& other);
  [[nodiscard]] std::size_t count() const;  ///< how many cells and marks were reached
  bool operator==(const Coverage&) const = default;

  /// The size in 64-bit words, for those who keep a coverage in a file or in shared memory.
  static constexpr std::size_t kWords = kCells / 64 + 2;
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
static_assert(kMarks <= 128);

/// Why no run can ever strike that cell, in one sentence; empty: a run can.
std::string_view reason_it_cannot_be(const faults::Fault& fault, WorkerPhase phase, PoolMood mood);

}  // namespace poolproof::oracle
