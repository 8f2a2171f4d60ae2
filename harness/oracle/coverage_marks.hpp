#pragma once

#include "harness/oracle/coverage.hpp"
#include "harness/oracle/promises.hpp"
#include "harness/oracle/view.hpp"

namespace poolproof::oracle {

/// Judges the promises and looks for rare situations in one walk through the self-report. The walk
/// goes only as far as somebody needs to know the state of the pool.
class PoolMarks final : public Promises {
 public:
  PoolMarks(const Evidence& evidence, Memory* memory, Coverage& found)
      : Promises(evidence.scenario.pool.core, evidence.bounds.liveness, memory,
                 evidence.trace.pool.size()),
        next_(evidence.trace.pool.data()),
        end_(next_ + evidence.trace.pool.size()),
        found_(found) {}

  void take_before(Time at) {
    while (next_ != end_ && next_->at < at) take(*next_++);
  }
  /// Takes the records up to the time `at`, but stops as soon as `enough()` is true.
  template <class Enough>
  void take_at(Time at, Enough enough) {
    while (next_ != end_ && next_->at <= at && !enough()) take(*next_++);
  }
  void take_rest() {
    while (next_ != end_) take(*next_++);
    judge_end();
  }

  [[nodiscard]] PoolMood mood() const {
    if (closing_) return PoolMood::closing;
    if (breaker_open()) return PoolMood::breaker_open;
    if (waiting_ > 0) return PoolMood::queueing;
    return count(State::idle) > 0 || present() < config_.size ? PoolMood::spare : PoolMood::busy;
  }

 private:
  /// What one record of the self-report refused and granted.
  struct Step {
    std::uint32_t late = 0;
    std::uint32_t hopeless = 0;
    bool granted = false;
  };
  struct Moments {
    Time back = Time::min();      ///< when its lease ended, by a check-in or by its death
    Time answered = Time::min();  ///< when its handshake ended
  };

  void before(const pool::Event& event) override {
    Promises::before(event);
    dispatch(event, [this](const auto& one) { look(one); });
  }
  void before(const pool::Effect& effect) override {
    Promises::before(effect);
    dispatch(effect, [this](const auto& one) { look(one); });
  }
  template <class Other>
  void look(const Other& /*nothing rare*/) {}

  void look(const pool::CheckedIn& event) {
    const std::uint32_t worker = holder(event.lease);
    if (worker == kNone) {
      const std::uint32_t lease = number_of(event.lease);
      const std::uint32_t held = lease == kNone ? kNone : leases_[lease].holds;
      if (held != kNone && moments(held).back == now_) see(Mark::exit_met_checkin);
      return see(Mark::late_checkin);
    }
    moments(worker).back = back_ = now_;
    if (count(State::handshake) > 0) see(Mark::checkin_during_a_handshake);
    if (late_ == now_) see(Mark::deadline_met_checkin);
    if (cancelled_ == now_) see(Mark::cancel_met_checkin);
  }
  void look(const pool::Started& event) {
    if (state(event.worker) == State::leaving) see(Mark::start_answered_after_given_up);
  }
  void look(const pool::HandshakeEnded& event) {
    if (!was_started(event.worker)) return;
    moments(ids_.find(event.worker)).answered = now_;
    const State now = state(event.worker);
    if (now == State::leaving) see(Mark::handshake_ended_after_given_up);
    if (now != State::handshake || event.evidence.cause != StartCause::none) return;
    if (breaker_open()) see(Mark::breaker_healed);
    good_ = now_;
    if (late_ == now_) see(Mark::deadline_met_good_start);
    const bool unwanted = waiting_for_any() == 0 && config_.start == pool::StartMode::lazy;
    if (unwanted) see(Mark::start_for_a_client_who_left);
  }
  void look(const pool::UnsolicitedOutput& event) {
    if (state(event.worker) == State::idle) see(Mark::unsolicited_output_while_idle);
  }
  void look(const pool::Exited& event) {
    const std::uint32_t worker = living(event.worker);
    if (worker == kNone) return;
    Moments& moment = moments(worker);
    if (moment.answered == now_) see(Mark::exit_met_handshake_end);
    if (moment.back == now_) see(Mark::exit_met_checkin);
    const Worker& one = workers_[worker];
    switch (one.state) {
      case State::handshake:
        return see(Mark::death_in_the_handshake);
      case State::idle:
        return see(one.served ? Mark::death_while_idle : Mark::death_unused);
      case State::leased:
        moment.back = now_;
        return see(Mark::death_while_leased);
      default:
        if (one.taken) see_sufficed(*one.taken);
    }
  }
  void see_sufficed(pool::StopStep step) {
    if (step == pool::StopStep::ask) see(Mark::asking_sufficed);
    if (step == pool::StopStep::end_of_input) see(Mark::end_of_stdin_sufficed);
    if (step == pool::StopStep::term) see(Mark::term_sufficed);
  }
  void look(const pool::CloseRequested& /*event*/) {
    if (closing_) return see(Mark::close_asked_twice);
    if (count(State::starting) > 0) see(Mark::close_while_starting);
    if (count(State::handshake) > 0) see(Mark::close_while_in_handshake);
    if (count(State::leased) > 0) see(Mark::close_while_leased);
    if (waiting_ > 0) see(Mark::close_while_waiting);
    if (breaker_open()) see(Mark::close_with_open_breaker);
  }

  void look(const pool::Grant& effect) {
    step_.granted = true;
    const bool beside = count(State::leased) > 0 && back_ == Time::min();
    if (beside) see(Mark::second_lease_before_any_return);
    const std::uint32_t place = waiter(effect.checkout);
    if (place == kNone) return;
    const CheckoutRequest& asked = asked_[place];
    if (asked.deadline == after(now_, Duration(1))) see(Mark::granted_in_the_last_microsecond);
    if (asked.deadline <= asked.at) see(Mark::try_checkout_served);
  }
  void look(const pool::Refuse& effect) {
    const std::uint32_t place = waiter(effect.checkout);
    const bool at_deadline = place != kNone && asked_[place].deadline <= now_;
    if (effect.why == Outcome::queue_full) see(Mark::queue_full);
    if (effect.why == Outcome::cancelled) {
      cancelled_ = now_;
      if (back_ == now_) see(Mark::cancel_met_checkin);
    }
    if (effect.why == Outcome::start_failed) {
      if (at_deadline) see(Mark::late_with_failing_starts);
      if (!at_deadline) ++step_.hopeless;
    }
    if (effect.why != Outcome::checkout_timeout) return;
    if (place != kNone && asked_[place].deadline <= asked_[place].at) {
      return see(Mark::try_checkout_refused);
    }
    ++step_.late;
    late_ = now_;
    if (back_ == now_) see(Mark::deadline_met_checkin);
    if (good_ == now_) see(Mark::deadline_met_good_start);
  }
  void look(const pool::Stop& effect) {
    const std::uint32_t worker = living(effect.worker);
    if (worker != kNone && !workers_[worker].taken && pool::is_recycling(effect.why)) {
      see(worker == returned_ ? Mark::recycled_at_checkin : Mark::recycled_while_idle);
      if (waiting_ > 0) see(Mark::recycled_beside_a_waiter);
      const bool grown = effect.why == pool::RemovalReason::rss_exceeded;
      if (grown && worker != returned_) see(Mark::recycled_for_memory);
    }
    if (worker == kNone || !is_signal(effect.step)) return;
    const Worker& one = workers_[worker];
    const bool termed = one.taken == pool::StopStep::term;
    if (effect.step == pool::StopStep::kill && termed) see(Mark::kill_was_needed);
    if (one.state == State::leased && effect.why == pool::RemovalReason::closing) {
      see(Mark::lease_revoked_at_drains_end);
    }
  }

  void before_failure(std::uint32_t /*worker*/, StartCause cause) override {
    if (cause == StartCause::budget_spent) see(Mark::start_budget_spent);
    if (breaker_open()) see(Mark::breaker_probe_failed);
    if (failures_ + 1 == config_.breaker_failures) see(Mark::breaker_opened);
  }

  void record_over() override {
    Promises::record_over();
    if (step_.late > 1) see(Mark::several_deadlines_at_once);
    if (step_.late > 0 && step_.granted) see(Mark::deadline_and_grant_in_one_step);
    if (step_.hopeless > 1) see(Mark::hopeless_all_refused);
    step_ = {};
    if (waiting_ > 0 && !closing_ && !breaker_open()) look_at_held_back();
    if (!may_recycle() && !closing_) look_at_put_off();
  }
  void look_at_held_back() {
    if (!suspended_ && !may_grant() && count(State::idle) > 0)
      see(Mark::blocking_start_held_back_a_grant);
    if (suspended_ && count(State::idle) > 0) see(Mark::suspended_beside_idle);
    if (suspended_ || waiting_for_any() <= coming() || present() >= config_.size) return;
    if (under_way() >= under_way_limit()) see(Mark::starts_max_held_back_a_start);
    if (count(State::leaving) >= config_.leaving_max) {
      see(Mark::leaving_list_held_back_a_start);
    } else if (taken_ >= config_.size && under_way() < under_way_limit()) {
      see(Mark::worker_before_held_back_a_start);
    }
  }

  /// Whether an idle worker is due to be recycled, and stays only because another is leaving or
  /// starting.
  void look_at_put_off() {
    const bool may_be = config_.max_calls > 0 || config_.max_rss_bytes > 0 ||
                        config_.max_lifetime > Duration::zero();
    for (std::uint32_t i = may_be ? idle_.first : kNone; i != kNone; i = workers_[i].following) {
      if (surely_due(workers_[i]) != pool::RemovalReason::none) see(Mark::recycling_put_off);
    }
  }

  void see(Mark mark) { found_.see(mark); }
  Moments& moments(std::uint32_t worker) {
    if (worker >= moments_.size()) moments_.resize(workers_.size());
    return moments_[worker];
  }

  const trace::PoolRecord* next_;
  const trace::PoolRecord* end_;
  Coverage& found_;
  Table<Moments> moments_{memory_};  ///< indexed by the worker's number
  Step step_;
  /// The last refusal at a deadline; below: the last cancel, return, good start
  Time late_ = Time::min();
  Time cancelled_ = Time::min();
  Time back_ = Time::min();
  Time good_ = Time::min();
};

/// What a run reached. Receipts of unknown faults count for nothing. Without a self-report (null)
/// there are no cells and no marks of the pool; otherwise the self-report is walked through.
///
/// At equal times, a step of the pool counts as earlier than a receipt only where the fault could
/// not have struck otherwise (the worker was started, greeted, leased, told to go).
void look_for_coverage(const Evidence& evidence, const View& view, PoolMarks* self_report,
                       Coverage& found);

}  // namespace poolproof::oracle
