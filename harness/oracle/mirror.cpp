#include "harness/oracle/mirror.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "harness/oracle/dispatch.hpp"
#include "harness/trace/fields.hpp"

namespace poolproof::oracle {
namespace {

using trace::dotted;

constexpr const char* kOrder = "order";
constexpr const char* kAccounting = "accounting";
constexpr const char* kNoWaiter = "no_waiter_beside_idle";
constexpr const char* kStarts = "bounded_starts";
constexpr const char* kBounds = "bounds";
constexpr const char* kDeadlines = "deadlines";

std::uint64_t number(CheckoutId checkout) {
  return static_cast<std::uint64_t>(checkout);
}

}  // namespace

/// A start whose order has not been answered within the budget is given up without a word.
void Mirror::expire_starts() {
  expiry_due_ = kNever;
  for (; oldest_start_ < starting_.size(); ++oldest_start_) {
    const std::uint32_t oldest = starting_[oldest_start_];
    if (workers_[oldest].state != State::starting) continue;
    const Time due = after(workers_[oldest].since, config_.startup_budget);
    if (due > now_) {
      expiry_due_ = due;
      return;
    }
    if (!std::exchange(given_up_, true)) {
      gave_up_at_ = due;
      failure_before_ = last_failure_;
    }
    put_away(oldest, true);
  }
}

// ---- events ------------------------------------------------------------------------------------

inline void Mirror::happened(const pool::CheckoutRequested& event) {
  if (checkout_numbers_.number(event.checkout) < asked_.size()) return;
  asked_.push_back({event.checkout, event.deadline, record_, false});
  spent_ = event.deadline <= now_ ? event.checkout : CheckoutId::none;
  ++waiting_;
}

inline void Mirror::happened(const pool::CheckedIn& event) {
  const std::uint32_t place = lease_numbers_.number(event.lease);
  if (place == leases_.size()) leases_.emplace_back();
  Lease& lease = leases_[place];
  if (!lease.story.returned_clean) lease.story.returned_clean = event.clean;
  const std::uint32_t worker = lease.holds;
  if (worker == kNone || workers_[worker].state != State::leased) return;
  if (event.clean) {
    workers_[worker].served = true;
    slot_of(worker).failures = 0;
  }
  enter(worker, event.clean && !closing_ ? State::idle : State::leaving);
  if (!event.clean || closing_) ladder_.must_go(worker);
  lease.holds = kNone;
}

inline void Mirror::happened(const pool::LeaseRevoked& event) {
  const std::uint32_t lease = lease_numbers_.find(event.lease);
  if (lease == kNone) return;
  const std::uint32_t worker = leases_[lease].holds;
  const bool holds = worker != kNone && workers_[worker].state == State::leased;
  if (holds) ladder_.must_go(worker);
  put_away(worker, false);
}

inline void Mirror::happened(const pool::Started& event) {
  const std::uint32_t worker = living(event.worker);
  if (worker == kNone) return;
  if (closing_ || workers_[worker].state == State::leaving) late_start_ = now_;
  if (workers_[worker].state == State::leaving) ladder_.must_go(worker);
  workers_[worker].greeted = now_;
  if (workers_[worker].state == State::starting) enter(worker, State::greeting);
}

inline void Mirror::happened(const pool::StartFailed& event) {
  const std::uint32_t worker = living(event.worker);
  if (worker == kNone) return;
  if (closing_ || workers_[worker].state == State::leaving) late_start_ = now_;
  if (workers_[worker].state == State::starting) {
    failed_start(worker, StartCause::exec_failed);
  }
}

inline void Mirror::happened(const pool::HandshakeEnded& event) {
  if (event.evidence.cause != StartCause::none) add(bad_greetings_, record_);
  const std::uint32_t worker = living(event.worker);
  if (worker == kNone || workers_[worker].state != State::greeting) return;
  // What is due comes first: the answer may have come after the Core had given the start up. It
  // says so by what it orders.
  const auto gives_up = [&event](const pool::Effect& effect) {
    const auto* stop = std::get_if<pool::Stop>(&effect);
    return stop != nullptr && stop->worker == event.worker &&
           stop->why == pool::RemovalReason::budget_spent;
  };
  if (std::any_of(record_->effects.begin(), record_->effects.end(), gives_up)) return;
  judge_patience(worker, event.evidence);
  if (event.evidence.cause != StartCause::none) {
    failed_start(worker, event.evidence.cause);
    ladder_.must_go(worker);
    return enter(worker, State::leaving);
  }
  failures_ = 0;
  enter(worker, State::idle);
}

/// Away it goes at once; before it was of any use, that is as if it had died.
inline void Mirror::happened(const pool::OutputStrayed& event) {
  const std::uint32_t worker = living(event.worker);
  if (worker == kNone || workers_[worker].state != State::idle) return;
  if (!workers_[worker].served) of_no_use(worker);
  add(strayed_, {event.worker, now_});
  ladder_.must_go(worker);
}

inline void Mirror::happened(const pool::Exited& event) {
  const std::uint32_t worker = living(event.worker);
  if (worker == kNone) return;
  const State state = workers_[worker].state;
  if (state == State::greeting) failed_start(worker, StartCause::exited);
  if (state == State::idle && !workers_[worker].served) of_no_use(worker);
  if (state != State::starting) enter(worker, State::leaving);
}

inline void Mirror::happened(const pool::CloseRequested& event) {
  last_close_ = standing();
  closing_ = true;
  ladder_.close_requested(event.deadline);
}

// ---- effects -----------------------------------------------------------------------------------

inline void Mirror::ordered(const pool::Grant& effect) {
  const CheckoutId first = first_waiting();
  const std::uint32_t asked = answer(effect.checkout);
  if (asked != kNone && first != effect.checkout) {
    report(kOrder,
           fmt::format("checkout #{} was served before checkout #{}, which had come earlier",
                       number(effect.checkout), number(first)));
  }
  // Who asks with no time left may have a worker that is idle, at once.
  if (asked != kNone && asked_[asked].deadline <= now_ && asked_[asked].in != record_) {
    report(kDeadlines,
           fmt::format("checkout #{} was granted {} ms after its deadline", number(effect.checkout),
                       trace::milliseconds(now_ - asked_[asked].deadline)));
  }
  if (config_.init_mode == pool::InitMode::blocking && under_way() > 0) {
    report(kStarts,
           fmt::format("checkout #{} was served while a blocking pool greeted another worker",
                       number(effect.checkout)));
  }
  const std::uint32_t worker = living(effect.worker);
  if (worker == kNone || workers_[worker].state != State::idle) {
    report(kAccounting, fmt::format("worker {} was granted to checkout #{} though it was not idle",
                                    dotted(effect.worker), number(effect.checkout)));
  }
  judge_reuse(worker);
  if (worker != kNone) enter(worker, State::leased);
  const std::uint32_t place = lease_numbers_.number(effect.lease);
  if (place == leases_.size()) leases_.emplace_back();
  if (!leases_[place].story.granted) leases_[place].story.granted = effect.worker;
  leases_[place].holds = worker;
}

inline void Mirror::ordered(const pool::Refuse& effect) {
  add(refusals_, &effect);
  const std::uint32_t asked = answer(effect.checkout);
  if (asked == kNone) return;
  judge_refusal(effect, asked_[asked]);
  if (effect.why == Outcome::checkout_timeout && now_ < asked_[asked].deadline) {
    report(kDeadlines, fmt::format("checkout #{} was refused {} ms before its deadline",
                                   number(effect.checkout),
                                   trace::milliseconds(asked_[asked].deadline - now_)));
  }
  if (effect.why == Outcome::queue_full && waiting_ < config_.waiters_max) {
    report(kBounds, fmt::format("checkout #{} found the queue full, though {} waited and {} may",
                                number(effect.checkout), waiting_, config_.waiters_max));
  }
}

std::uint32_t Mirror::answer(CheckoutId checkout) {
  const std::uint32_t place = checkout_numbers_.find(checkout);
  if (place == kNone || asked_[place].answered) {
    report(kAccounting, fmt::format("checkout #{} was answered {}", number(checkout),
                                    place == kNone ? "but had not asked" : "a second time"));
    return kNone;
  }
  asked_[place].answered = true;
  --waiting_;
  return place;
}

inline void Mirror::ordered(const pool::Start& effect) {
  const std::uint32_t worker = ids_.number(effect.worker);
  if (worker < workers_.size()) {
    return report(kAccounting, fmt::format("worker {} was started twice", dotted(effect.worker)));
  }
  if (effect.worker.slot >= config_.size) {
    report(kBounds, fmt::format("worker {} was started in a slot that a pool of {} does not have",
                                dotted(effect.worker), config_.size));
  } else if (effect.worker.slot >= slots_.size()) {
    slots_.resize(effect.worker.slot + 1);
  }
  judge_start(effect.worker);
  workers_.push_back({State::over, false, now_, now_, record_, kNone, kNone});
  ++counts_[static_cast<std::size_t>(State::over)];
  starting_.push_back(worker);
  expiry_due_ = std::min(expiry_due_, after(now_, config_.startup_budget));
  greeting_due_ = std::min(greeting_due_, after(now_, longest_greeting()));
  change(slot_of(worker), [](Slot& slot) { slot.may_cool = false; });
  enter(worker, State::starting);
}

inline void Mirror::ordered(const pool::Stop& effect) {
  const std::uint32_t worker = living(effect.worker);
  if (worker == kNone && is_signal(effect.step)) {
    report(kAccounting,
           fmt::format("worker {} was signalled when it was over", dotted(effect.worker)));
  }
  judge_push(worker, static_cast<Rung>(static_cast<int>(effect.step) + 1), effect.why);
  const bool leased = worker != kNone && workers_[worker].state == State::leased;
  if (is_signal(effect.step) && effect.why == pool::RemovalReason::closing && leased) {
    add(taken_back_, {effect.worker, now_});
  }
  if (effect.step == pool::StopStep::end_of_input && worker != kNone) add(deaf_, effect.worker);
  const bool spent = effect.why == pool::RemovalReason::budget_spent;
  // What fell due when is no longer known.
  if (spent) gave_up_at_ = Time::min();
  put_away(worker, spent);
}

inline void Mirror::ordered(const pool::Handshake& effect) {
  const std::uint32_t worker = living(effect.worker);
  if (worker != kNone) return judge_handshake(worker, effect);
  report(kAccounting, fmt::format("worker {} was greeted when it was over", dotted(effect.worker)));
}

inline void Mirror::ordered(const pool::Forget& effect) {
  const auto* exited = std::get_if<pool::Exited>(&record_->event);
  const auto* failed = std::get_if<pool::StartFailed>(&record_->event);
  const bool ended = (exited != nullptr && exited->worker == effect.worker) ||
                     (failed != nullptr && failed->worker == effect.worker);
  const std::uint32_t worker = living(effect.worker);
  if (worker == kNone || !ended) {
    report(kAccounting,
           fmt::format("worker {} was forgotten {}", dotted(effect.worker),
                       worker == kNone ? "but was over, or never was" : "before it had ended"));
  }
  if (worker == kNone) return;
  enter(worker, State::over);
  ladder_.over(worker);
}

inline void Mirror::ordered(const pool::Closed&) {
  if (closed_ || !closing_)
    report(kAccounting, "the pool was closed twice, or without being asked");
  closed_ = true;
}

// ---- rules -------------------------------------------------------------------------------------

void Mirror::judge_start(WorkerId worker) {
  if (under_way() >= under_way_limit()) {
    report(kStarts, fmt::format("worker {} was started while {} starts were under way, {} may be",
                                dotted(worker), under_way(), under_way_limit()));
  }
  const bool probe = breaker_open();
  if (probe && (now_ < after(last_failure_, config_.breaker_open) || under_way() > 0)) {
    report(kStarts,
           fmt::format("worker {} was started while the breaker was open ({} failed starts)",
                       dotted(worker), failures_));
  }
  if (count(State::leaving) >= config_.leaving_max) {
    report(
        kBounds,
        fmt::format("worker {} was started while {} workers told to go were still there, {} may be",
                    dotted(worker), count(State::leaving), config_.leaving_max));
  }
  if (config_.start == pool::StartMode::lazy && !probe && waiting_ <= under_way()) {
    report(kStarts,
           fmt::format("worker {} was started for nobody: {} wait, {} starts are under way",
                       dotted(worker), waiting_, under_way()));
  }
  const Slot& slot = worker.slot < slots_.size() ? slots_[worker.slot] : stray_;
  if (!probe && slot.may_cool && now_ < after(slot.cooled_from, least_pause(slot.failures))) {
    report(kStarts, fmt::format("worker {} was started without the pause after {} failure(s)",
                                dotted(worker), slot.failures));
  }
}

/// The Core settles in every step: whoever still waits after one can't be served nor started for.
void Mirror::judge_waiting() {
  if (spent_ != CheckoutId::none && !asked_.back().answered) {
    report(kDeadlines, fmt::format("checkout #{} waits though it gave no time", number(spent_)));
  }
  const bool waits = !closing_;
  const bool beside_idle = waits && may_grant() && count(State::idle) > 0;
  if (newly(beside_idle, told_.beside_idle)) {
    report(kNoWaiter,
           fmt::format("checkout #{} waits beside an idle worker", number(first_waiting())));
  }
  if (waits && is_hopeless() && record_->effects.size() < 1000) {
    report(kNoWaiter,
           fmt::format("checkout #{} waits though no worker lives and none will be tried",
                       number(first_waiting())));
  }
  const bool beside_vacant =
      waits && !beside_idle && !breaker_open() && under_way() < under_way_limit() &&
      count(State::leaving) < config_.leaving_max && waiting_ > under_way() && held_ < config_.size;
  if (newly(beside_vacant, told_.beside_vacant)) {
    report(kNoWaiter, fmt::format("checkout #{} waits, slot {} is vacant, and nothing is started",
                                  number(first_waiting()), first_vacant()));
  }
}

/// Whether there are more of anything than there may be. (Starts: see judge_start.)
inline void Mirror::judge_bounds() {
  const bool within = present() <= config_.size && waiting_ <= config_.waiters_max &&
                      count(State::leaving) <= config_.leaving_max;
  if (!within || told_.bounds()) report_bounds();
}

void Mirror::report_bounds() {
  if (newly(present() > config_.size, told_.crowded)) {
    report(kBounds,
           fmt::format("{} workers are in the slots of a pool of {}", present(), config_.size));
  }
  if (newly(waiting_ > config_.waiters_max, told_.queue)) {
    report(kBounds, fmt::format("{} clients wait, {} may", waiting_, config_.waiters_max));
  }
  const std::uint64_t leaving_max = std::uint64_t{config_.leaving_max} + config_.size;
  if (newly(count(State::leaving) > leaving_max, told_.leaving)) {
    report(kBounds, fmt::format("{} workers told to go are still there, {} may be",
                                count(State::leaving), leaving_max));
  }
}

void Mirror::judge_end() {
  if (closing_ && !closed_) report(kAccounting, "the pool never said that it was closed");
  if (!closed_) return;
  for (const Asked& asked : asked_) {
    if (asked.answered) continue;
    report(kAccounting, fmt::format("checkout #{} was never answered", number(asked.checkout)));
  }
  for (std::uint32_t worker = 0; worker < workers_.size(); ++worker) {
    if (workers_[worker].state == State::over) continue;
    report(kAccounting,
           fmt::format("worker {} was started and never forgotten", dotted(ids_.key(worker))));
  }
}

// ---- record by record --------------------------------------------------------------------------

/// What stands when all that the record tells is done.
inline void Mirror::judge_record() {
  if (!cooling_.empty() && cooling_.top().until <= now_) judge_cooled();
  if (waiting_ > 0) {
    judge_waiting();
  } else {
    told_.beside_idle = told_.beside_vacant = false;
  }
  judge_bounds();
  const bool lacks = lacks_a_start();
  if (lacks || told_.refill) judge_refill(lacks);
  if (!ladder_.is_quiet() || told_.drained) judge_ladder();
  if (greeting_due_ <= now_) judge_greetings();
}

inline void Mirror::take(const trace::PoolRecord& record) {
  record_ = &record;
  now_ = std::max(now_, record.at);
  ladder_.begin(now_);
  given_up_ = failed_now_ = false;
  spent_ = CheckoutId::none;
  if (expiry_due_ <= now_) expire_starts();
  dispatch(record.event, [this](const auto& event) { happened(event); });
  for (const pool::Effect& effect : record.effects) {
    dispatch(effect, [this](const auto& order) { ordered(order); });
  }
  judge_record();
}

Mirror::Mirror(const Evidence& evidence, Memory* memory)
    : config_(evidence.scenario.pool.core),
      lateness_(evidence.bounds.liveness),
      ids_(memory),
      workers_(memory),
      starting_(memory),
      slots_(memory),
      lease_numbers_(memory),
      leases_(memory),
      checkout_numbers_(memory),
      asked_(memory),
      refusals_(memory),
      bad_greetings_(memory),
      taken_back_(memory),
      strayed_(memory),
      deaf_(memory),
      ladder_(config_, memory),
      cooling_(std::greater<>(), Table<Cooling>(memory)) {
  // In a usual trace one record in four asks, grants, or starts.
  const std::size_t some = evidence.trace.pool.size() / 4 + 1;
  asked_.reserve(some);
  leases_.reserve(some);
  ids_.reserve(some);
  workers_.reserve(some);
  starting_.reserve(some);
  ladder_.reserve(some);
  slots_.reserve(std::min<std::size_t>(config_.size, some));
  for (const trace::PoolRecord& record : evidence.trace.pool) take(record);
  judge_end();
}

// ---- small steps -------------------------------------------------------------------------------

void Mirror::put_away(std::uint32_t worker, bool spent) {
  if (worker == kNone || workers_[worker].state == State::over) return;
  const State state = workers_[worker].state;
  if ((state == State::starting || state == State::greeting) && spent) {
    failed_start(worker, StartCause::budget_spent);
  }
  enter(worker, State::leaving);
}

void Mirror::failed_start(std::uint32_t worker, StartCause cause) {
  ++failures_;
  last_cause_ = cause;
  last_failure_ = now_;
  // Of several in one record nobody knows which was the last.
  last_failed_ = failed_now_ ? std::nullopt : std::optional(ids_.key(worker));
  failed_now_ = true;
  of_no_use(worker);
}

/// The next one in its slot may have to wait.
void Mirror::of_no_use(std::uint32_t worker) {
  change(slot_of(worker), [this](Slot& slot) {
    ++slot.failures;
    slot.may_cool = true;
    slot.cooled_from = now_;
  });
  cools(ids_.key(worker).slot);
}

/// It has come into its slot, or has been told to go.
void Mirror::occupy(std::uint32_t worker, bool present) {
  change(slot_of(worker), [present](Slot& slot) {
    if (present) {
      ++slot.occupants;
    } else {
      --slot.occupants;
    }
  });
}

CheckoutId Mirror::first_waiting() {
  while (first_ < asked_.size() && asked_[first_].answered) ++first_;
  return first_ < asked_.size() ? asked_[first_].checkout : CheckoutId::none;
}

Standing Mirror::standing() const {
  return {waiting_,           count(State::starting), count(State::greeting),
          count(State::idle), count(State::leased),   count(State::leaving)};
}

std::uint32_t Mirror::first_vacant() const {
  const auto vacant =
      std::find_if(slots_.begin(), slots_.end(), [](const Slot& slot) { return !slot.held(); });
  return static_cast<std::uint32_t>(vacant - slots_.begin());
}

Duration Mirror::least_pause(std::uint32_t failures) const {
  const Duration pause = longest_pause(failures);
  return pause - pause * config_.backoff_jitter_percent / 100;
}

Duration Mirror::longest_pause(std::uint32_t failures) const {
  Duration pause = config_.backoff_initial;
  for (std::uint32_t i = 1; i < failures && pause < config_.backoff_max; ++i) pause *= 2;
  return std::min(pause, config_.backoff_max);
}

void Mirror::report(const char* invariant, std::string what) {
  findings_.push_back({invariant, std::move(what), now_});
}

}  // namespace poolproof::oracle
