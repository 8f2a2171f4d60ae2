#include "harness/oracle/promises.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "harness/oracle/promise_names.hpp"
#include "harness/trace/fields.hpp"

namespace poolproof::oracle {
namespace {

using pool::RemovalReason;
using pool::StopStep;
using trace::dotted;
using trace::milliseconds;

}  // namespace

void Promises::before(const pool::Event& event) {
  if (const auto* asks = std::get_if<pool::CheckoutRequested>(&event)) judge_asked(*asks);
  const auto* ended = std::get_if<pool::HandshakeEnded>(&event);
  const std::uint32_t worker = ended == nullptr ? kNone : living(ended->worker);
  if (worker == kNone || workers_[worker].state != State::handshake) return;
  judge_patience(worker, ended->evidence);
}

void Promises::before(const pool::Effect& effect) {
  if (closed_ && !std::holds_alternative<pool::Refuse>(effect)) {
    report(kAccounting, "a closed pool did more than turn clients away");
  }
  dispatch(effect, [this](const auto& order) { judge(order); });
}

void Promises::record_over() {
  if (greet_ != kNone) {
    report(kAccounting, "worker {} had started, and was not greeted", dotted(ids_.key(greet_)));
  }
  if (ending_ != kNone) {
    report(kAccounting, "worker {} had ended, and was not forgotten", dotted(ids_.key(ending_)));
  }
  if (waiting_for_any() > 0) {
    judge_waiting();
  } else {
    told_.beside_idle = told_.beside_vacant = false;
  }
  judge_bound();
  judge_sessions();
  judge_bounds();
  judge_refill();
  judge_recycling();
  judge_pings();
  judge_measures();
}

// ---- leases ------------------------------------------------------------------------------------

inline void Promises::judge(const pool::Grant& effect) {
  const std::uint64_t client = number(effect.checkout);
  const std::uint32_t first = first_to_serve();
  const CheckoutRequest* asked = nullptr;
  if (is_answered_once(effect.checkout)) {
    const std::uint32_t place = waiter(effect.checkout);
    asked = &asked_[place];
    if (asked->only && *asked->only != effect.worker) {
      report(kAffinity, "checkout #{} of a strict session was given worker {}, its own is {}",
             client, dotted(effect.worker), dotted(*asked->only));
    }
    if (place != first && first != kNone) {
      report(kOrder, "checkout #{} was served before checkout #{}, which had come earlier", client,
             number(asked_[first].checkout));
    }
    // A client that gives no time to wait may still get a worker that is idle at that moment.
    if (asked_[place].deadline <= now_ && asked_[place].in != records_) {
      report(kDeadlines, "checkout #{} was granted {} ms after its deadline", client,
             milliseconds(now_ - asked_[place].deadline));
    }
  }
  if (suspended_) {
    report(kAccounting, "checkout #{} was served by a suspended pool", client);
  } else if (!may_grant()) {
    report(kStarts, "checkout #{} was served while a blocking pool greeted another worker", client);
  }
  if (closing_) report(kAccounting, "checkout #{} was served by a closing pool", client);
  const std::uint32_t lease = lease_numbers_.find(effect.lease);
  if (effect.lease == LeaseId::none || (lease != kNone && leases_[lease].story.granted)) {
    report(kAccounting, "checkout #{} was given a lease that was another's", client);
  }
  const std::uint32_t worker = living(effect.worker);
  judge_reuse(worker, asked);
  const bool is_free = worker != kNone && workers_[worker].state == State::idle;
  if (is_free && workers_[worker].next.due > now_) return;
  report(kAccounting, "worker {} was granted to checkout #{} though it {}", dotted(effect.worker),
         client, is_free ? "had to go" : "was not idle");
}

/// Which of several idle workers is leased: the one that the session prefers, else the next one in
/// the order that the config says.
void Promises::judge_reuse(std::uint32_t worker, const CheckoutRequest* asked) {
  if (asked != nullptr && asked->only) return;
  const bool prefers = asked != nullptr && asked->use.affinity == pool::Affinity::prefer &&
                       asked->session != kNone && sessions_[asked->session].lives;
  const auto preferred = prefers ? sessions_[asked->session].worker : std::nullopt;
  if (preferred && state(*preferred) == State::idle) {
    if (worker == kNone || ids_.key(worker) == *preferred) return;
    return report(kAffinity, "worker {} was leased, but the session's worker {} was idle",
                  dotted(ids_.key(worker)), dotted(*preferred));
  }
  const bool last_in = config_.reuse == pool::Reuse::last_in_first_out;
  const std::uint32_t next = last_in ? idle_.last : idle_.first;
  if (worker == kNone || worker == next || workers_[worker].state != State::idle) return;
  report(kOrder, "worker {} was leased, but worker {} was the next ({} first)",
         dotted(ids_.key(worker)), dotted(ids_.key(next)), last_in ? "last in" : "first in");
}

bool Promises::is_answered_once(CheckoutId checkout) {
  if (waiter(checkout) != kNone) return true;
  const bool asked = checkout_numbers_.find(checkout) != kNone;
  report(kAccounting, "checkout #{} was answered {}", number(checkout),
         asked ? "a second time" : "but had not asked");
  return false;
}

/// The Core settles in every step: after it, no client waits that could be served, or for which a
/// worker could be started.
void Promises::judge_waiting() {
  const auto* asks = std::get_if<pool::CheckoutRequested>(&record_->event);
  if (asks != nullptr && asks->deadline <= now_ && waiter(asks->checkout) != kNone) {
    report(kDeadlines, "checkout #{} waits though it gave no time", number(asks->checkout));
  }
  const auto first = [this] { return number(asked_[first_waiter()].checkout); };
  const bool beside_idle = !closing_ && may_grant() && count(State::idle) > 0;
  if (newly(beside_idle, told_.beside_idle)) {
    report(kNoWaiter, "checkout #{} waits beside an idle worker", first());
  }
  if (!closing_ && is_hopeless()) {
    report(kNoWaiter, "checkout #{} waits though no worker lives and none will be tried", first());
  }
  const bool beside_vacant = !closing_ && !suspended_ && !beside_idle && !breaker_open() &&
                             under_way() < under_way_limit() &&
                             count(State::leaving) < config_.leaving_max &&
                             waiting_for_any() > coming() && held_ < config_.size;
  if (newly(beside_vacant, told_.beside_vacant)) {
    report(kNoWaiter, "checkout #{} waits, slot {} is vacant, and nothing is started", first(),
           first_vacant());
  }
}

// ---- starts ------------------------------------------------------------------------------------

inline void Promises::judge(const pool::Start& effect) {
  const auto wrong = [&](const char* invariant, std::string_view what) {
    report(invariant, "worker {} was started {}", dotted(effect.worker), what);
  };
  judge_place(effect.worker);
  if (closing_) wrong(kStarts, "by a closing pool");
  if (under_way() >= under_way_limit()) {
    wrong(kStarts,
          fmt::format("while {} starts were under way, {} may be", under_way(), under_way_limit()));
  }
  if (count(State::leaving) >= config_.leaving_max) {
    wrong(kBounds, fmt::format("while {} workers told to go were still there, {} may be",
                               count(State::leaving), config_.leaving_max));
  }
  if (breaker_open()) {
    if (now_ >= after(last_failure_, config_.breaker_open) && under_way() == 0) return;
    return wrong(kStarts, fmt::format("while the breaker was open ({} failed starts)", failures_));
  }
  const bool for_waiters = !suspended_ && waiting_for_any() > coming();
  if (!for_waiters && !lacks_workers(0)) {
    wrong(kStarts, fmt::format("for nobody: {} wait, {} starts are under way", waiting_for_any(),
                               under_way()));
  }
  if (effect.worker.slot >= slots_.size()) return;
  const Slot& slot = slots_[effect.worker.slot];
  if (slot.may_cool && now_ < after(slot.cooled_from, least_pause(slot.failures))) {
    wrong(kStarts, fmt::format("without the pause after {} failure(s)", slot.failures));
  }
}

/// A slot has one worker at a time, and its workers are numbered in their order.
void Promises::judge_place(WorkerId worker) {
  if (was_started(worker)) {
    return report(kAccounting, "worker {} was started twice", dotted(worker));
  }
  if (worker.slot >= config_.size) {
    return report(kBounds, "worker {} was started in a slot that a pool of {} does not have",
                  dotted(worker), config_.size);
  }
  const Slot slot = worker.slot < slots_.size() ? slots_[worker.slot] : Slot{};
  if (slot.occupants > 0) {
    report(kBounds, "worker {} was started beside another in its slot", dotted(worker));
  }
  if (slot.awaited > 0) {
    report(kStarts, "worker {} was started before the one in its slot had gone", dotted(worker));
  }
  if (slot.generations != worker.generation) {
    report(kAccounting, "worker {} was started after {} others in its slot", dotted(worker),
           slot.generations);
  }
}

/// The start-up budget runs from the order to start.
inline void Promises::judge(const pool::BeginHandshake& effect) {
  const std::uint32_t worker = living(effect.worker);
  if (worker == kNone || worker != greet_) {
    return report(kAccounting, "worker {} was greeted, but not because it had started",
                  dotted(effect.worker));
  }
  const Time end = after(workers_[worker].since, config_.startup_budget);
  if (effect.deadline == end) return;
  report(kDeadlines, "worker {} was given till {} ms for its start, its budget ends at {} ms",
         dotted(effect.worker), milliseconds(effect.deadline - Time{}), milliseconds(end - Time{}));
}

/// A suspected cause (a bad frame, a closed pipe) is no verdict before the post-mortem's time is
/// over, nor is silence after the end of stdin. But no handshake may take longer than its budgets.
void Promises::judge_patience(std::uint32_t worker, const pool::StartEvidence& evidence) {
  using enum StartCause;
  constexpr std::array kSuspected{text_on_stdout, reply_unframed, bad_frame,
                                  stdout_closed,  stdin_closed,   reply_incomplete};
  const Worker& one = workers_[worker];
  const bool good = evidence.cause == none;
  const Time budget_over = after(one.since, config_.startup_budget);
  const Time end = good ? budget_over : after(budget_over, config_.postmortem_budget);
  if (now_ > after(end, lateness_)) {
    report(kDeadlines, "the handshake of worker {} ended {} ms after its {} was over",
           dotted(ids_.key(worker)), milliseconds(now_ - end),
           good ? "start-up budget" : "post-mortem");
  }
  const bool suspected =
      std::find(kSuspected.begin(), kSuspected.end(), evidence.cause) != kSuspected.end();
  const bool early =
      suspected && now_ < budget_over && now_ < after(one.greeted, config_.postmortem_budget);
  const bool impatient =
      evidence.outlived_stdin && now_ < after(budget_over, config_.postmortem_budget);
  if (!early && !impatient) return;
  report("diagnosis",
         "the start of worker {} was told to have failed by {} before the post-mortem was over",
         dotted(ids_.key(worker)), poolproof::name(evidence.cause));
}

/// Whether the pool must start a worker: an eager pool fills its slots, a pool short of idle
/// workers adds some, and one whose breaker half-opens tries one start.
bool Promises::lacks_a_start() const {
  if (closing_ || count(State::leaving) >= config_.leaving_max) return false;
  if (!breaker_open()) {
    return lacks_workers(may_cool()) && held_ < config_.size && under_way() < under_way_limit();
  }
  return !failed_now_ && under_way() == 0 && taken_ < config_.size &&
         after(last_failure_, config_.breaker_open) <= now_;
}

/// A start that is lacking must be made without any client asking for it.
void Promises::judge_refill() {
  if (!newly(lacks_a_start(), told_.refill)) return;
  if (breaker_open()) return report("full_size", "the breaker is half open, and no start is tried");
  report(
      "full_size", "slot {} of {} is vacant, and nothing is started", first_vacant(),
      config_.start == pool::StartMode::eager ? "an eager pool" : "a pool short of idle workers");
}

std::uint32_t Promises::first_vacant() const {
  const auto vacant =
      std::find_if(slots_.begin(), slots_.end(), [](const Slot& slot) { return !slot.held(); });
  return static_cast<std::uint32_t>(vacant - slots_.begin());
}

// ---- what refused clients are told ------------------------------------------------------------

void Promises::judge(const pool::Refuse& effect) {
  if (!is_answered_once(effect.checkout)) return;
  const std::uint32_t place = waiter(effect.checkout);
  judge_reason(effect, asked_[place]);
  judge_late(effect, asked_[place]);
  if (effect.why == Outcome::start_failed) judge_cause(effect);
  if (!closing_ && effect.phase != Phase::none) judge_blocker(effect, place);
}

/// Judges the reason given for a refusal, and whether the client had to be refused.
void Promises::judge_reason(const pool::Refuse& refusal, const CheckoutRequest& asked) {
  const auto wrong = [&](const char* invariant, std::string_view what) {
    report(invariant, "checkout #{} was told {} {}", number(refusal.checkout),
           poolproof::name(refusal.why), what);
  };
  const bool is_new = asked.in == records_;
  const auto* cancelled = std::get_if<pool::CheckoutCancelled>(&record_->event);
  const bool wanted =
      has_happened_ && cancelled != nullptr && cancelled->checkout == refusal.checkout;
  const bool told_so = refusal.why == Outcome::cancelled;
  if (wanted && !told_so && now_ < asked.deadline) wrong(kDiagnosis, "though it was cancelled");
  if (told_so && !wanted) wrong(kDiagnosis, "though it was not");
  if (refusal.why == Outcome::pool_closed && !closing_) wrong(kDiagnosis, "by an open pool");
  if (refusal.why == Outcome::checkout_timeout && now_ < asked.deadline) {
    wrong("deadlines",
          fmt::format("{} ms before its deadline", milliseconds(asked.deadline - now_)));
  }
  const bool full = is_new && waiting_ > config_.waiters_max;
  if (refusal.why == Outcome::queue_full && !full) {
    wrong("bounds", fmt::format("though {} waited and {} may", waiting_ - 1, config_.waiters_max));
  }
  const bool early = refusal.why == Outcome::start_failed && now_ < asked.deadline;
  if (early && !is_hopeless()) wrong(kDiagnosis, "while a worker lived, or would be tried");
  judge_session_reason(refusal, asked);
  if (!is_new || closing_ || asked.only || asked.has_no_room) return;
  if (waiting_for_any() == 1 && may_grant() && count(State::idle) > 0) {
    wrong("no_waiter_beside_idle", "and turned away beside an idle worker");
  }
  if (is_hopeless() && refusal.why != Outcome::start_failed) {
    wrong(kDiagnosis, "though no worker lives and the breaker is open");
  }
}

/// A client whose time is up is told start_failed if a start failed while it waited, else
/// checkout_timeout.
void Promises::judge_late(const pool::Refuse& refusal, const CheckoutRequest& asked) {
  const bool says_failed = refusal.why == Outcome::start_failed;
  const bool late =
      asked.deadline <= now_ && (says_failed || refusal.why == Outcome::checkout_timeout);
  // A client that finds the breaker open is told start_failed, though none failed meanwhile.
  if (!late || (asked.in == records_ && is_hopeless())) return;
  const bool failed = failures_ > 0 && last_failure_ >= asked.at;
  if (failed == says_failed) return;
  report(kDiagnosis, "checkout #{} was told {} though {} start had failed by its deadline",
         number(refusal.checkout), poolproof::name(refusal.why), failed ? "a" : "no");
}

void Promises::judge_cause(const pool::Refuse& refusal) {
  const bool known = !last_failed_ || refusal.cause_worker == *last_failed_;
  if (refusal.failures != failures_ || !known) {
    return report(kDiagnosis,
                  "checkout #{} was told that worker {} failed, the last of {}; it was {} of {}",
                  number(refusal.checkout), dotted(refusal.cause_worker), refusal.failures,
                  last_failed_ ? dotted(*last_failed_) : "none", failures_);
  }
  if (!last_failed_ || refusal.cause.cause == last_cause_) return;
  report(kDiagnosis, "checkout #{} was told of the cause {}, the last was {}",
         number(refusal.checkout), poolproof::name(refusal.cause.cause),
         poolproof::name(last_cause_));
}

/// Judges which worker the error names as in the way, and how far that worker's start had got.
void Promises::judge_blocker(const pool::Refuse& refusal, std::uint32_t place) {
  const std::optional<WorkerId>& only = asked_[place].only;
  const bool names_own = refusal.phase == Phase::queued && refusal.has_blocker;
  const bool bound = only && !is_at_rest(state(*only));
  const std::string_view wrong =
      bound
          ? names_own && refusal.blocker == *only ? "" : "it waited for its session's worker alone"
      : refusal.has_blocker ? wrong_start(refusal, place)
                            : wrong_wait(refusal, asked_[place]);
  if (wrong.empty()) return;
  report(kDiagnosis, "checkout #{} was told of the phase {}: {}", number(refusal.checkout),
         poolproof::name(refusal.phase), wrong);
}

std::string_view Promises::wrong_wait(const pool::Refuse& refusal,
                                      const CheckoutRequest& asked) const {
  if (suspended_ && refusal.why != Outcome::start_failed) {
    return refusal.phase == Phase::suspended ? "" : "the pool was suspended";
  }
  if (under_way() > 0) return "a start is under way";
  if (refusal.cause.cause == StartCause::behind_another_start) return "no start is under way";
  switch (refusal.phase) {
    case Phase::starting:
    case Phase::handshake:
      return "no start is under way";
    case Phase::suspended:
      return "it was not suspended";
    case Phase::cooling: {
      const bool cools = breaker_open() || may_cool() > 0;
      return cools && count(State::leased) == 0 ? "" : "it waited for no slot that cools";
    }
    default:
      break;
  }
  const std::uint32_t alive =
      count(State::leased) + count(State::idle) + count(State::pinging) + count(State::leaving);
  // A client that does not wait may come before a start is tried; in a step that comes late, a
  // slot's pause may have ended just before.
  const bool waited = refusal.why == Outcome::checkout_timeout && asked.in != records_;
  const bool sure = lateness_ == Duration::zero() || !may_have_cooled();
  return alive == 0 && waited && sure ? "nobody had a worker" : "";
}

bool Promises::may_have_cooled() const {
  return std::any_of(slots_.begin(), slots_.end(), [this](const Slot& slot) {
    return slot.may_cool && after(slot.cooled_from, least_pause(slot.failures)) <= now_;
  });
}

std::string_view Promises::wrong_start(const pool::Refuse& refusal, std::uint32_t place) const {
  const std::uint32_t worker = living(refusal.blocker);
  if (worker == kNone || worker != under_way_.first) return "another start had been ordered before";
  const Worker& one = workers_[worker];
  if (refusal.since != one.since) return "its worker was started at another time";
  if (refusal.phase == Phase::starting || refusal.phase == Phase::handshake) {
    const bool starting = refusal.phase == Phase::starting;
    return starting == (one.state == State::starting) ? "" : "its worker had got to another phase";
  }
  if (refusal.cause.cause != StartCause::behind_another_start) return "a start is under way";
  if (workers_[under_way_.last].begun_after > place) return "a start was begun after it had asked";
  return under_way() < under_way_limit() ? "more starts might go on" : "";
}

// ---- the stop ladder, and the end --------------------------------------------------------------

/// The stop ladder: shutdown request, end of stdin, TERM, KILL, each after the grace of the step
/// before, none skipped, none early and none late. Which step comes first depends on why the worker
/// must go. When a closing pool's time is up, all workers are killed.
inline void Promises::judge(const pool::Stop& effect) {
  const std::uint32_t worker = living(effect.worker);
  const auto wrong = [&](const char* invariant, std::string_view what) {
    report(invariant, "worker {} {}", dotted(effect.worker), what);
  };
  if (worker == kNone) {
    if (is_signal(effect.step)) wrong(kAccounting, "was signalled when it was over");
    return;
  }
  const Worker& one = workers_[worker];
  if (!one.taken && pool::is_recycling(effect.why)) return judge_recycled(worker, effect);
  const auto step = trace::name(effect.step);
  if (time_is_up_ && one.taken && effect.step == StopStep::kill) return;
  if (!one.taken && (one.next.due > now_ || one.next.why != effect.why)) {
    wrong(kLadder, "was made to go, but not for the reason given");
  } else if (effect.step != one.next.step) {
    wrong(kLadder, fmt::format("was pushed by {}, {} was next", step, trace::name(one.next.step)));
  } else if (one.next.due > now_) {
    wrong(kLadder, fmt::format("was pushed by {} before the grace was over", step));
  } else if (one.next.why != effect.why) {
    wrong(kLadder, "was pushed on for another reason than before");
  }
}

void Promises::missed(std::uint32_t worker, StopStep step) {
  const std::string who = dotted(ids_.key(worker));
  if (workers_[worker].state == State::handshake && !closing_) {
    return report(kDeadlines, "worker {} was still greeted when its start was to be given up", who);
  }
  report(kLadder, "worker {} was not pushed on when its time was up (by {})", who,
         trace::name(step));
}

inline void Promises::judge(const pool::Forget& effect) {
  const std::uint32_t worker = living(effect.worker);
  if (worker != kNone && worker == ending_) return;
  report(kAccounting, "worker {} was forgotten {}", dotted(effect.worker),
         worker == kNone ? "but was over, or never was" : "before it had ended");
}

inline void Promises::judge(const pool::Closed&) {
  if (!closing_) report(kAccounting, "the pool was closed without being asked");
}

/// Whether there are more workers or waiting clients than there may be. (The number of starts is
/// judged when one is ordered.)
void Promises::judge_bounds() {
  if (newly(present() > config_.size, told_.crowded)) {
    report(kBounds, "{} workers are in the slots of a pool of {}", present(), config_.size);
  }
  if (newly(waiting_ > config_.waiters_max, told_.queue)) {
    report(kBounds, "{} clients wait, {} may", waiting_, config_.waiters_max);
  }
  const std::uint64_t leaving_max = std::uint64_t{config_.leaving_max} + config_.size;
  if (newly(count(State::leaving) > leaving_max, told_.leaving)) {
    report(kBounds, "{} workers told to go are still there, {} may be", count(State::leaving),
           leaving_max);
  }
}

void Promises::judge_end() {
  if (closing_ && !closed_) report(kAccounting, "the pool never said that it was closed");
  if (!closed_) return;
  for (const CheckoutRequest& asked : asked_) {
    if (asked.answered) continue;
    report(kAccounting, "checkout #{} was never answered", number(asked.checkout));
  }
  for (std::uint32_t worker = 0; worker < workers_.size(); ++worker) {
    if (workers_[worker].state == State::over) continue;
    report(kAccounting, "worker {} was started and never forgotten", dotted(ids_.key(worker)));
  }
}

}  // namespace poolproof::oracle
