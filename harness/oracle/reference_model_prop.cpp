#include <rapidcheck.h>

#include <catch2/catch.hpp>

#include "harness/base/property_testing.hpp"
#include "harness/oracle/reference_model_testing.hpp"
#include "harness/pool/options.hpp"

/// The Core against the reference model, in whatever world.
namespace poolproof::oracle {
namespace {

using namespace pool;
using testing::BrokenPromise;
using testing::demand;
using testing::Effects;
using testing::Witness;

/// What a whole run of cases has met. A property that never met a fault has shown nothing.
struct Tally {
  struct Seen {
    std::int64_t least = 0, most = 0;
  };
  std::array<Seen, pool::kOptions.size()> options{};
  std::uint64_t cases = 0, steps = 0, late_steps = 0, garbage = 0, closed_while_busy = 0;
  std::array<std::uint64_t, enumerators<RemovalReason>()> asked_to_go{};
  Counters counters;

  void add(const Config& config) {
    for (std::size_t i = 0; i < options.size(); ++i) {
      const std::int64_t value = pool::kOptions[i].get(config);
      options[i].least = cases == 0 ? value : std::min(options[i].least, value);
      options[i].most = cases == 0 ? value : std::max(options[i].most, value);
    }
  }
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

using State = ReferenceModel::State;

/// Plays the world by numbers: clients, processes, time, and every mishap that may befall them.
class World {
 public:
  /// `knobs`: 16 numbers that make the config.
  World(const std::vector<std::uint32_t>& knobs, std::string* log)
      : config_(config_of(knobs)),
        punctual_(knobs[15] % 2 == 0),
        closes_(knobs[15] / 2 % 2 == 0),
        mishaps_(knobs[15] / 4 % 4),
        sessions_(knobs[15] / 16 % 4 > 0),
        core_(config_),
        witness_(config_, core_),
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
    demand(witness_.closed(), "closing comes to its end");
    demand(core_.counters().starts == core_.counters().forgotten, "no worker is left behind");
  }

  [[nodiscard]] const Config& config() const { return config_; }
  [[nodiscard]] const Counters& counters() const { return core_.counters(); }
  std::uint64_t late_steps = 0, garbage = 0, closed_while_busy = 0;
  std::array<std::uint64_t, enumerators<RemovalReason>()> asked_to_go{};  ///< by the reason

 private:
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
    config.overlap = knobs[4] / 8 % 3 != 0;
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
    config.sessions_max = 1 + knobs[9] / 512 % 4;
    config.session_idle_timeout = knobs[8] / 512 % 2 == 0 ? ms(7, 1, 200) : Duration{};
    if (knobs[2] / 16 % 4 == 0) config.max_calls = 1 + knobs[2] / 64 % 4;
    if (knobs[3] / 16 % 4 == 0) config.max_lifetime = ms(3, 1, 500);
    config.lifetime_jitter_percent = knobs[10] / 512 % 101;
    if (knobs[4] / 16 % 2 == 0) config.idle_timeout = ms(4, 1, 300);
    if (knobs[5] / 1024 % 4 == 0) config.min_idle = knobs[0] / 16 % (config.size + 1);
    if (knobs[6] / 64 % 4 == 0) config.idle_ping_interval = ms(6, 1, 200);
    config.idle_ping_budget = ms(7, 1, 100);
    if (knobs[11] / 1024 % 4 == 0) config.max_rss_bytes = 1 + knobs[11] / 4096 % 1000;
    config.rss_interval = ms(12, 1, 300);
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
      return witness_.waiting() == 0 ? checkout(pick) : CheckoutCancelled{some_client(pick)};
    }
    if (kind < 16) return end_lease(kind, pick);
    if (kind < 27) return answer(pick);
    if (kind == 27) return Exited{some(Witness::is_running, pick), {static_cast<int>(pick % 3), 0}};
    if (kind == 28) return Exited{some(Witness::is_leaving, pick), {0, 15}};
    if (kind == 29 && pick % 4 == 0) return UnsolicitedOutput{some(Witness::is_idle, pick)};
    if (kind == 29) return measured(pick);
    if (kind == 30 && pick % 8 == 0 && closes_) return close(pick);
    if (kind == 30 && pick % 8 < 3) return RenewRequested{};
    if (kind == 30 && pick % 8 == 3) return SuspendRequested{};
    if (kind == 30) return ResumeRequested{};
    return stranger(pick);
  }
  Event checkout(std::uint32_t pick) {
    return CheckoutRequested{CheckoutId{++checkouts_}, deadline(pick), session(pick)};
  }
  /// Every second one in no session, in one world of four none at all.
  [[nodiscard]] SessionUse session(std::uint32_t pick) const {
    const std::uint32_t way = pick / 1024;
    if (!sessions_ || way % 2 > 0) return {};
    return {SessionId{1 + way / 2 % 3}, static_cast<Affinity>(way / 16 % 3),
            way / 64 % 2 == 0 ? WhenBusy::fail : WhenBusy::wait};
  }
  Event end_lease(std::uint32_t kind, std::uint32_t pick) {
    if (witness_.open_leases().empty()) return answer(pick);
    if (kind == 15 && pick % 2 == 0) return LeaseRevoked{some_lease(pick)};
    return CheckedIn{some_lease(pick), kind != 15, pick / 64 % 6, pick / 512 % 1100};
  }
  Event answer(std::uint32_t pick) {
    if (!witness_.workers(Witness::is_in_handshake).empty() && pick % 4 > 0)
      return answer_ping(pick);
    if (!witness_.workers(Witness::is_pinging).empty() && pick % 4 == 0) {
      return PingEnded{some(Witness::is_pinging, pick), pick / 16 % 8 >= mishaps_};
    }
    if (!witness_.workers(Witness::is_ordered).empty()) return answer_start(pick);
    return checkout(pick);
  }
  [[nodiscard]] Time deadline(std::uint32_t pick) const {
    if (pick % 16 == 0) return now_;
    if (pick % 16 == 1) return kNever;
    return now_ + Duration(1 + pick % (pick % 4 == 0 ? 5'000 : 500'000));
  }
  Event answer_start(std::uint32_t pick) const {
    const WorkerId worker = some(Witness::is_ordered, pick);
    if (pick / 16 % 8 < mishaps_) return StartFailed{worker, 11};
    return Started{worker};
  }
  Event answer_ping(std::uint32_t pick) const {
    StartEvidence evidence;
    if (pick / 16 % 8 < mishaps_) evidence.cause = StartCause::text_on_stdout;
    return HandshakeEnded{some(Witness::is_in_handshake, pick), evidence};
  }
  [[nodiscard]] Event measured(std::uint32_t pick) const {
    const bool pinged = pick / 4 % 4 == 0 && !witness_.workers(Witness::is_pinging).empty();
    const WorkerId worker = some(pinged ? Witness::is_pinging : Witness::is_idle, pick);
    return MemoryMeasured{worker, pick / 16 % 1100};
  }
  Event close(std::uint32_t pick) {
    if (witness_.present() + witness_.count(State::leaving) > 0) ++closed_while_busy;
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
        return UnsolicitedOutput{worker};
      case 4:
        return Exited{worker, {}};
      case 5:
        return CheckedIn{strange_lease(pick), pick % 16 < 8};
      case 6:
        return LeaseRevoked{strange_lease(pick)};
      case 7:
        if (pick / 16 % 2 == 0) return SessionEnded{SessionId{1 + pick / 32 % 3}};
        [[fallthrough]];
      default:
        return CheckoutCancelled{CheckoutId{pick / 16 % 64}};
    }
  }

  /// Nobody can know the number of a lease that is to be granted next.
  [[nodiscard]] LeaseId strange_lease(std::uint32_t pick) const {
    constexpr std::uint64_t kNeverReached = std::uint64_t{1} << 40U;
    const std::uint64_t number = pick / 16 % 64;
    const LeaseId lease{number};
    return witness_.was_granted(lease) ? lease : LeaseId{kNeverReached + number};
  }

  template <class Fits>
  [[nodiscard]] WorkerId some(Fits fits, std::uint32_t pick) const {
    const auto found = witness_.workers(fits);
    return found.empty() ? WorkerId{config_.size, 0} : found[pick % found.size()];
  }
  [[nodiscard]] LeaseId some_lease(std::uint32_t pick) const {
    const auto found = witness_.open_leases();
    return found.empty() ? LeaseId::none : found[pick % found.size()];
  }
  [[nodiscard]] CheckoutId some_client(std::uint32_t pick) const {
    const auto found = witness_.clients();
    return found.empty() ? CheckoutId::none : found[pick % found.size()];
  }

  /// One event that a world without faults still owes, if there is any.
  bool everybody_does_his_duty() {
    const auto first = [this](auto fits) -> std::optional<WorkerId> {
      const auto found = witness_.workers(fits);
      return found.empty() ? std::nullopt : std::optional(found.front());
    };
    if (witness_.suspended()) return step(now_, ResumeRequested{});
    if (const auto ordered = first(Witness::is_ordered)) return step(now_, Started{*ordered});
    if (const auto told = first(Witness::is_told)) return step(now_, Exited{*told, {}});
    if (const auto handshake = first(Witness::is_in_handshake)) {
      return step(now_, HandshakeEnded{*handshake, {}});
    }
    if (const auto pinging = first(Witness::is_pinging)) {
      return step(now_, PingEnded{*pinging, true});
    }
    const auto leases = witness_.open_leases();
    return !leases.empty() && step(now_, CheckedIn{leases.front(), true});
  }
  [[nodiscard]] bool is_well() const {
    const std::uint32_t wanted = config_.start == StartMode::lazy ? 0 : witness_.kept();
    const bool full =
        witness_.closing() || witness_.count(State::idle) >= std::max(wanted, config_.min_idle);
    return full && witness_.waiting() == 0;
  }
  void check_health() const {
    demand(witness_.open_leases().empty(), "no lease is left");
    demand(witness_.count(State::leaving) == 0, "nobody is leaving");
    demand(witness_.closing() == witness_.closed(), "a closing pool is closed");
  }

  bool step(Time now, const Event& event) {
    const bool idle_tick = std::holds_alternative<Tick>(event) && now < core_.next_deadline();
    const std::uint64_t ignored_before = core_.counters().ignored;
    now_ = now;
    effects_.clear();
    core_.step(now, event, effects_);
    if (log_ != nullptr) {
      *log_ += fmt::format("{} event {}: {}\n", pool::testing::say(now), event.index(),
                           pool::testing::say(effects_));
    }
    demand(!idle_tick || effects_.empty(), "a Tick before the next deadline does nothing");
    const std::uint64_t ignored = core_.counters().ignored - ignored_before;
    demand(ignored <= (std::holds_alternative<Tick>(event) ? 0 : 1),
           "what is ignored is counted once");
    for (const Effect& effect : effects_) {
      check_punctual(effect);
      const auto* const stop = std::get_if<Stop>(&effect);
      if (stop != nullptr && stop->step == StopStep::ask) {
        ++asked_to_go[static_cast<std::size_t>(stop->why)];
      }
    }
    witness_.see(now, event, effects_);
    return true;
  }
  /// If every Tick comes when it is due, every client has its answer by its deadline.
  void check_punctual(const Effect& effect) const {
    const auto* const refusal = std::get_if<Refuse>(&effect);
    if (!punctual_ || refusal == nullptr) return;
    demand(now_ <= witness_.deadline_of(refusal->checkout),
           "every client is answered by its deadline");
  }

  Config config_;
  bool punctual_;          ///< every Tick comes when it is due
  bool closes_;            ///< the pool may be closed in the middle
  std::uint32_t mishaps_;  ///< of 8 starts, and of 8 pings
  bool sessions_;          ///< there are some
  Core core_;
  Witness witness_;
  std::string* log_;
  Time now_{};
  Effects effects_;
  std::uint64_t checkouts_ = 0;
};

using Numbers = std::vector<std::uint32_t>;

/// The whole of a case, added to the tally; the log holds every step.
void play(const Numbers& knobs, const Numbers& numbers, std::string* log, Tally& tally) {
  World world(knobs, log);
  for (const std::uint32_t number : numbers) world.play(number);
  world.heal();
  world.close_at_last();
  tally.add(world.config());
  ++tally.cases;
  tally.steps += numbers.size();
  tally.late_steps += world.late_steps;
  tally.garbage += world.garbage;
  tally.closed_while_busy += world.closed_while_busy;
  tally.add(world.counters());
  for (std::size_t i = 0; i < world.asked_to_go.size(); ++i) {
    tally.asked_to_go[i] += world.asked_to_go[i];
  }
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

TEST_CASE("oracle: reference model: the core keeps every promise whatever the world does") {
  Tally tally;
  holds("the core keeps its promises", {8000, 400}, [&] {
    const Numbers knobs = some_knobs();
    const Numbers numbers = some_numbers();
    try {
      play(knobs, numbers, nullptr, tally);
    } catch (const BrokenPromise& broken) {
      std::string log;
      try {
        play(knobs, numbers, &log, tally);
      } catch (const BrokenPromise&) {
        RC_FAIL(std::string(broken.what()) + "\n" + log);
      }
    }
  });
  for (std::size_t i = 0; i < tally.options.size(); ++i) {
    INFO("config_of() leaves " << pool::kOptions[i].name << " always the same");
    CHECK(tally.options[i].least < tally.options[i].most);
  }
  // Nothing was shown about what never happened.
  const Counters& met = tally.counters;
  CHECK(tally.cases >= 5000);
  CHECK(tally.steps >= 500'000);
  CHECK(met.granted > 10'000);
  for (const Outcome why :
       {Outcome::checkout_timeout, Outcome::queue_full, Outcome::start_failed, Outcome::pool_closed,
        Outcome::cancelled, Outcome::worker_busy, Outcome::worker_gone, Outcome::sessions_full}) {
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
  for (const RemovalReason why :
       {RemovalReason::calls_spent, RemovalReason::lifetime_over, RemovalReason::idle_too_long,
        RemovalReason::renewed, RemovalReason::rss_exceeded}) {
    INFO(pool::testing::say(why));
    CHECK(tally.asked_to_go[static_cast<std::size_t>(why)] > 300);
  }
}

/// As the property shrank them: the model was wrong of the Core, in the last one the world was.
TEST_CASE("oracle: reference model: the core what once broke the property") {
  struct Found {
    Numbers knobs, numbers;
  };
  const std::vector<Found> all{
      // Told worker_busy by what was due as it was cancelled.
      {{1, 106552274, 48048729, 16, 56, 1144260915, 51, 7, 16, 0, 0, 0, 100066455, 33032, 6820,
        2771030481},
       {1049603, 9, 1033, 2051, 2451167017, 883453347, 3764388867, 2965897192}},
      // Told worker_gone in a late step, behind its own deadline, before somebody who had waited.
      {{193048797, 0, 1, 10, 0, 1638637568, 4267777293, 25, 1894970, 1024, 11648, 2580924199, 0, 0,
        0, 1759693307},
       {1027, 24991, 33801, 1317410947, 669675262, 103036105, 2963488675, 3683431200}},
      {{63, 7, 17, 16, 377897768, 177, 1505593879, 6790500, 3072, 512, 339031105, 851877278, 0, 0,
        24, 793280669},
       {0, 49161, 50185, 49161, 50185, 131081, 960495619, 4000304638, 307647657, 2552236035,
        3173759771, 2825168579, 3349202720, 2858024736}},
      // Checked in by a stranger who knew the number of a lease before it was granted.
      {{363958157, 54986, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 585},
       {0, 32777, 33801, 100680707, 2241959743}},
  };
  for (const Found& found : all) {
    Tally tally;
    CHECK_NOTHROW(play(found.knobs, found.numbers, nullptr, tally));
    CHECK(tally.counters.granted > 0);
  }
}

TEST_CASE("oracle: reference model: the core the same events give the same effects, twice") {
  std::size_t effects = 0;
  holds("the core is deterministic", {100, 300}, [&] {
    const Numbers knobs = some_knobs();
    const Numbers numbers = some_numbers();
    std::string first;
    std::string second;
    Tally tally;
    play(knobs, numbers, &first, tally);
    play(knobs, numbers, &second, tally);
    effects += first.size();
    RC_ASSERT(first == second);
  });
  CHECK(effects > 100'000);
}

}  // namespace
}  // namespace poolproof::oracle
