#include "harness/pool/meter.hpp"

#include <string>

#include <catch2/catch.hpp>
#include <fmt/format.h>

#include "harness/base/random.hpp"
#include "harness/pool/core_testing.hpp"

namespace poolproof::pool::testing {
namespace {

std::string told(const PoolEvent& event) {
  std::string text(name(event.kind));
  if (event.kind != PoolEvent::Kind::waited) text += " " + say(event.worker);
  if (event.kind == PoolEvent::Kind::waited) text += fmt::format(" {}", name(event.outcome));
  if (event.kind == PoolEvent::Kind::left) {
    return text +
           fmt::format(" {} code {} signal {}", say(event.why), event.exit.code, event.exit.signal);
  }
  return text + fmt::format(" {}", to_ms(event.took));
}

/// A pool played by hand, and a meter that looks on: each step gives what a user is told of it.
class Measured {
 public:
  explicit Measured(const Config& config, Duration leak_after = {})
      : script_(config), meter(config.size, leak_after) {}

  std::string step(std::int64_t at_ms, const Event& event) {
    script_.at(at_ms).step(event);
    std::vector<PoolEvent> events;
    meter.stepped(script_.now(), event, script_.effects(), &events);
    CHECK(adds_up(meter.timings(), script_.core.counters()));
    std::string text;
    for (const PoolEvent& one : events) {
      CHECK(one.at == script_.now());
      text += (text.empty() ? "" : "; ") + told(one);
    }
    return text;
  }
  std::string checkout(std::int64_t at_ms, std::uint64_t checkout, Time deadline = kNever) {
    return step(at_ms, CheckoutRequested{CheckoutId{checkout}, deadline});
  }
  std::string check_in(std::int64_t at_ms, WorkerId worker) {
    return step(at_ms, CheckedIn{script_.lease(worker), true});
  }
  [[nodiscard]] LeaseId lease(WorkerId worker) const { return script_.lease(worker); }
  [[nodiscard]] std::vector<LeaseId> leaks(std::int64_t at_ms) const {
    std::vector<LeaseId> found;
    meter.for_each_leak(Time(std::chrono::milliseconds(at_ms)),
                        [&](const Meter::Hold& hold) { found.push_back(hold.lease); });
    return found;
  }

 private:
  Script script_;

 public:
  Meter meter;
};

Config pool_of(std::uint32_t size) {
  Config config;
  config.size = size;
  return config;
}

TEST_CASE("pool: meter: a start, a wait and a use are as long as they were") {
  Measured pool(pool_of(1));
  CHECK(pool.checkout(10, 1).empty());
  CHECK(pool.step(15, Started{{0, 0}}) == "started 0.0 5");
  CHECK(pool.step(40, HandshakeEnded{{0, 0}, {}}) == "ready 0.0 30; waited ok 30; leased 0.0 30");
  CHECK(pool.checkout(50, 2).empty());
  CHECK(pool.check_in(100, {0, 0}) == "returned 0.0 60; waited ok 50; leased 0.0 50");
  CHECK(pool.check_in(107, {0, 0}) == "returned 0.0 7");
  CHECK(pool.checkout(200, 3) == "leased 0.0 0");
  const Timings& timings = pool.meter.timings();
  CHECK(timings.start.count() == 1);
  CHECK(timings.start.sum() == 30ms);
  CHECK(timings.wait.count() == 3);
  CHECK(timings.wait.sum() == 80ms);
  CHECK(timings.use.count() == 2);
  CHECK(timings.use.sum() == 67ms);
}

TEST_CASE("pool: meter: who is turned away is told, and counts as no wait") {
  Config config = pool_of(1);
  config.waiters_max = 1;
  Measured pool(config);
  CHECK(pool.checkout(0, 1, Time(20ms)).empty());
  CHECK(pool.checkout(5, 2) == "waited queue_full 0");
  CHECK(pool.step(30, Tick{}) == "waited checkout_timeout 30");
  CHECK(pool.checkout(31, 3).empty());
  CHECK(pool.step(33, CheckoutCancelled{CheckoutId{3}}) == "waited cancelled 2");
  CHECK(pool.meter.timings().wait.count() == 0);
}

TEST_CASE("pool: meter: a lease is over however it ends") {
  Measured pool(pool_of(1));
  pool.checkout(0, 1);
  pool.step(0, Started{{0, 0}});
  pool.step(0, HandshakeEnded{{0, 0}, {}});
  const LeaseId lease = pool.lease({0, 0});
  CHECK(pool.meter.holds(lease));
  SECTION("given back") {
    CHECK(pool.step(9, CheckedIn{lease, true}) == "returned 0.0 9");
    CHECK(pool.step(10, CheckedIn{lease, true}).empty());
  }
  SECTION("given back unfit") {
    CHECK(pool.step(9, CheckedIn{lease, false}) == "returned 0.0 9");
    CHECK(pool.step(20, Exited{{0, 0}, {0, 15}}) == "left 0.0 none code 0 signal 15");
  }
  SECTION("revoked") {
    CHECK(pool.step(9, LeaseRevoked{lease}) == "returned 0.0 9");
  }
  SECTION("revoked by the close") {
    CHECK(pool.step(5, CloseRequested{Time(9ms)}).empty());
    CHECK(pool.step(9, Tick{}) == "returned 0.0 9");
  }
  SECTION("its worker died") {
    CHECK(pool.step(9, Exited{{0, 0}, {3, 0}}) == "returned 0.0 9; left 0.0 none code 3 signal 0");
    CHECK(pool.step(10, CheckedIn{lease, true}).empty());
  }
  CHECK_FALSE(pool.meter.holds(lease));
  CHECK(pool.meter.timings().use.count() == 1);
  CHECK(pool.meter.timings().use.sum() == 9ms);
}

TEST_CASE("pool: meter: a start that came to nothing is not measured") {
  Config config = pool_of(1);
  config.start = StartMode::eager;
  config.startup_budget = 100ms;
  config.postmortem_budget = config.silence_max = 0ms;
  Measured pool(config);
  CHECK(pool.step(0, Tick{}).empty());
  SECTION("it could not be started") {
    CHECK(pool.step(1, StartFailed{{0, 0}, 2}) == "left 0.0 start_failed code 0 signal 0");
    CHECK(pool.step(2, Started{{0, 0}}).empty());
  }
  SECTION("it answered badly") {
    pool.step(1, Started{{0, 0}});
    StartEvidence evidence;
    evidence.cause = StartCause::text_on_stdout;
    CHECK(pool.step(2, HandshakeEnded{{0, 0}, evidence}).empty());
    CHECK(pool.step(3, HandshakeEnded{{0, 0}, {}}).empty());
  }
  SECTION("it answered when it had been given up") {
    pool.step(1, Started{{0, 0}});
    CHECK(pool.step(101, HandshakeEnded{{0, 0}, {}}).empty());
  }
  SECTION("another one, or none that there can be, answered") {
    CHECK(pool.step(1, HandshakeEnded{{0, 1}, {}}).empty());
    CHECK(pool.step(1, HandshakeEnded{{1, 0}, {}}).empty());
    CHECK(pool.step(1, Started{{1, 0}}).empty());
  }
  CHECK(pool.meter.timings().start.count() == 0);
}

TEST_CASE("pool: meter: a process that comes when its slot has the next one is told, too") {
  Config config = pool_of(1);
  config.start = StartMode::eager;
  config.startup_budget = 100ms;
  config.postmortem_budget = config.silence_max = 0ms;
  config.backoff_initial = config.backoff_max = 10ms;
  config.breaker_failures = 0;
  Measured pool(config);
  pool.step(0, Tick{});
  CHECK(pool.step(100, Tick{}).empty());
  CHECK(pool.step(110, Tick{}).empty());
  CHECK(pool.step(115, Started{{0, 1}}) == "started 0.1 5");
  CHECK(pool.step(120, Started{{0, 0}}) == "started 0.0 120");
  CHECK(pool.step(121, Started{{0, 0}}).empty());
  CHECK(pool.step(125, Exited{{0, 0}, {0, 9}}) == "left 0.0 none code 0 signal 9");
  CHECK(pool.step(130, HandshakeEnded{{0, 1}, {}}) == "ready 0.1 20");
}

TEST_CASE("pool: meter: one that is ready and at once renewed was ready") {
  Config config = pool_of(1);
  config.min_idle = 1;
  Measured pool(config);
  pool.step(0, Tick{});
  pool.step(1, Started{{0, 0}});
  pool.step(2, RenewRequested{});
  CHECK(pool.step(7, HandshakeEnded{{0, 0}, {}}) == "ready 0.0 7");
  CHECK(pool.meter.timings().start.count() == 1);
}

TEST_CASE("pool: meter: a lease held for too long is told once, and listed until it ends") {
  Measured pool(pool_of(3), 100ms);
  for (std::uint32_t slot = 0; slot < 3; ++slot) {
    pool.checkout(0, slot + 1);
    pool.step(0, Started{{slot, 0}});
  }
  CHECK(pool.meter.next_leak() == kNever);
  for (std::uint32_t slot = 0; slot < 3; ++slot) {
    pool.step(10 * slot, HandshakeEnded{{slot, 0}, {}});
  }
  CHECK(pool.meter.next_leak() == Time(100ms));
  CHECK(pool.leaks(99).empty());
  CHECK(pool.step(99, Tick{}).empty());
  CHECK(pool.step(110, Tick{}) == "leak 0.0 110; leak 1.0 100");
  CHECK(pool.meter.next_leak() == Time(120ms));
  CHECK(pool.step(115, Tick{}).empty());
  CHECK(pool.leaks(115) == std::vector{pool.lease({0, 0}), pool.lease({1, 0})});
  // It ends as a leak, though nobody looked before.
  CHECK(pool.check_in(130, {2, 0}) == "leak 2.0 110; returned 2.0 110");
  CHECK(pool.meter.next_leak() == kNever);
  CHECK(pool.check_in(140, {0, 0}) == "returned 0.0 140");
  CHECK(pool.leaks(140) == std::vector{pool.lease({1, 0})});
  pool.checkout(150, 4);
  CHECK(pool.meter.next_leak() == Time(250ms));
  CHECK(pool.meter.timings().use.count() == 2);
}

/// Against a plain list of who holds what, in the order of the grants.
TEST_CASE("pool: meter: in whatever order leases end, each leak is told once, longest held first") {
  constexpr std::uint32_t kSize = 5;
  Measured pool(pool_of(kSize), 40ms);
  for (std::uint32_t slot = 0; slot < kSize; ++slot) {
    pool.checkout(0, slot + 1);
    pool.step(0, Started{{slot, 0}});
    pool.step(0, HandshakeEnded{{slot, 0}, {}});
  }
  for (std::uint32_t slot = 0; slot < kSize; ++slot) pool.check_in(0, {slot, 0});
  Random random(1, "leases");
  std::vector<Meter::Hold> held;
  std::uint64_t checkouts = kSize;
  std::size_t told = 0;
  for (std::int64_t now = 1; now < 5000; now += 1 + static_cast<std::int64_t>(random.below(10))) {
    const auto is_leak = [&](const Meter::Hold& hold) {
      return hold.since + 40ms <= Time(std::chrono::milliseconds(now));
    };
    std::vector<LeaseId> leaks;
    for (const Meter::Hold& hold : held) {
      if (is_leak(hold)) leaks.push_back(hold.lease);
    }
    std::string events;
    if (held.size() < kSize && random.below(2) == 0) {
      events = pool.checkout(now, ++checkouts);
      const auto granted = events.substr(events.rfind("leased ") + 7);
      const WorkerId worker{static_cast<std::uint32_t>(granted[0] - '0'), 0};
      held.push_back({pool.lease(worker), worker, Time(std::chrono::milliseconds(now))});
    } else if (!held.empty()) {
      const auto ended = held.begin() + static_cast<std::ptrdiff_t>(random.below(held.size()));
      std::erase(leaks, ended->lease);
      events = pool.check_in(now, ended->worker);
      held.erase(ended);
    } else {
      events = pool.step(now, Tick{});
    }
    for (std::size_t at = events.find("leak"); at != std::string::npos;
         at = events.find("leak", at + 1)) {
      ++told;
    }
    REQUIRE(pool.leaks(now) == leaks);
    const bool any_untold = pool.meter.next_leak() != kNever;
    const bool any_young = !held.empty() && !is_leak(held.back());
    REQUIRE(any_untold == any_young);
  }
  CHECK(told > 20);
  CHECK(pool.meter.timings().use.count() > 200);
}

TEST_CASE("pool: meter: no lease is a leak unless that is asked for") {
  Measured pool(pool_of(1), GENERATE(0ms, -1ms));
  pool.checkout(0, 1);
  pool.step(0, Started{{0, 0}});
  pool.step(0, HandshakeEnded{{0, 0}, {}});
  CHECK(pool.meter.next_leak() == kNever);
  CHECK(pool.leaks(1'000'000).empty());
  CHECK(pool.step(1'000'000, Tick{}).empty());
}

TEST_CASE("pool: meter: counts that are not the Core's do not add up") {
  Counters counted;
  Timings timings;
  CHECK(adds_up(timings, counted));
  timings.wait.add(1us);
  CHECK_FALSE(adds_up(timings, counted));
  counted.granted = 1;
  CHECK(adds_up(timings, counted));
  timings.use.add(1us);
  CHECK_FALSE(adds_up(timings, counted));
  counted.lost = 1;
  CHECK(adds_up(timings, counted));
}

}  // namespace
}  // namespace poolproof::pool::testing
