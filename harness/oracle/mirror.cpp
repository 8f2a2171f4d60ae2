#include "harness/oracle/mirror.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "harness/trace/fields.hpp"

namespace poolproof::oracle {
namespace {

using trace::dotted;

constexpr const char* kOrder = "order";
constexpr const char* kAccounting = "accounting";
constexpr const char* kNoWaiter = "no_waiter_beside_idle";
constexpr const char* kStarts = "bounded_starts";

std::uint64_t number(CheckoutId checkout) {
  return static_cast<std::uint64_t>(checkout);
}

}  // namespace

Mirror::Mirror(const Evidence& evidence) : config_(evidence.scenario.pool.core) {
  for (const trace::PoolRecord& record : evidence.trace.pool) take(record);
  judge_end();
}

void Mirror::take(const trace::PoolRecord& record) {
  record_ = &record;
  now_ = std::max(now_, record.at);
  expire_starts();
  std::visit([this](const auto& event) { happened(event); }, record.event);
  for (const pool::Effect& effect : record.effects) {
    std::visit([this](const auto& order) { ordered(order); }, effect);
  }
  judge_waiting();
}

/// A start whose order has not been answered within the budget is given up without a word.
void Mirror::expire_starts() {
  for (auto& [worker, incarnation] : workers_) {
    const bool spent = after(incarnation.since, config_.startup_budget) <= now_;
    if (incarnation.state == State::starting && spent) put_away(worker, true);
  }
}

// ---- events ------------------------------------------------------------------------------------

void Mirror::happened(const pool::CheckoutRequested& event) {
  if (asked_.emplace(event.checkout, false).second) waiting_.push_back(event.checkout);
}

void Mirror::happened(const pool::CheckedIn& event) {
  const auto lease = leases_.find(event.lease);
  Incarnation* worker = lease == leases_.end() ? nullptr : living(lease->second);
  if (worker == nullptr || worker->state != State::leased) return;
  const bool stays = event.clean && !closing_;
  worker->state = stays ? State::idle : State::leaving;
  if (event.clean) {
    worker->served = true;
    slots_[lease->second.slot].failures = 0;
  }
  leases_.erase(lease);
}

void Mirror::happened(const pool::LeaseRevoked& event) {
  const auto lease = leases_.find(event.lease);
  if (lease == leases_.end()) return;
  put_away(lease->second, false);
}

void Mirror::happened(const pool::Started& event) {
  Incarnation* worker = living(event.worker);
  if (worker != nullptr && worker->state == State::starting) worker->state = State::greeting;
}

void Mirror::happened(const pool::StartFailed& event) {
  const Incarnation* worker = living(event.worker);
  if (worker != nullptr && worker->state == State::starting) failed_start(event.worker);
}

void Mirror::happened(const pool::HandshakeEnded& event) {
  Incarnation* worker = living(event.worker);
  if (worker == nullptr || worker->state != State::greeting) return;
  // What is due comes first: a good answer may have come after the Core had given the start up.
  const bool given_up = std::any_of(record_->effects.begin(), record_->effects.end(),
                                    [&event](const pool::Effect& effect) {
                                      const auto* signal = std::get_if<pool::Signal>(&effect);
                                      return signal != nullptr && signal->worker == event.worker;
                                    });
  if (given_up || event.evidence.cause != StartCause::none) {
    failed_start(event.worker);
    worker->state = State::leaving;
    return;
  }
  failures_ = 0;
  worker->state = State::idle;
}

void Mirror::happened(const pool::Exited& event) {
  Incarnation* worker = living(event.worker);
  if (worker == nullptr) return;
  if (worker->state == State::greeting) {
    failed_start(event.worker);
  } else if (worker->state == State::idle && !worker->served) {
    Slot& slot = slots_[event.worker.slot];
    ++slot.failures;
    slot.may_cool = true;
    slot.cooled_from = now_;
  }
  if (worker->state != State::starting) worker->state = State::leaving;
}

// ---- effects -----------------------------------------------------------------------------------

void Mirror::ordered(const pool::Grant& effect) {
  answer(effect.checkout, true);
  Incarnation* worker = living(effect.worker);
  if (worker == nullptr || worker->state != State::idle) {
    report(kAccounting, fmt::format("worker {} was granted to checkout #{} though it was not idle",
                                    dotted(effect.worker), number(effect.checkout)));
  }
  if (worker != nullptr) worker->state = State::leased;
  leases_[effect.lease] = effect.worker;
}

void Mirror::ordered(const pool::Refuse& effect) {
  answer(effect.checkout, false);
}

void Mirror::answer(CheckoutId checkout, bool granted) {
  const auto asked = asked_.find(checkout);
  if (asked == asked_.end() || asked->second) {
    return report(kAccounting,
                  fmt::format("checkout #{} was answered {}", number(checkout),
                              asked == asked_.end() ? "but had not asked" : "a second time"));
  }
  asked->second = true;
  if (granted && waiting_.front() != checkout) {
    report(kOrder,
           fmt::format("checkout #{} was served before checkout #{}, which had come earlier",
                       number(checkout), number(waiting_.front())));
  }
  std::erase(waiting_, checkout);
}

void Mirror::ordered(const pool::Start& effect) {
  if (workers_.contains(effect.worker) || forgotten_.contains(effect.worker)) {
    return report(kAccounting, fmt::format("worker {} was started twice", dotted(effect.worker)));
  }
  judge_start(effect.worker);
  workers_[effect.worker] = {State::starting, now_, false};
  slots_[effect.worker.slot].may_cool = false;
}

void Mirror::ordered(const pool::Signal& effect) {
  if (living(effect.worker) == nullptr) {
    report(kAccounting,
           fmt::format("worker {} was signalled when it was over", dotted(effect.worker)));
  }
  put_away(effect.worker, effect.why == pool::Why::budget_spent);
}

void Mirror::ordered(const pool::AskShutdown& effect) {
  put_away(effect.worker, false);
}
void Mirror::ordered(const pool::CloseStdin& effect) {
  put_away(effect.worker, false);
}

void Mirror::ordered(const pool::Handshake& effect) {
  if (living(effect.worker) != nullptr) return;
  report(kAccounting, fmt::format("worker {} was greeted when it was over", dotted(effect.worker)));
}

void Mirror::ordered(const pool::Forget& effect) {
  const auto* exited = std::get_if<pool::Exited>(&record_->event);
  const auto* failed = std::get_if<pool::StartFailed>(&record_->event);
  const bool ended = (exited != nullptr && exited->worker == effect.worker) ||
                     (failed != nullptr && failed->worker == effect.worker);
  const Incarnation* worker = living(effect.worker);
  if (worker == nullptr || !ended) {
    report(kAccounting,
           fmt::format("worker {} was forgotten {}", dotted(effect.worker),
                       worker == nullptr ? "but was over, or never was" : "before it had ended"));
  }
  if (workers_.erase(effect.worker) > 0) forgotten_.insert(effect.worker);
}

void Mirror::ordered(const pool::Closed&) {
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
  const Slot& slot = slots_[worker.slot];
  if (!probe && slot.may_cool && now_ < after(slot.cooled_from, least_pause(slot.failures))) {
    report(kStarts, fmt::format("worker {} was started without the pause after {} failure(s)",
                                dotted(worker), slot.failures));
  }
}

/// The Core settles in every step: whoever still waits after one can't be served nor started for.
void Mirror::judge_waiting() {
  if (waiting_.empty() || closing_) return;
  const bool may_grant = config_.init_mode == pool::InitMode::async || under_way() == 0;
  if (may_grant && count(State::idle) > 0) {
    return report(kNoWaiter, fmt::format("checkout #{} waits beside an idle worker",
                                         number(waiting_.front())));
  }
  const bool may_start = !breaker_open() && under_way() < under_way_limit() &&
                         count(State::leaving) < config_.leaving_max &&
                         waiting_.size() > under_way();
  if (!may_start) return;
  for (std::uint32_t slot = 0; slot < config_.size; ++slot) {
    if (!surely_vacant(slot)) continue;
    return report(kNoWaiter,
                  fmt::format("checkout #{} waits, slot {} is vacant, and nothing is started",
                              number(waiting_.front()), slot));
  }
}

void Mirror::judge_end() {
  if (closing_ && !closed_) report(kAccounting, "the pool never said that it was closed");
  if (!closed_) return;
  for (const CheckoutId checkout : waiting_) {
    report(kAccounting, fmt::format("checkout #{} was never answered", number(checkout)));
  }
  for (const auto& [worker, incarnation] : workers_) {
    report(kAccounting, fmt::format("worker {} was started and never forgotten", dotted(worker)));
  }
}

// ---- small steps -------------------------------------------------------------------------------

void Mirror::put_away(WorkerId worker, bool spent) {
  Incarnation* found = living(worker);
  if (found == nullptr) return;
  const bool starting = found->state == State::starting || found->state == State::greeting;
  if (starting && spent) failed_start(worker);
  found->state = State::leaving;
}

void Mirror::failed_start(WorkerId worker) {
  ++failures_;
  last_failure_ = now_;
  Slot& slot = slots_[worker.slot];
  ++slot.failures;
  slot.may_cool = true;
  slot.cooled_from = now_;
}

Mirror::Incarnation* Mirror::living(WorkerId worker) {
  const auto found = workers_.find(worker);
  return found == workers_.end() ? nullptr : &found->second;
}

std::uint32_t Mirror::count(State state) const {
  return static_cast<std::uint32_t>(
      std::count_if(workers_.begin(), workers_.end(),
                    [state](const auto& worker) { return worker.second.state == state; }));
}

std::uint32_t Mirror::under_way_limit() const {
  return config_.init_mode == pool::InitMode::blocking ? 1 : config_.starts_max;
}

bool Mirror::breaker_open() const {
  return config_.breaker_failures > 0 && failures_ >= config_.breaker_failures;
}

bool Mirror::surely_vacant(std::uint32_t slot) const {
  const auto known = slots_.find(slot);
  if (known != slots_.end() && known->second.may_cool) return false;
  return std::none_of(workers_.begin(), workers_.end(), [slot](const auto& worker) {
    return worker.first.slot == slot && worker.second.state != State::leaving;
  });
}

Duration Mirror::least_pause(std::uint32_t failures) const {
  Duration pause = config_.backoff_initial;
  for (std::uint32_t i = 1; i < failures && pause < config_.backoff_max; ++i) pause *= 2;
  pause = std::min(pause, config_.backoff_max);
  return pause - pause * config_.backoff_jitter_percent / 100;
}

void Mirror::report(const char* invariant, std::string what) {
  findings_.push_back({invariant, std::move(what), now_});
}

}  // namespace poolproof::oracle
