#include <array>
#include <cstddef>
#include <span>

#include <catch2/catch.hpp>

#include "harness/base/enumerators.hpp"
#include "harness/base/watched_heap_testing.hpp"
#include "harness/pool/core.hpp"
#include "harness/pool/meter.hpp"

namespace {

std::size_t allocations = 0;

}  // namespace

/// Not for more than one thread.
void poolproof::testing::on_allocation() noexcept {
  ++allocations;
}

namespace poolproof::pool {
namespace {

Config busy_pool() {
  Config config;
  config.size = 8;
  config.start = StartMode::eager;
  config.waiters_max = 1000;
  config.breaker_failures = 3;
  return config;
}

/// Plays rounds of everything: leases kept, waiters served, late and cancelled, workers lost and
/// replaced, starts that fail.
class Rounds {
 public:
  explicit Rounds(std::uint32_t waiters)
      : core_(busy_pool()), meter_(busy_pool().size, 1ms), waiters_(waiters) {
    step(Tick{});
  }

  void run() {
    for (std::uint32_t i = 0; i < waiters_; ++i) {
      const Time deadline = i % 4 == 0 ? now_ + 1ms : kNever;
      step(CheckoutRequested{CheckoutId{++checkouts_}, deadline});
      if (i % 5 == 2) step(CheckoutCancelled{CheckoutId{checkouts_ - i / 2}});
    }
    now_ += 2ms;
    step(Tick{});
    while (!leases_.empty()) {
      const LeaseId lease = leases_.back();
      leases_.pop_back();
      const std::uint64_t way = ++returned_ % 7;
      if (way == 3) step(LeaseRevoked{lease});
      if (way != 3) step(CheckedIn{lease, way != 5});
    }
    now_ += 20s;
    step(Tick{});
  }
  [[nodiscard]] const Core& core() const { return core_; }
  [[nodiscard]] const Meter& meter() const { return meter_; }

 private:
  /// The event, and at once all that its effects ask for.
  void step(const Event& event) {
    effects_.clear();
    step_on(event);
    for (std::size_t i = 0; i < effects_.size(); ++i) {
      const Effect effect = effects_[i];
      if (const auto* grant = std::get_if<Grant>(&effect)) leases_.push_back(grant->lease);
      if (const auto* stop = std::get_if<Stop>(&effect); stop != nullptr && is_signal(stop->step)) {
        step_on(Exited{stop->worker, {}});
      }
      const auto* start = std::get_if<Start>(&effect);
      if (start == nullptr) continue;
      if (++starts_ % 11 == 0) {
        step_on(StartFailed{start->worker, 11});
      } else {
        step_on(Started{start->worker});
        step_on(HandshakeEnded{start->worker, {}});
      }
    }
  }
  void step_on(const Event& event) {
    const std::size_t before = effects_.size();
    core_.step(now_, event, effects_);
    meter_.stepped(now_, event, std::span(effects_).subspan(before));
  }

  Core core_;
  Meter meter_;
  std::uint32_t waiters_;
  Time now_{};
  std::uint64_t checkouts_ = 0, starts_ = 0, returned_ = 0;
  std::vector<Effect> effects_;
  std::vector<LeaseId> leases_;
};

TEST_CASE("pool: core: a pool that has grown once makes no further allocation") {
  const std::uint32_t waiters = GENERATE(1U, 7U, 100U, 1000U);
  Rounds rounds(waiters);
  for (int warm_up = 0; warm_up < 20; ++warm_up) rounds.run();
  const std::size_t before = allocations;
  REQUIRE(before > 0);
  for (int i = 0; i < 200; ++i) rounds.run();
  const std::size_t after = allocations;  // read before Catch2 makes some of its own
  CHECK(after == before);
  // Something must have happened for it to mean something.
  const Counters& counters = rounds.core().counters();
  CHECK(counters.granted >= 100);
  CHECK(counters.returned_dirty > 10);
  CHECK(counters.revoked > 10);
  CHECK(counters.starts_failed > 1);
  CHECK(adds_up(rounds.meter().timings(), counters));
  if (waiters < 10) return;
  CHECK(counters.refused[static_cast<std::size_t>(Outcome::checkout_timeout)] > 1000);
  CHECK(counters.refused[static_cast<std::size_t>(Outcome::cancelled)] > 100);
}

TEST_CASE("pool: core: a steady number of workers that leave makes no allocation") {
  const std::uint32_t leaving = GENERATE(1U, 12U, 25U, 50U, 52U, 100U, 104U);
  Config config;
  config.leaving_max = 1000;
  Core core(config);
  std::vector<Effect> effects;
  effects.reserve(10);
  INFO(leaving << " are leaving");
  std::uint32_t generation = 0;
  const auto use_up_a_worker = [&] {
    effects.clear();
    core.step(Time{}, CheckoutRequested{CheckoutId{generation + 1U}, kNever}, effects);
    core.step(Time{}, Started{{0, generation}}, effects);
    core.step(Time{}, HandshakeEnded{{0, generation}, {}}, effects);
    core.step(Time{}, CheckedIn{std::get<Grant>(effects.back()).lease, false}, effects);
    if (generation >= leaving) core.step(Time{}, Exited{{0, generation - leaving}, {}}, effects);
    ++generation;
  };
  while (generation < 5 * leaving) use_up_a_worker();
  const std::size_t before = allocations;
  for (int i = 0; i < 20'000; ++i) use_up_a_worker();
  for (std::uint32_t left = leaving; left > 0; --left) {
    effects.clear();
    core.step(Time{}, Exited{{0, generation - left}, {}}, effects);
  }
  const std::size_t after = allocations;
  CHECK(after == before);
  CHECK(core.gauges().leaving == 0);
  CHECK(core.counters().returned_dirty == generation);
}

/// A day of a pool whose workers are recycled for every reason, a minute at a time.
TEST_CASE("pool: core: a pool that lives long makes no allocation, and its counts add up") {
  Config config;
  config.size = 4;
  config.max_calls = 195;
  config.max_lifetime = 1h;
  config.idle_timeout = 10min;
  config.max_rss_bytes = 1000;
  config.rss_interval = 5min;
  Core core(config);
  std::vector<Effect> effects;
  effects.reserve(100);
  Time now{};
  std::uint64_t checkouts = 0;
  std::uint32_t calls = 0;
  std::uint64_t measured = 0;
  std::array<std::uint64_t, enumerators<RemovalReason>()> recycled{};
  /// The event, and at once all that its effects ask for.
  const auto step = [&](const Event& event) {
    effects.clear();
    core.step(now, event, effects);
    for (std::size_t i = 0; i < effects.size(); ++i) {
      const Effect effect = effects[i];
      if (const auto* start = std::get_if<Start>(&effect)) {
        core.step(now, Started{start->worker}, effects);
        core.step(now, HandshakeEnded{start->worker, {}}, effects);
      } else if (const auto* stop = std::get_if<Stop>(&effect)) {
        ++recycled[static_cast<std::size_t>(stop->why)];
        core.step(now, Exited{stop->worker, {}}, effects);
      } else if (const auto* grant = std::get_if<Grant>(&effect)) {
        core.step(now, CheckedIn{grant->lease, true, ++calls % 200}, effects);
      } else if (const auto* measure = std::get_if<MeasureMemory>(&effect)) {
        core.step(now, MemoryMeasured{measure->worker, ++measured % 20 == 0 ? 1001U : 1000U},
                  effects);
      }
    }
  };
  const auto live_a_day = [&] {
    for (int minute = 0; minute < 24 * 60; ++minute) {
      now += 1min;
      while (core.next_deadline() <= now) step(Tick{});
      // Now and then a rush, after which they idle.
      const int clients = minute % 97 == 0 ? 4 : minute % 7 == 0 ? 1 : 0;
      if (clients == 4) step(SuspendRequested{});
      for (int i = 0; i < clients; ++i) step(CheckoutRequested{CheckoutId{++checkouts}, kNever});
      if (clients == 4) step(ResumeRequested{});
      if (minute % 500 == 0) step(RenewRequested{});
    }
  };
  live_a_day();
  const std::size_t before = allocations;
  live_a_day();
  const std::size_t after = allocations;
  CHECK(after == before);
  CHECK(adds_up(core.counters(), core.gauges()));
  for (const RemovalReason why :
       {RemovalReason::calls_spent, RemovalReason::lifetime_over, RemovalReason::idle_too_long,
        RemovalReason::renewed, RemovalReason::rss_exceeded}) {
    INFO(static_cast<int>(why));
    CHECK(recycled[static_cast<std::size_t>(why)] > 1);
  }
  CHECK(core.gauges().leaving == 0);
  CHECK(core.counters().starts < 1000);
}

TEST_CASE("pool: waiters: a queue that grew makes no allocation to empty itself and fill again") {
  Waiters waiters(1000);
  const auto fill = [&](std::uint64_t first) {
    for (std::uint64_t i = 0; i < 100; ++i) waiters.push({CheckoutId{first + i}, {}, Time(1s)});
  };
  fill(1);
  const std::size_t before = allocations;
  while (!waiters.empty()) waiters.pop_first(kAnyWorker);
  fill(101);
  while (!waiters.empty()) waiters.pop_earliest();
  const std::size_t after = allocations;
  CHECK(after == before);
}

}  // namespace
}  // namespace poolproof::pool
