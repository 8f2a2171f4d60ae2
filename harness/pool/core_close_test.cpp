#include <catch2/catch.hpp>

#include "harness/pool/core_testing.hpp"

/// How a pool closes: newcomers and waiters at once, leases drained, the ladder in parallel.
namespace poolproof::pool {
namespace {

using testing::Script;

Config eager(std::uint32_t size) {
  Config config;
  config.size = size;
  config.start = StartMode::eager;
  config.backoff_jitter_percent = 0;
  return config;
}

Script full_pool(std::uint32_t size) {
  Config config = eager(size);
  config.starts_max = size;
  Script s{config};
  s.tick();
  for (std::uint32_t slot = 0; slot < size; ++slot) s.up({slot, 0});
  return s;
}

TEST_CASE("pool: core: an empty pool is closed at once, and once only") {
  Config config;
  Script s{config};
  CHECK(s.close(1000) == "Closed");
  CHECK(s.core.next_deadline() == kNever);
  CHECK(s.checkout(1) == "Refuse c1 pool_closed: queued since 0");
  CHECK(s.close(2000) == "");
  CHECK(s.at(5000).tick() == "");
}

TEST_CASE("pool: core: closing refuses waiters and newcomers at once and drains the leases") {
  Script s = full_pool(2);
  s.checkout(1);
  s.checkout(2);
  s.at(10).checkout(3);
  s.checkout(4);
  CHECK(s.at(20).close(10'000) ==
        "Refuse c3 pool_closed: queued since 10; Refuse c4 pool_closed: queued since 10");
  CHECK(s.checkout(5) == "Refuse c5 pool_closed: queued since 20");
  CHECK(s.at(3000).check_in({0, 0}) == "Stop 0.0 ask closing");
  CHECK(s.check_in_dirty({1, 0}) == "Stop 1.0 term dirty");
  CHECK(s.exited({1, 0}) == "Forget 1.0");
  CHECK(s.at(3100).exited({0, 0}) == "Forget 0.0; Closed");
  CHECK(s.core.next_deadline() == kNever);
}

TEST_CASE("pool: core: the ladder goes up rung by rung, for all workers in parallel") {
  Script s = full_pool(2);
  CHECK(s.at(1000).close(60'000) == "Stop 0.0 ask closing; Stop 1.0 ask closing");
  CHECK(s.core.next_deadline() == Time(1500ms));
  CHECK(s.at(1500).tick() == "Stop 0.0 end_of_input closing; Stop 1.0 end_of_input closing");
  CHECK(s.core.next_deadline() == Time(2000ms));
  CHECK(s.at(2000).tick() == "Stop 0.0 term closing; Stop 1.0 term closing");
  CHECK(s.at(2100).exited({0, 0}) == "Forget 0.0");
  CHECK(s.core.next_deadline() == Time(2500ms));
  CHECK(s.at(2500).tick() == "Stop 1.0 kill closing");
  CHECK(s.core.next_deadline() == Time(59'500ms));  // only the bounds of the closing are left
  CHECK(s.exited({1, 0}) == "Forget 1.0; Closed");
}

TEST_CASE("pool: core: the graces are those of the config") {
  Config config = eager(1);
  config.shutdown_grace = 7ms;
  config.stdin_grace = 20ms;
  config.term_grace = 300ms;
  Script s{config};
  s.tick();
  s.up({0, 0});
  s.close(60'000);
  CHECK(s.core.next_deadline() == Time(7ms));
  s.tick_when_due();
  CHECK(s.core.next_deadline() == Time(27ms));
  s.tick_when_due();
  CHECK(s.core.next_deadline() == Time(327ms));
}

TEST_CASE("pool: core: leases not drained are revoked one TERM's grace before the deadline") {
  Script s = full_pool(1);
  s.checkout(1);
  s.at(1000).close(3000);
  CHECK(s.core.next_deadline() == Time(2500ms));
  CHECK(s.tick_when_due() == "Stop 0.0 term closing");
  CHECK(s.core.counters().revoked == 1);
  CHECK(s.check_in({0, 0}) == "");
  CHECK(s.tick_when_due() == "Stop 0.0 kill closing");
  CHECK(s.now() == Time(3000ms));
  CHECK(s.core.next_deadline() == kNever);
  CHECK(s.exited({0, 0}) == "Forget 0.0; Closed");
}

TEST_CASE("pool: core: a short closing keeps half of its time for the drain") {
  Script s = full_pool(1);
  s.checkout(1);
  s.at(1000).close(1100);
  CHECK(s.core.next_deadline() == Time(1050ms));
}

TEST_CASE("pool: core: at the deadline all that is left is killed, whatever its rung") {
  Script s = full_pool(4);
  s.checkout(1);
  s.checkout(2);
  s.check_in_dirty({2, 0});  // TERM; 2.1 starts
  s.at(500).tick();          // KILL
  CHECK(s.at(1000).close(1400) == "Stop 0.0 ask closing; Stop 1.0 ask closing");
  // A late world: drain and deadline fall due in the same step. 2.0 had its KILL, 2.1 never ran.
  CHECK(s.at(1450).tick() ==
        "Stop 3.0 term closing; Stop 0.0 kill closing; Stop 1.0 kill closing; "
        "Stop 3.0 kill closing");
  CHECK(s.core.next_deadline() == kNever);
  CHECK(s.exited({0, 0}) == "Forget 0.0");
  CHECK(s.exited({1, 0}) == "Forget 1.0");
  CHECK(s.exited({2, 0}) == "Forget 2.0");
  CHECK(s.exited({3, 0}) == "Forget 3.0");
  CHECK(s.start_failed({2, 1}) == "Forget 2.1; Closed");
}

TEST_CASE("pool: core: a pool may close while it starts: what comes late is killed or forgotten") {
  Script s{eager(3)};
  s.tick();
  s.started({2, 0});
  CHECK(s.at(10).close(1000) == "Stop 2.0 kill closing");
  CHECK(s.at(20).started({0, 0}) == "Stop 0.0 kill closing");
  CHECK(s.start_failed({1, 0}) == "Forget 1.0");
  CHECK(s.good({2, 0}) == "");
  CHECK(s.exited({2, 0}) == "Forget 2.0");
  CHECK(s.at(1000).tick() == "");
  CHECK(s.exited({0, 0}) == "Forget 0.0; Closed");
  CHECK(s.core.counters().starts_failed == 0);
  const Counters& counters = s.core.counters();
  CHECK(counters.starts == counters.forgotten);
}

TEST_CASE("pool: core: the end of closing is not awaited by a slot that cools") {
  Config config = eager(1);
  Script s{config};
  s.tick();
  s.start_failed({0, 0});
  CHECK(s.close(1000) == "Closed");
  CHECK(s.at(2000).tick() == "");
}

TEST_CASE("pool: core: nothing starts and nothing half-opens in a closing pool") {
  Config config = eager(2);
  config.breaker_failures = 1;
  config.breaker_open = 50ms;
  Script s{config};
  s.tick();
  s.up({0, 0});
  s.checkout(1);
  s.start_failed({1, 0});
  REQUIRE(s.core.gauges().breaker_open);
  s.close(10'000);
  CHECK(s.core.next_deadline() == Time(9500ms));
  CHECK(s.at(60).tick() == "");
  CHECK(s.exited({0, 0}) == "Forget 0.0; Closed");
}

TEST_CASE("pool: core: a second closing may only bring the end nearer") {
  Script s = full_pool(1);
  s.checkout(1);
  s.close(5000);
  CHECK(s.close(9000) == "");
  CHECK(s.core.next_deadline() == Time(4500ms));
  CHECK(s.close(3000) == "");
  CHECK(s.core.next_deadline() == Time(2500ms));
}

TEST_CASE("pool: core: a deadline that has passed closes with the next Tick") {
  const Time deadline = GENERATE(Time(1000ms), Time(10ms), Time::min());
  Script s = full_pool(2);
  s.checkout(1);
  s.at(1000);
  CHECK(s.step(CloseRequested{deadline}) == "Stop 0.0 ask closing");
  CHECK(s.core.next_deadline() == Time(1000ms));
  CHECK(s.tick() == "Stop 1.0 term closing; Stop 0.0 kill closing; Stop 1.0 kill closing");
  CHECK(s.core.next_deadline() == kNever);
}

TEST_CASE("pool: core: a closing without end drains for ever") {
  Script s = full_pool(1);
  s.checkout(1);
  CHECK(s.step(CloseRequested{kNever}) == "");
  CHECK(s.at(365LL * 24 * 3600 * 1000).tick() == "");
  CHECK(s.check_in({0, 0}) == "Stop 0.0 ask closing");
}

}  // namespace
}  // namespace poolproof::pool
