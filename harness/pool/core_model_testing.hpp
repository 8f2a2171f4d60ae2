#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <stdexcept>

#include "harness/pool/core_testing.hpp"

/// For tests only: what an onlooker of a pool may demand of it. It sees the events that the world
/// tells the pool and the effects that come back, keeps its own plain account of them, and throws
/// on the first effect, gauge or counter that breaks a promise.
namespace poolproof::pool::testing {

struct BrokenPromise : std::runtime_error {
  using std::runtime_error::runtime_error;
};
inline void demand(bool holds, std::string_view promise, const std::string& about = "") {
  if (!holds) throw BrokenPromise(std::string(promise) + (about.empty() ? "" : ": " + about));
}

class Onlooker {
 public:
  struct Worker {
    enum class Life { ordered, greeting, good };
    enum class Rung { none, asked, stdin_closed, termed, killed };
    Life life = Life::ordered;
    Time ordered;
    bool in_slot = true;
    bool ending = false;  ///< its end is told in this step
    bool served = false;
    LeaseId lease = LeaseId::none;
    Rung rung = Rung::none;
    Time pushed;
  };
  struct Client {
    CheckoutId checkout;
    Time since, deadline;
  };

  explicit Onlooker(const Config& config)
      : config_(config), next_generation_(config.size, 0), rested_(config.size, kNever) {}

  /// One step that has been made: `core` was told `event` at `now` and gave these effects.
  void see(Time now, const Event& event, const std::vector<Effect>& effects, const Core& core) {
    now_ = now;
    effects_ = &effects;
    give_up_late_starts();
    failures_before_ = failures_;
    std::visit([this](const auto& e) { happened(e); }, event);
    for (const Effect& effect : effects) {
      if (closed_) demand(std::holds_alternative<Refuse>(effect), "after Closed, only refusals");
      std::visit([this](const auto& e) { ordered(e); }, effect);
    }
    demand(terms_.empty() && kills_.empty(), "a worker that must go is signalled at once");
    demand(!greet_, "a started worker is greeted");
    for (const auto& [id, worker] : workers) demand(!worker.ending, "an end is followed by Forget");
    new_client_ = CheckoutId::none;
    cancelled_ = CheckoutId::none;
    check_state(core);
    check_accounts(core);
  }

  std::map<WorkerId, Worker> workers;  ///< all that are not forgotten
  std::deque<Client> waiting;          ///< in the order of arrival
  std::map<LeaseId, WorkerId> leases;  ///< the open ones
  Counters seen;                       ///< `ignored` is not kept
  bool closing = false;
  [[nodiscard]] bool closed() const { return closed_; }
  [[nodiscard]] bool breaker_open() const { return open(failures_); }
  [[nodiscard]] std::uint32_t count(bool (*is)(const Worker&)) const {
    return static_cast<std::uint32_t>(std::count_if(
        workers.begin(), workers.end(), [&](const auto& entry) { return is(entry.second); }));
  }
  static bool under_way(const Worker& w) { return w.in_slot && w.life != Worker::Life::good; }
  static bool idle(const Worker& w) {
    return w.in_slot && w.life == Worker::Life::good && w.lease == LeaseId::none;
  }
  static bool leaving(const Worker& w) { return !w.in_slot; }
  static bool running(const Worker& w) { return w.life != Worker::Life::ordered; }

 private:
  using Life = Worker::Life;
  using Rung = Worker::Rung;

  // ---- what happened ----

  void happened(const CheckoutRequested& e) {
    for (const Client& client : waiting) {
      if (client.checkout == e.checkout) return;
    }
    ++seen.requested;
    new_client_ = e.checkout;
    waiting.push_back({e.checkout, now_, e.deadline});
  }
  void happened(const CheckoutCancelled& e) { cancelled_ = e.checkout; }
  void happened(const CheckedIn& e) {
    Worker* const worker = holder_still_there(e.lease);
    if (worker == nullptr) return;
    ++(e.clean ? seen.returned_clean : seen.returned_dirty);
    if (e.clean) worker->served = true;
    if (!e.clean) terms_[leases[e.lease]] = RemovalReason::dirty;
    end_lease(*worker);
  }
  void happened(const LeaseRevoked& e) {
    Worker* const worker = holder_still_there(e.lease);
    if (worker == nullptr) return;
    ++seen.revoked;
    terms_[leases[e.lease]] = RemovalReason::revoked;
    end_lease(*worker);
  }
  void happened(const Started& e) {
    Worker* const worker = find(e.worker);
    if (worker == nullptr || worker->life != Life::ordered) return;
    worker->life = Life::greeting;
    if (worker->in_slot) {
      greet_ = e.worker;
    } else {
      kills_.insert(e.worker);
    }
  }
  void happened(const StartFailed& e) {
    Worker* const worker = find(e.worker);
    if (worker == nullptr || worker->life != Life::ordered) return;
    if (worker->in_slot) start_did_not_work(e.worker);
    worker->ending = true;
  }
  void happened(const HandshakeEnded& e) {
    Worker* const worker = find(e.worker);
    if (worker == nullptr || !worker->in_slot || worker->life != Life::greeting) return;
    if (e.evidence.cause == StartCause::none) {
      worker->life = Life::good;
      failures_ = 0;
      return;
    }
    start_did_not_work(e.worker);
    terms_[e.worker] = RemovalReason::start_failed;
  }
  void happened(const OutputStrayed& e) {
    const Worker* const worker = find(e.worker);
    if (worker == nullptr || !idle(*worker)) return;
    if (!worker->served) rested_[e.worker.slot] = now_;
    terms_[e.worker] = RemovalReason::strayed;
  }
  void happened(const Exited& e) {
    Worker* const worker = find(e.worker);
    if (worker == nullptr || !running(*worker)) return;
    worker->ending = true;
    if (!worker->in_slot || taken_away_in_this_step(e.worker)) return;
    if (worker->life == Life::greeting) start_did_not_work(e.worker);
    if (idle(*worker) && !worker->served) rested_[e.worker.slot] = now_;
    if (worker->lease == LeaseId::none) return;
    ++seen.lost;
    end_lease(*worker);
  }
  void happened(const Tick&) {}
  void happened(const CloseRequested& e) {
    closing = true;
    close_deadline_ = std::min(close_deadline_, e.deadline);
    for (auto& [id, worker] : workers) {
      if (worker.life == Life::ordered) worker.in_slot = false;
    }
  }

  /// A start not answered within its budget is given up, and no effect shows it; one of whose
  /// greeting nothing is heard is killed. It comes before the event.
  void give_up_late_starts() {
    for (auto& [id, worker] : workers) {
      const bool ordered = worker.life == Life::ordered;
      if (!under_way(worker) || now_ < (ordered ? budget_end(worker) : backstop(worker))) continue;
      start_did_not_work(id);
      worker.in_slot = false;
      if (!ordered) kills_.insert(id);
    }
  }
  void start_did_not_work(WorkerId id) {
    ++seen.starts_failed;
    ++failures_;
    if (failures_ == config_.breaker_failures) ++seen.breaker_opened;
    failed_at_ = now_;
    rested_[id.slot] = now_;
  }

  // ---- what was ordered ----

  void ordered(const Grant& e) {
    ++seen.granted;
    demand(!closing, "a closing pool grants nothing");
    demand(!waiting.empty() && waiting.front().checkout == e.checkout,
           "grants are first come first served");
    const bool tries = e.checkout == new_client_ && waiting.size() == 1;
    demand(waiting.front().deadline > now_ || tries, "no grant at or after the deadline");
    waiting.pop_front();
    Worker* const worker = find(e.worker);
    demand(worker != nullptr && idle(*worker), "only a greeted, free, clean worker is granted");
    demand(terms_.count(e.worker) == 0, "no worker that must go is granted");
    demand(config_.init_mode == InitMode::async || count(under_way) == 0,
           "a blocking pool grants nothing while it starts");
    demand(used_leases_.insert(e.lease).second && e.lease != LeaseId::none, "a lease is unique");
    worker->lease = e.lease;
    leases[e.lease] = e.worker;
  }

  void ordered(const Refuse& e) {
    ++seen.refused[static_cast<std::size_t>(e.why)];
    const auto client = std::find_if(waiting.begin(), waiting.end(),
                                     [&](const Client& c) { return c.checkout == e.checkout; });
    demand(client != waiting.end(), "only who waits is refused, and once");
    demand(e.waiting_since == client->since, "a refusal says since when the client waited");
    demand(reason_holds(e, *client), "a refusal's reason is true", say(e));
    const bool names_a_start = e.phase == Phase::starting || e.phase == Phase::handshake ||
                               e.cause.cause == StartCause::behind_another_start;
    demand(names_a_start == e.has_blocker, "a blocker is a start under way", say(e));
    waiting.erase(client);
  }
  [[nodiscard]] bool reason_holds(const Refuse& e, const Client& client) const {
    const bool is_new = e.checkout == new_client_;
    const bool hopeless = breaker_open() && std::none_of(workers.begin(), workers.end(), in_slot);
    switch (e.why) {
      case Outcome::checkout_timeout:
        return client.deadline <= now_;
      case Outcome::queue_full:
        return is_new && waiting.size() == config_.waiters_max + 1;
      case Outcome::start_failed:
        return hopeless || (client.deadline <= now_ && failures_before_ + failures_ > 0);
      case Outcome::pool_closed:
        return closing;
      case Outcome::cancelled:
        return e.checkout == cancelled_;
      default:
        return false;
    }
  }
  static bool in_slot(const std::pair<const WorkerId, Worker>& entry) {
    return entry.second.in_slot;
  }

  void ordered(const Start& e) {
    ++seen.starts;
    const auto under_way_now = count(under_way);
    demand(!closing, "a closing pool starts nothing");
    demand(e.worker.slot < config_.size, "a slot exists");
    demand(e.worker.generation == next_generation_[e.worker.slot]++, "generations count up from 0");
    demand(!slot_taken(e.worker.slot), "one incarnation in a slot");
    demand(under_way_now < limit(), "starts under way are bounded");
    demand(count(leaving) < config_.leaving_max, "starts wait while too many leave");
    if (breaker_open()) {
      demand(under_way_now == 0, "an open breaker lets one start through");
      demand(now_ >= failed_at_ + config_.breaker_open, "and only after its time");
    } else {
      demand(config_.start == StartMode::eager || waiting.size() > under_way_now,
             "a lazy pool starts on demand only");
      const Time rested = rested_[e.worker.slot];
      const auto least = config_.backoff_initial * (100 - config_.backoff_jitter_percent) / 100;
      demand(rested == kNever || now_ >= rested + least, "a slot pauses after a failure");
    }
    rested_[e.worker.slot] = kNever;
    workers[e.worker].ordered = now_;
  }
  void ordered(const Handshake& e) {
    demand(greet_ == e.worker, "a worker is greeted when it has started");
    greet_.reset();
    demand(e.deadline == budget_end(*find(e.worker)),
           "the start-up budget counts from the order to start");
  }

  void ordered(const Stop& e) {
    if (e.step == StopStep::ask) {
      Worker& worker = push(e.worker, Rung::asked);
      demand(closing && worker.life == Life::good, "only a closing pool asks its idle workers");
    } else if (e.step == StopStep::end_of_input) {
      demand(rung(e.worker) == Rung::asked, "the end of stdin follows the request");
      push(e.worker, Rung::stdin_closed);
    } else {
      signalled(e);
    }
  }
  void signalled(const Stop& e) {
    const bool kill = e.step == StopStep::kill;
    const Rung before = rung(e.worker);
    if (kills_.erase(e.worker) > 0) {
      demand(kill && before == Rung::none, "a start given up is killed");
    } else if (before == Rung::none && kill) {
      demand(closing && under_way(*find(e.worker)), "only a start is killed at once");
    } else if (before == Rung::none) {
      term(e);
    } else if (!kill) {
      demand(before == Rung::stdin_closed, "TERM follows the end of stdin");
    }
    push(e.worker, kill ? Rung::killed : Rung::termed);
  }
  void term(const Stop& e) {
    const auto expected = terms_.find(e.worker);
    if (expected != terms_.end()) {
      demand(e.why == expected->second, "a signal says why");
      terms_.erase(expected);
      return;
    }
    Worker& worker = *find(e.worker);
    demand(e.why == RemovalReason::closing && closing && worker.lease != LeaseId::none,
           "only a closing pool takes leases away");
    ++seen.revoked;
    end_lease(worker);
  }
  [[nodiscard]] Rung rung(WorkerId id) {
    const Worker* const worker = find(id);
    demand(worker != nullptr, "effects only for incarnations that live");
    return worker->rung;
  }
  /// Up the ladder only, and each rung only after the grace of the one before.
  Worker& push(WorkerId id, Rung to) {
    Worker* const worker = find(id);
    demand(worker != nullptr && running(*worker), "effects only for processes that run");
    demand(to > worker->rung, "the ladder only goes up");
    const bool hurry = to == Rung::killed && now_ >= close_deadline_;
    demand(hurry || worker->rung == Rung::none || now_ >= worker->pushed + grace(worker->rung),
           "every rung has its grace");
    worker->rung = to;
    worker->pushed = now_;
    worker->in_slot = false;
    return *worker;
  }

  void ordered(const Forget& e) {
    const Worker* const worker = find(e.worker);
    demand(worker != nullptr && worker->ending, "Forget follows the end, once");
    workers.erase(e.worker);
    ++seen.forgotten;
  }
  void ordered(const Closed&) {
    demand(closing && !closed_, "Closed comes once, and only when asked");
    demand(workers.empty() && waiting.empty(), "at Closed, nothing is left");
    closed_ = true;
  }

  // ---- how things stand ----

  void check_state(const Core& core) {
    demand(core.next_deadline() > now_, "after a step nothing is overdue");
    for (const Client& client : waiting) demand(client.deadline > now_, "nobody waits for ever");
    demand(waiting.size() <= config_.waiters_max, "the queue is bounded");
    demand(count(leaving) + in_slots() < config_.leaving_max + config_.size,
           "leaving workers are bounded");
    for (const auto& [id, worker] : workers) check_worker(worker);
    if (closing) return;
    check_service();
    check_starts(core);
  }
  void check_worker(const Worker& worker) const {
    const bool pushed = worker.rung != Rung::none && worker.rung != Rung::killed;
    demand(!pushed || now_ < worker.pushed + grace(worker.rung), "the ladder goes on in time");
    const bool greets = worker.in_slot && worker.life == Life::greeting;
    demand(!greets || now_ < backstop(worker), "no handshake lasts for ever");
    if (!closing) return;
    demand(!worker.in_slot || worker.lease != LeaseId::none, "a closing pool keeps only leases");
    const bool dead = !running(worker) || worker.rung == Rung::killed;
    demand(now_ < close_deadline_ || dead, "at the deadline of closing all is killed");
  }
  void check_service() const {
    if (waiting.empty() || count(idle) == 0) return;
    demand(config_.init_mode == InitMode::blocking && count(under_way) > 0,
           "no waiter beside an idle worker");
  }
  void check_starts(const Core& core) const {
    bool free_slot = false;
    bool cooled_slot = false;
    for (std::uint32_t slot = 0; slot < config_.size; ++slot) {
      if (slot_taken(slot)) continue;
      free_slot = true;
      const bool cooling = core.state(slot) == SlotState::cooling;
      cooled_slot = cooled_slot || !cooling;
      const bool pause_over =
          rested_[slot] == kNever || now_ >= rested_[slot] + config_.backoff_max;
      demand(!cooling || !pause_over, "no slot rests without a failure, nor too long");
    }
    if (count(leaving) >= config_.leaving_max || count(under_way) >= limit()) return;
    if (breaker_open()) {
      const bool half_open = now_ >= failed_at_ + config_.breaker_open && count(under_way) == 0;
      demand(!half_open || !free_slot, "the breaker half-opens in time");
      return;
    }
    const bool wanted = config_.start == StartMode::eager || waiting.size() > count(under_way);
    demand(!wanted || !cooled_slot, "no demand beside an unfilled slot");
  }
  void check_accounts(const Core& core) const {
    const Gauges gauges = core.gauges();
    demand(gauges.waiting == waiting.size(), "gauge: waiting");
    demand(gauges.idle == count(idle), "gauge: idle");
    demand(gauges.leased == leases.size(), "gauge: leased");
    demand(gauges.leaving == count(leaving), "gauge: leaving");
    demand(gauges.starting + gauges.greeting == count(under_way), "gauges: starting, greeting");
    demand(gauges.vacant == config_.size - in_slots(), "gauge: vacant");
    demand(gauges.closing == closing, "gauge: closing");
    demand(gauges.breaker_open == breaker_open(), "gauge: breaker");
    Counters expected = seen;
    expected.ignored = core.counters().ignored;
    const Counters& counters = core.counters();
    demand(same(counters, expected), "counters say what was seen");
    demand(adds_up(counters, gauges), "counters add up");
  }
  static bool same(const Counters& a, const Counters& b) {
    return a.requested == b.requested && a.granted == b.granted && a.refused == b.refused &&
           a.returned_clean == b.returned_clean && a.returned_dirty == b.returned_dirty &&
           a.revoked == b.revoked && a.lost == b.lost && a.starts == b.starts &&
           a.starts_failed == b.starts_failed && a.forgotten == b.forgotten &&
           a.breaker_opened == b.breaker_opened;
  }

  // ---- small questions ----

  Worker* find(WorkerId id) {
    const auto found = workers.find(id);
    return found == workers.end() ? nullptr : &found->second;
  }
  [[nodiscard]] bool slot_taken(std::uint32_t slot) const {
    return std::any_of(workers.begin(), workers.end(), [&](const auto& entry) {
      return entry.first.slot == slot && entry.second.in_slot;
    });
  }
  [[nodiscard]] std::uint32_t in_slots() const {
    return static_cast<std::uint32_t>(workers.size()) - count(leaving);
  }
  [[nodiscard]] std::uint32_t limit() const {
    return config_.init_mode == InitMode::blocking ? 1 : config_.starts_max;
  }
  [[nodiscard]] bool open(std::uint32_t failures) const {
    return config_.breaker_failures > 0 && failures >= config_.breaker_failures;
  }
  [[nodiscard]] Time budget_end(const Worker& worker) const {
    return worker.ordered + config_.startup_budget;
  }
  [[nodiscard]] Time backstop(const Worker& worker) const {
    return budget_end(worker) + config_.postmortem_budget + config_.silence_max;
  }
  [[nodiscard]] Duration grace(Rung rung) const {
    if (rung == Rung::asked) return config_.shutdown_grace;
    return rung == Rung::stdin_closed ? config_.stdin_grace : config_.term_grace;
  }
  /// Within a step, what was due comes first; then the event is about a lease that is over.
  [[nodiscard]] bool taken_away_in_this_step(WorkerId id) const {
    return std::any_of(effects_->begin(), effects_->end(), [&](const Effect& effect) {
      const auto* const stop = std::get_if<Stop>(&effect);
      return stop != nullptr && is_signal(stop->step) && stop->worker == id &&
             stop->why == RemovalReason::closing;
    });
  }
  Worker* holder_still_there(LeaseId lease) {
    const auto found = leases.find(lease);
    if (found == leases.end() || taken_away_in_this_step(found->second)) return nullptr;
    return find(found->second);
  }
  void end_lease(Worker& worker) {
    leases.erase(worker.lease);
    worker.lease = LeaseId::none;
  }

  Config config_;
  Time now_;
  const std::vector<Effect>* effects_ = nullptr;
  std::vector<std::uint32_t> next_generation_;
  std::vector<Time> rested_;  ///< by slot: its last failure if nothing has been started since
  std::set<LeaseId> used_leases_;
  std::uint32_t failures_ = 0;  ///< in a row
  std::uint32_t failures_before_ = 0;
  Time failed_at_;
  Time close_deadline_ = kNever;
  bool closed_ = false;

  // What must come of this step.
  std::map<WorkerId, RemovalReason> terms_;
  std::set<WorkerId> kills_;
  std::optional<WorkerId> greet_;
  CheckoutId new_client_ = CheckoutId::none;
  CheckoutId cancelled_ = CheckoutId::none;
};

}  // namespace poolproof::pool::testing
