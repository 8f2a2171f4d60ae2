#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

#include "harness/oracle/coverage.hpp"
#include "harness/oracle/dispatch.hpp"
#include "harness/oracle/view.hpp"

namespace poolproof::oracle {

/// The pool as its testimony tells it, record by record, and what is rare about it. Judges nothing:
/// see Mirror.
class Watch {
 public:
  enum class State : std::uint8_t { starting, greeting, idle, leased, leaving, over };

  Watch(const Evidence& evidence, Memory* memory, Coverage& found)
      : config_(evidence.scenario.pool.core),
        next_(evidence.trace.pool.data()),
        end_(next_ + evidence.trace.pool.size()),
        found_(found),
        ids_(memory),
        workers_(memory),
        lease_numbers_(memory),
        leases_(memory),
        checkouts_(memory),
        asked_(memory) {
    // As in the mirror.
    const std::size_t some = evidence.trace.pool.size() / 4 + 1;
    workers_.reserve(some);
    ids_.reserve(some);
    leases_.reserve(some);
    asked_.reserve(some);
  }

  void take_before(Time at) {
    while (next_ != end_ && next_->at < at) take();
  }
  /// Takes what came at `at`, as far as it is needed to make `enough` true.
  template <class Enough>
  void take_at(Time at, Enough enough) {
    while (next_ != end_ && next_->at <= at && !enough()) take();
  }
  void take_all() {
    while (next_ != end_) take();
  }

  /// `over` also for one that was never started.
  [[nodiscard]] State state(WorkerId worker) const {
    const std::uint32_t found = ids_.find(worker);
    return found == kNone ? State::over : workers_[found].state;
  }
  [[nodiscard]] bool was_started(WorkerId worker) const { return ids_.find(worker) != kNone; }
  [[nodiscard]] PoolMood mood() const {
    if (closing_) return PoolMood::closing;
    if (breaker_open()) return PoolMood::breaker_open;
    if (waiting_ > 0) return PoolMood::queueing;
    return count(State::idle) > 0 || present() < config_.size ? PoolMood::spare : PoolMood::busy;
  }

 private:
  enum class Push : std::uint8_t { none, asked, stdin_closed, termed, killed };
  struct Worker {
    State state = State::over;
    Push push = Push::none;
    bool served = false;
    Time since;               ///< the order to start
    Time back = Time::min();  ///< checked in last
    Time greeted = Time::min();
  };
  struct Asked {
    Time at;
    Time deadline;
    bool answered = false;
  };
  struct Lease {
    std::uint32_t worker = kNone;
    bool open = true;
  };
  /// What one record refused and served.
  struct Step {
    std::uint32_t late = 0;
    std::uint32_t hopeless = 0;
    bool granted = false;
  };

  void take() {
    const trace::PoolRecord& record = *next_++;
    now_ = std::max(now_, record.at);
    if (expiry_due_ <= now_) expire_starts();
    dispatch(record.event, [this](const auto& event) { happened(event); });
    if (!record.effects.empty()) {
      step_ = {};
      for (const pool::Effect& effect : record.effects) {
        dispatch(effect, [this](const auto& order) { ordered(order); });
      }
      look_at_step();
    }
    if (waiting_ > 0) look_at_held_back();
  }

  void expire_starts() {
    expiry_due_ = kNever;
    for (; oldest_ < workers_.size(); ++oldest_) {
      Worker& oldest = workers_[oldest_];
      if (oldest.state != State::starting) continue;
      const Time due = after(oldest.since, config_.startup_budget);
      if (due > now_) {
        expiry_due_ = due;
        return;
      }
      see(Mark::start_budget_spent);
      failed();
      enter(oldest, State::leaving);
    }
  }

  // ---- events

  void happened(const pool::CheckoutRequested& event) {
    if (checkouts_.number(event.checkout) < asked_.size()) return;
    asked_.push_back({now_, event.deadline});
    ++waiting_;
  }
  void happened(const pool::CheckoutCancelled& /*event*/) {}
  void happened(const pool::CheckedIn& event) {
    const std::uint32_t place = lease_numbers_.find(event.lease);
    Lease* lease = place == kNone ? nullptr : &leases_[place];
    // A pool that is not sound may have leased a worker that it never started.
    const bool known = lease != nullptr && lease->worker != kNone;
    if (!known || !lease->open || workers_[lease->worker].state != State::leased) {
      if (known && workers_[lease->worker].back == now_) see(Mark::exit_met_checkin);
      return see(Mark::late_checkin);
    }
    lease->open = false;
    Worker& worker = workers_[lease->worker];
    worker.back = last_checkin_ = now_;
    if (late_ == now_) see(Mark::deadline_met_checkin);
    if (cancelled_ == now_) see(Mark::cancel_met_checkin);
    worker.served = worker.served || event.clean;
    enter(worker, event.clean && !closing_ ? State::idle : State::leaving);
  }
  void happened(const pool::LeaseRevoked& event) {
    const std::uint32_t lease = lease_numbers_.find(event.lease);
    if (lease == kNone || !std::exchange(leases_[lease].open, false)) return;
    if (leases_[lease].worker != kNone) enter(workers_[leases_[lease].worker], State::leaving);
  }
  void happened(const pool::Started& event) {
    Worker* worker = find(event.worker);
    if (worker == nullptr) return;
    if (worker->state == State::leaving) see(Mark::start_answered_after_given_up);
    if (worker->state == State::starting) enter(*worker, State::greeting);
  }
  void happened(const pool::StartFailed& event) {
    const Worker* worker = find(event.worker);
    if (worker != nullptr && worker->state == State::starting) failed();
  }
  void happened(const pool::HandshakeEnded& event) {
    Worker* worker = find(event.worker);
    if (worker == nullptr) return;
    worker->greeted = now_;
    if (worker->state == State::leaving) see(Mark::handshake_ended_after_given_up);
    if (worker->state != State::greeting) return;
    if (event.evidence.cause != StartCause::none) {
      failed();
      return enter(*worker, State::leaving);
    }
    if (breaker_open()) see(Mark::breaker_healed);
    failures_ = 0;
    last_good_ = now_;
    if (late_ == now_) see(Mark::deadline_met_good_start);
    const bool unwanted = waiting_ == 0 && config_.start == pool::StartMode::lazy;
    if (unwanted) see(Mark::start_for_a_client_who_left);
    enter(*worker, State::idle);
  }
  void happened(const pool::OutputStrayed& event) {
    if (state(event.worker) == State::idle) see(Mark::stray_output_while_idle);
  }
  void happened(const pool::Exited& event) {
    Worker* worker = find(event.worker);
    if (worker == nullptr || worker->state == State::over) return;
    if (worker->greeted == now_) see(Mark::exit_met_handshake_end);
    if (worker->back == now_) see(Mark::exit_met_checkin);
    switch (worker->state) {
      case State::greeting:
        see(Mark::death_in_the_handshake);
        failed();
        break;
      case State::idle:
        see(worker->served ? Mark::death_while_idle : Mark::death_unused);
        break;
      case State::leased:
        see(Mark::death_while_leased);
        worker->back = now_;
        break;
      default:
        if (worker->push == Push::asked) see(Mark::asking_sufficed);
        if (worker->push == Push::stdin_closed) see(Mark::end_of_stdin_sufficed);
        if (worker->push == Push::termed) see(Mark::term_sufficed);
        break;
    }
    enter(*worker, State::leaving);
  }
  void happened(const pool::Tick& /*event*/) {}
  void happened(const pool::CloseRequested& /*event*/) {
    if (closing_) return see(Mark::close_asked_twice);
    if (count(State::starting) > 0) see(Mark::close_while_starting);
    if (count(State::greeting) > 0) see(Mark::close_while_greeting);
    if (count(State::leased) > 0) see(Mark::close_while_leased);
    if (waiting_ > 0) see(Mark::close_while_waiting);
    if (breaker_open()) see(Mark::close_with_open_breaker);
    closing_ = true;
    // Those that are not there yet are told by KILL once they are.
    for (Worker& worker : workers_) {
      if (worker.state == State::starting) enter(worker, State::leaving);
    }
  }

  // ---- effects

  void ordered(const pool::Grant& effect) {
    const std::uint32_t place = lease_numbers_.number(effect.lease);
    if (place == leases_.size()) leases_.emplace_back();
    Worker* worker = find(effect.worker);
    if (worker != nullptr) {
      leases_[place] = {ids_.find(effect.worker), true};
      enter(*worker, State::leased);
    }
    step_.granted = true;
    Asked* asked = answer(effect.checkout);
    if (asked == nullptr) return;
    if (asked->deadline == after(now_, Duration(1))) see(Mark::granted_in_the_last_microsecond);
    if (asked->deadline <= asked->at) see(Mark::try_checkout_served);
  }
  void ordered(const pool::Refuse& effect) {
    const Asked* asked = answer(effect.checkout);
    const bool at_deadline = asked != nullptr && asked->deadline <= now_;
    if (effect.why == Outcome::queue_full) see(Mark::queue_full);
    if (effect.why == Outcome::cancelled) {
      cancelled_ = now_;
      if (last_checkin_ == now_) see(Mark::cancel_met_checkin);
    }
    if (effect.why == Outcome::start_failed) {
      if (at_deadline) see(Mark::late_with_failing_starts);
      if (!at_deadline) ++step_.hopeless;
    }
    if (effect.why != Outcome::checkout_timeout) return;
    if (asked != nullptr && asked->deadline <= asked->at) {
      return see(Mark::try_checkout_refused);
    }
    ++step_.late;
    late_ = now_;
    if (last_checkin_ == now_) see(Mark::deadline_met_checkin);
    if (last_good_ == now_) see(Mark::deadline_met_good_start);
  }
  void ordered(const pool::Start& effect) {
    if (ids_.number(effect.worker) < workers_.size()) return;
    workers_.emplace_back();
    ++counts_[static_cast<std::size_t>(State::over)];
    workers_.back().since = now_;
    expiry_due_ = std::min(expiry_due_, after(now_, config_.startup_budget));
    enter(workers_.back(), State::starting);
  }
  void ordered(const pool::Handshake& /*effect*/) {}
  void ordered(const pool::Stop& effect) {
    const Worker* worker = find(effect.worker);
    if (worker == nullptr) return;
    const bool kill = effect.step == pool::StopStep::kill;
    if (kill && worker->push == Push::termed) see(Mark::kill_was_needed);
    if (is_signal(effect.step) && worker->state == State::leased &&
        effect.why == pool::RemovalReason::closing) {
      see(Mark::lease_revoked_at_drains_end);
    }
    if (effect.why == pool::RemovalReason::budget_spent && worker->state == State::greeting) {
      see(Mark::start_budget_spent);
      failed();
    }
    push(effect.worker, static_cast<Push>(static_cast<int>(effect.step) + 1));
  }
  void ordered(const pool::Forget& effect) {
    if (Worker* worker = find(effect.worker)) enter(*worker, State::over);
  }
  void ordered(const pool::Closed& /*effect*/) {}

  // ---- after each record

  void look_at_step() {
    if (step_.late > 1) see(Mark::several_deadlines_at_once);
    if (step_.late > 0 && step_.granted) see(Mark::deadline_and_grant_in_one_step);
    if (step_.hopeless > 1) see(Mark::hopeless_all_refused);
  }

  void look_at_held_back() {
    if (closing_ || breaker_open()) return;
    const std::uint32_t under_way = count(State::starting) + count(State::greeting);
    const bool blocking = config_.init_mode == pool::InitMode::blocking;
    if (blocking && under_way > 0 && count(State::idle) > 0) {
      see(Mark::blocking_start_held_back_a_grant);
    }
    if (waiting_ <= under_way || present() >= config_.size) return;
    if (under_way >= (blocking ? 1 : config_.starts_max)) see(Mark::starts_max_held_back_a_start);
    if (count(State::leaving) >= config_.leaving_max) see(Mark::leaving_list_held_back_a_start);
  }

  // ---- small steps

  Worker* find(WorkerId worker) {
    const std::uint32_t found = ids_.find(worker);
    return found == kNone ? nullptr : &workers_[found];
  }
  Asked* answer(CheckoutId checkout) {
    const std::uint32_t place = checkouts_.find(checkout);
    if (place == kNone || std::exchange(asked_[place].answered, true)) return nullptr;
    --waiting_;
    return &asked_[place];
  }
  void push(WorkerId id, Push push) {
    Worker* worker = find(id);
    if (worker == nullptr || worker->state == State::over) return;
    worker->push = push;
    enter(*worker, State::leaving);
  }
  void failed() {
    if (breaker_open()) see(Mark::breaker_probe_failed);
    ++failures_;
    if (config_.breaker_failures > 0 && failures_ == config_.breaker_failures) {
      see(Mark::breaker_opened);
    }
  }
  void enter(Worker& worker, State state) {
    --counts_[static_cast<std::size_t>(worker.state)];
    worker.state = state;
    ++counts_[static_cast<std::size_t>(state)];
  }
  [[nodiscard]] std::uint32_t count(State state) const {
    return counts_[static_cast<std::size_t>(state)];
  }
  [[nodiscard]] std::uint32_t present() const {
    return count(State::starting) + count(State::greeting) + count(State::idle) +
           count(State::leased);
  }
  [[nodiscard]] bool breaker_open() const {
    return config_.breaker_failures > 0 && failures_ >= config_.breaker_failures;
  }
  void see(Mark mark) { found_.see(mark); }

  const pool::Config& config_;
  const trace::PoolRecord* next_;
  const trace::PoolRecord* end_;
  Coverage& found_;
  Time now_ = Time::min();
  Numbering<WorkerId> ids_;
  Table<Worker> workers_;  ///< in the order of their starts
  std::array<std::uint32_t, 6> counts_{};
  std::size_t oldest_ = 0;    ///< those before are no longer starting
  Time expiry_due_ = kNever;  ///< no start is given up before
  DirectNumbering<LeaseId> lease_numbers_;
  Table<Lease> leases_;
  SerialNumbering<CheckoutId> checkouts_;
  Table<Asked> asked_;
  std::uint32_t waiting_ = 0;
  std::uint32_t failures_ = 0;
  bool closing_ = false;
  Step step_;
  Time late_ = Time::min();  ///< the last of each
  Time cancelled_ = Time::min();
  Time last_checkin_ = Time::min();
  Time last_good_ = Time::min();
};

}  // namespace poolproof::oracle
