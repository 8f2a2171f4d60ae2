#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>

#include "harness/oracle/numbering.hpp"
#include "harness/pool/config.hpp"
#include "harness/pool/effect.hpp"

namespace poolproof::oracle {

/// How hard a worker that must go has been pushed so far.
enum class Rung : std::uint8_t { none, asked, stdin_closed, termed, killed };

/// What is wrong with a push.
struct WrongPush {
  enum class How : std::uint8_t { not_at_all, first, order, early };

  How how = How::not_at_all;
  Rung rung = Rung::none;     ///< by this it was pushed
  Rung instead = Rung::none;  ///< the right one to begin with; else the one before
};
std::string words(const WrongPush& wrong);

/// The ladder by which workers are made to go: shutdown request, end of stdin, TERM, KILL, each
/// after the grace of the one before, none skipped, none early and none late. Where on it a worker
/// begins depends on why it must go; when a closing pool's time is up, all are killed.
///
/// Exact in both worlds: a step first does all that is due. Workers are told by their numbers in
/// the mirror. Cost: constant per push; one look at all workers when a close's time is up.
class Ladder {
 public:
  Ladder(const pool::Config& config, Memory* memory)
      : config_(config),
        workers_(memory),
        waiting_{Waiting(memory), Waiting(memory), Waiting(memory)},
        due_at_once_(memory) {}

  /// Room for so many workers.
  void reserve(std::size_t workers) { workers_.reserve(workers); }
  /// A record of the testimony begins.
  void begin(Time now) {
    now_ = now;
    ++record_;
  }
  void close_requested(Time deadline);
  /// It must go, and in this very record it must be told so.
  void must_go(std::uint32_t worker) { add(due_at_once_, worker); }
  /// It is pushed. What is wrong with that.
  WrongPush pushed(std::uint32_t worker, Rung rung, Rung first);
  void over(std::uint32_t worker) {
    if (worker < workers_.size()) workers_[worker] = {};
  }

  /// There is nothing to tell when this record ends, nor are there leases to take back.
  [[nodiscard]] bool is_quiet() const {
    return due_at_once_.empty() && now_ < next_due_ && now_ < close_deadline_ && !drained();
  }

  /// The record ends. Calls `report(worker, what)` for each that was not pushed when it had to be.
  template <class Report>
  void end(Report report);

  [[nodiscard]] Rung rung(std::uint32_t worker) const {
    return worker < workers_.size() ? workers_[worker].rung : Rung::none;
  }
  /// When the leases of a closing pool are taken back; kNever: it is not closing, or they were.
  [[nodiscard]] Time drain_until() const { return drain_until_; }
  /// They were to be taken back before this record.
  [[nodiscard]] bool drained() const { return drain_until_ <= now_ && closed_in_ < record_; }

 private:
  struct Worker {
    Rung rung = Rung::none;
    std::uint64_t pushed_in = 0;  ///< the record
    Time due = kNever;            ///< the next rung
  };
  /// All on one rung wait equally long, so that they fall due in the order in which they came.
  struct Waiting {
    explicit Waiting(Memory* memory) : workers(memory) {}

    Table<std::uint32_t> workers;
    std::size_t first = 0;
  };

  Worker& at(std::uint32_t worker);
  Waiting& waiting(Rung rung) {
    return waiting_[static_cast<std::size_t>(rung) - static_cast<std::size_t>(Rung::asked)];
  }
  [[nodiscard]] Duration grace(Rung rung) const;
  template <class Report>
  void end(Waiting& waiting, Rung rung, Report report);

  const pool::Config& config_;
  Time now_ = Time::min();
  std::uint64_t record_ = 0;
  Table<Worker> workers_;
  std::array<Waiting, 3> waiting_;  ///< asked, stdin closed, TERM
  Time next_due_ = kNever;          ///< nobody on them falls due before
  Table<std::uint32_t> due_at_once_;
  std::uint64_t closed_in_ = 0;  ///< the record of the last request to close
  Time drain_until_ = kNever;
  Time close_deadline_ = kNever;
};

std::string_view name(Rung rung);

template <class Report>
void Ladder::end(Report report) {
  for (const std::uint32_t worker : due_at_once_) {
    if (rung(worker) == Rung::none) report(worker, "must go, and nothing was done about it");
  }
  due_at_once_.clear();
  if (next_due_ <= now_) {
    next_due_ = kNever;
    for (const Rung rung : {Rung::asked, Rung::stdin_closed, Rung::termed}) {
      end(waiting(rung), rung, report);
    }
  }
  if (closed_in_ == record_ || close_deadline_ > now_) return;
  close_deadline_ = kNever;
  for (std::uint32_t worker = 0; worker < workers_.size(); ++worker) {
    const Worker& one = workers_[worker];
    if (one.rung == Rung::none || one.rung == Rung::killed || one.pushed_in == record_) continue;
    report(worker, "was not killed when the closing pool's time was up");
  }
}

template <class Report>
void Ladder::end(Waiting& waiting, Rung rung, Report report) {
  for (; waiting.first < waiting.workers.size(); ++waiting.first) {
    const std::uint32_t number = waiting.workers[waiting.first];
    const Worker& worker = workers_[number];
    if (worker.rung != rung) continue;
    if (worker.due > now_ || worker.pushed_in == record_) {
      next_due_ = std::min(next_due_, worker.due);
      return;
    }
    report(number,
           std::string("was not pushed on when its time was up (") + std::string(name(rung)) + ")");
  }
}

}  // namespace poolproof::oracle
