#include <rapidcheck.h>

#include <catch2/catch.hpp>

#include "harness/base/property_testing.hpp"
#include "harness/pool/core_model_testing.hpp"

namespace poolproof::pool {
namespace {

using testing::demand;
using testing::Onlooker;

/// What a whole run of cases has met. A property that never met a fault has shown nothing.
struct Tally {
  std::uint64_t cases = 0, steps = 0, late_steps = 0, garbage = 0, closed_while_busy = 0;
  Counters counters;

  void add(const Counters& c) {
    counters.granted += c.granted;
    for (std::size_t i = 0; i < c.refused.size(); ++i) counters.refused[i] += c.refused[i];
    counters.returned_dirty += c.returned_dirty;
    counters.revoked += c.revoked;
    counters.lost += c.lost;
    counters.starts_failed += c.starts_failed;
    counters.breaker_opened += c.breaker_opened;
    counters.forgotten += c.forgotten;
    counters.ignored += c.ignored;
  }
};

/// Plays the world by numbers: clients, processes, time, and every mishap that may befall them.
class World {
 public:
  /// `knobs`: 16 numbers that make the config.
  World(const std::vector<std::uint32_t>& knobs, std::string* log)
      : config_(config_of(knobs)),
        punctual_(knobs[15] % 2 == 0),
        closes_(knobs[15] / 2 % 2 == 0),
        mishaps_(knobs[15] / 4 % 4),
        core_(config_),
        onlooker_(config_),
        log_(log) {}

  void play(std::uint32_t number) {
    const std::uint32_t kind = number % 32;
    const Time then = moment(number / 32 % 32, number / 1024);
    while (punctual_ && core_.next_deadline() < then) {
      step(std::max(now_, core_.next_deadline()), Tick{});
    }
    if (core_.next_deadline() < then) ++late_steps;
    now_ = then;
    step(then, event(kind, number / 1024));
  }

  /// No more faults: everybody does what is ordered, and time goes on. Then all must be well.
  void heal() {
    for (int turn = 0; turn < 5000; ++turn) {
      if (!everybody_does_his_duty()) {
        if (is_well()) return check_health();
        demand(core_.next_deadline() != kNever, "a pool that is not well wants a Tick");
        step(std::max(now_, core_.next_deadline()), Tick{});
      }
    }
    demand(false, "a pool gets well once the faults have stopped");
  }
  void close_at_last() {
    step(now_, CloseRequested{now_ + 10s});
    heal();
    demand(onlooker_.closed(), "closing comes to its end");
    demand(core_.counters().starts == core_.counters().forgotten, "no worker is left behind");
  }

  [[nodiscard]] const Counters& counters() const { return core_.counters(); }
  std::uint64_t late_steps = 0, garbage = 0, closed_while_busy = 0;

 private:
  using Life = Onlooker::Worker::Life;

  static Config config_of(const std::vector<std::uint32_t>& knobs) {
    const auto ms = [&](std::size_t i, std::uint32_t least, std::uint32_t most) {
      return Duration(std::chrono::milliseconds(least + knobs[i] % (most - least + 1)));
    };
    Config config;
    config.size = 1 + knobs[0] % 6;
    config.start = static_cast<StartMode>(knobs[1] % 2);
    config.init_mode = knobs[1] / 2 % 4 == 1 ? InitMode::blocking : InitMode::async;
    config.reuse = static_cast<Reuse>(knobs[1] / 8 % 2);
    config.waiters_max = 1 + knobs[2] % 8;
    config.starts_max = 1 + knobs[3] % 4;
    config.leaving_max = 1 + knobs[4] % 6;
    config.startup_budget = ms(5, 20, 500);
    config.postmortem_budget = ms(6, 0, 50);
    config.silence_max = ms(7, 0, 50);
    config.backoff_initial = ms(8, 5, 50);
    config.backoff_max = config.backoff_initial + ms(9, 0, 300);
    config.backoff_jitter_percent = knobs[10] % 51;
    config.breaker_failures = knobs[10] / 64 % 5;
    config.breaker_open = ms(11, 10, 300);
    config.shutdown_grace = ms(12, 1, 50);
    config.stdin_grace = ms(13, 1, 50);
    config.term_grace = ms(14, 1, 50);
    config.seed = knobs[15];
    return config;
  }

  Time moment(std::uint32_t way, std::uint32_t amount) {
    const Time due = core_.next_deadline();
    const bool is_due = due != kNever && due > now_;
    if (way < 16) return now_;
    if (way < 18) return now_ + Duration(1);
    if (way < 22) return now_ + Duration(amount % 2'000);
    if (way < 25) return now_ + Duration(amount % 20'000);
    if (way == 25) return now_ + Duration(amount % 400'000);
    if (!is_due || way < 28) return now_;
    if (way == 28) return due - Duration(1);
    return way == 29 ? due + Duration(1) : due;
  }

  /// Who has nothing to tell lets another speak, so that most events matter.
  Event event(std::uint32_t kind, std::uint32_t pick) {
    if (kind < 3) return Tick{};
    if (kind < 8) return checkout(pick);
    if (kind == 8) {
      return onlooker_.waiting.empty() ? checkout(pick) : CheckoutCancelled{some_client(pick)};
    }
    if (kind < 16) return end_lease(kind, pick);
    if (kind < 27) return answer(pick);
    if (kind == 27) return Exited{some(Onlooker::running, pick), {static_cast<int>(pick % 3), 0}};
    if (kind == 28) return Exited{some(Onlooker::leaving, pick), {0, 15}};
    if (kind == 29) return OutputStrayed{some(Onlooker::idle, pick)};
    if (kind == 30 && pick % 8 == 0 && closes_) return close(pick);
    return stranger(pick);
  }
  Event checkout(std::uint32_t pick) {
    return CheckoutRequested{CheckoutId{++checkouts_}, deadline(pick)};
  }
  Event end_lease(std::uint32_t kind, std::uint32_t pick) {
    if (onlooker_.leases.empty()) return answer(pick);
    if (kind == 15 && pick % 2 == 0) return LeaseRevoked{some_lease(pick)};
    return CheckedIn{some_lease(pick), kind != 15};
  }
  Event answer(std::uint32_t pick) {
    if (onlooker_.count(is_greeting) > 0 && pick % 4 > 0) return answer_ping(pick);
    if (onlooker_.count(is_ordered) > 0) return answer_start(pick);
    return checkout(pick);
  }
  [[nodiscard]] Time deadline(std::uint32_t pick) const {
    if (pick % 16 == 0) return now_;
    if (pick % 16 == 1) return kNever;
    return now_ + Duration(1 + pick % (pick % 4 == 0 ? 5'000 : 500'000));
  }
  Event answer_start(std::uint32_t pick) const {
    const WorkerId worker = some(is_ordered, pick);
    if (pick / 16 % 8 < mishaps_) return StartFailed{worker, 11};
    return Started{worker};
  }
  Event answer_ping(std::uint32_t pick) const {
    StartEvidence evidence;
    if (pick / 16 % 8 < mishaps_) evidence.cause = StartCause::text_on_stdout;
    return HandshakeEnded{some(is_greeting, pick), evidence};
  }
  Event close(std::uint32_t pick) {
    if (!onlooker_.workers.empty()) ++closed_while_busy;
    return CloseRequested{now_ + Duration(2 + pick % 400'000)};
  }
  /// An event about somebody who may be there or not, in whatever state.
  Event stranger(std::uint32_t pick) {
    ++garbage;
    const WorkerId worker{pick / 16 % 8, pick / 128 % 8};
    switch (pick % 8) {
      case 0:
        return Started{worker};
      case 1:
        return StartFailed{worker, 0};
      case 2:
        return HandshakeEnded{worker, {}};
      case 3:
        return OutputStrayed{worker};
      case 4:
        return Exited{worker, {}};
      case 5:
        return CheckedIn{LeaseId{pick / 16 % 64}, pick % 16 < 8};
      case 6:
        return LeaseRevoked{LeaseId{pick / 16 % 64}};
      default:
        return CheckoutCancelled{CheckoutId{pick / 16 % 64}};
    }
  }

  static bool is_ordered(const Onlooker::Worker& w) { return w.life == Life::ordered; }
  static bool is_greeting(const Onlooker::Worker& w) { return w.life == Life::greeting; }
  [[nodiscard]] WorkerId some(bool (*is)(const Onlooker::Worker&), std::uint32_t pick) const {
    std::vector<WorkerId> found;
    for (const auto& [id, worker] : onlooker_.workers) {
      if (is(worker)) found.push_back(id);
    }
    return found.empty() ? WorkerId{config_.size, 0} : found[pick % found.size()];
  }
  [[nodiscard]] LeaseId some_lease(std::uint32_t pick) const {
    if (onlooker_.leases.empty()) return LeaseId::none;
    return std::next(onlooker_.leases.begin(),
                     pick % static_cast<std::uint32_t>(onlooker_.leases.size()))
        ->first;
  }
  [[nodiscard]] CheckoutId some_client(std::uint32_t pick) const {
    if (onlooker_.waiting.empty()) return CheckoutId::none;
    return onlooker_.waiting[pick % onlooker_.waiting.size()].checkout;
  }

  /// One event that a world without faults still owes, if there is any.
  bool everybody_does_his_duty() {
    for (const auto& [id, worker] : onlooker_.workers) {
      const bool told = worker.rung != Onlooker::Worker::Rung::none;
      if (is_ordered(worker)) return step(now_, Started{id});
      if (told) return step(now_, Exited{id, {}});
      if (is_greeting(worker)) return step(now_, HandshakeEnded{id, {}});
    }
    if (onlooker_.leases.empty()) return false;
    return step(now_, CheckedIn{onlooker_.leases.begin()->first, true});
  }
  [[nodiscard]] bool is_well() const {
    const bool full = config_.start == StartMode::lazy || onlooker_.closing ||
                      onlooker_.count(Onlooker::idle) == config_.size;
    return full && onlooker_.waiting.empty();
  }
  void check_health() const {
    demand(onlooker_.leases.empty(), "no lease is left");
    demand(onlooker_.count(Onlooker::leaving) == 0, "nobody is leaving");
    demand(onlooker_.closing == onlooker_.closed(), "a closing pool is closed");
  }

  bool step(Time now, const Event& event) {
    const bool idle_tick = std::holds_alternative<Tick>(event) && now < core_.next_deadline();
    const std::uint64_t ignored_before = core_.counters().ignored;
    now_ = now;
    effects_.clear();
    core_.step(now, event, effects_);
    if (log_ != nullptr) {
      *log_ += fmt::format("{} event {}: {}\n", testing::say(now), event.index(),
                           testing::say(effects_));
    }
    demand(!idle_tick || effects_.empty(), "a Tick before the next deadline does nothing");
    const std::uint64_t ignored = core_.counters().ignored - ignored_before;
    demand(ignored <= (std::holds_alternative<Tick>(event) ? 0 : 1),
           "what is ignored is counted once");
    for (const Effect& effect : effects_) check_punctual(effect);
    onlooker_.see(now, event, effects_, core_);
    return true;
  }
  /// If every Tick comes when it is due, every client has its answer by its deadline.
  void check_punctual(const Effect& effect) const {
    const auto* const refusal = std::get_if<Refuse>(&effect);
    if (!punctual_ || refusal == nullptr) return;
    for (const auto& client : onlooker_.waiting) {
      if (client.checkout != refusal->checkout) continue;
      demand(now_ <= client.deadline, "every client is answered by its deadline");
    }
  }

  Config config_;
  bool punctual_;          ///< every Tick comes when it is due
  bool closes_;            ///< the pool may be closed in the middle
  std::uint32_t mishaps_;  ///< of 8 starts, and of 8 pings
  Core core_;
  Onlooker onlooker_;
  std::string* log_;
  Time now_{};
  std::vector<Effect> effects_;
  std::uint64_t checkouts_ = 0;
};

using Numbers = std::vector<std::uint32_t>;

/// The whole of a case; the log holds every step.
World play(const Numbers& knobs, const Numbers& numbers, std::string* log) {
  World world(knobs, log);
  for (const std::uint32_t number : numbers) world.play(number);
  world.heal();
  world.close_at_last();
  return world;
}

rc::Gen<std::uint32_t> any_number() {
  return rc::gen::resize(rc::kNominalSize, rc::gen::arbitrary<std::uint32_t>());
}
Numbers some_knobs() {
  return *rc::gen::container<Numbers>(16, any_number());
}
Numbers some_numbers() {
  return *rc::gen::container<Numbers>(any_number());
}

TEST_CASE("pool: core: keeps every promise whatever the world does") {
  Tally tally;
  holds("the core keeps its promises", {8000, 400}, [&] {
    const Numbers knobs = some_knobs();
    const Numbers numbers = some_numbers();
    try {
      const World world = play(knobs, numbers, nullptr);
      ++tally.cases;
      tally.steps += numbers.size();
      tally.late_steps += world.late_steps;
      tally.garbage += world.garbage;
      tally.closed_while_busy += world.closed_while_busy;
      tally.add(world.counters());
    } catch (const testing::BrokenPromise& broken) {
      std::string log;
      try {
        play(knobs, numbers, &log);
      } catch (const testing::BrokenPromise&) {
        RC_FAIL(std::string(broken.what()) + "\n" + log);
      }
    }
  });
  // Nothing was shown about what never happened.
  const Counters& met = tally.counters;
  CHECK(tally.cases >= 5000);
  CHECK(tally.steps >= 500'000);
  CHECK(met.granted > 10'000);
  for (const Outcome why : {Outcome::checkout_timeout, Outcome::queue_full, Outcome::start_failed,
                            Outcome::pool_closed, Outcome::cancelled}) {
    INFO(name(why));
    CHECK(met.refused[static_cast<std::size_t>(why)] > 1000);
  }
  CHECK(met.returned_dirty > 1000);
  CHECK(met.revoked > 1000);
  CHECK(met.lost > 1000);
  CHECK(met.starts_failed > 1000);
  CHECK(met.breaker_opened > 1000);
  CHECK(met.forgotten > 1000);
  CHECK(met.ignored > 1000);
  CHECK(tally.late_steps > 1000);
  CHECK(tally.garbage > 1000);
  CHECK(tally.closed_while_busy > 100);
}

TEST_CASE("pool: core: the same events give the same effects, twice") {
  std::size_t effects = 0;
  holds("the core is deterministic", {100, 300}, [&] {
    const Numbers knobs = some_knobs();
    const Numbers numbers = some_numbers();
    std::string first;
    std::string second;
    play(knobs, numbers, &first);
    play(knobs, numbers, &second);
    effects += first.size();
    RC_ASSERT(first == second);
  });
  CHECK(effects > 100'000);
}

}  // namespace
}  // namespace poolproof::pool
