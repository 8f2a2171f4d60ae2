#include <catch2/catch.hpp>

#include "harness/pool/core_testing.hpp"

/// When the pool starts workers, when it holds starts back, and how it gives up.
namespace poolproof::pool {
namespace {

using testing::lazy;
using testing::Script;

Config eager(std::uint32_t size) {
  Config config = lazy(size);
  config.start = StartMode::eager;
  return config;
}

// ---- demand ------------------------------------------------------------------------------------

TEST_CASE("pool: core: a lazy pool starts no more workers than clients wait") {
  Script s{lazy(5)};
  CHECK(s.tick() == "");
  CHECK(s.checkout(1) == "Start 0.0");
  CHECK(s.checkout(2) == "Start 1.0");
  s.cancel(1);
  CHECK(s.checkout(3) == "");  // two starts are under way for clients 2 and 3
  CHECK(s.checkout(4) == "Start 2.0");
}

TEST_CASE("pool: core: a worker whose client left is kept, and nothing starts after it") {
  Script s{lazy(3)};
  s.checkout(1, 100);
  s.at(100).tick();
  CHECK(s.started({0, 0}) == "Handshake 0.0 by 5000");
  CHECK(s.good({0, 0}) == "");
  CHECK(s.core.gauges().idle == 1);
  CHECK(s.core.counters().starts == 1);
  CHECK(s.checkout(2) == "Grant c2 0.0");
}

TEST_CASE("pool: core: a lost worker is replaced at once beside a waiter, and only there") {
  Script s{lazy(1)};
  s.checkout(1);
  s.up({0, 0});
  CHECK(s.exited({0, 0}) == "Forget 0.0");
  CHECK(s.checkout(2) == "Start 0.1");
  s.up({0, 1});
  s.checkout(3);
  CHECK(s.exited({0, 1}) == "Forget 0.1; Start 0.2");
}

TEST_CASE("pool: core: a worker deaf to TERM does not block a pool of one") {
  Script s{lazy(1)};
  s.checkout(1);
  s.up({0, 0});
  s.checkout(2, 400);
  CHECK(s.check_in_dirty({0, 0}) == "Stop 0.0 term dirty; Start 0.1");
  CHECK(s.up({0, 1}) == "Grant c2 0.1");
  CHECK(s.at(500).tick() == "Stop 0.0 kill dirty");
  CHECK(s.core.next_deadline() == kNever);
  CHECK(s.exited({0, 0}) == "Forget 0.0");
}

TEST_CASE("pool: core: an eager pool is full at once, the lowest slot first, and kept full") {
  Config config = eager(3);
  Script s{config};
  CHECK(s.core.next_deadline() == Time::min());
  CHECK(s.tick() == "Start 0.0; Start 1.0; Start 2.0");
  for (std::uint32_t slot = 0; slot < 3; ++slot) s.up({slot, 0});
  s.checkout(1);
  CHECK(s.revoke({2, 0}) == "Stop 2.0 term revoked; Start 2.1");
}

TEST_CASE("pool: core: no more starts are under way than allowed, handshakes included") {
  Config config = eager(4);
  config.starts_max = 2;
  Script s{config};
  CHECK(s.tick() == "Start 0.0; Start 1.0");
  CHECK(s.started({0, 0}) == "Handshake 0.0 by 5000");
  CHECK(s.good({0, 0}) == "Start 2.0");
  CHECK(s.start_failed({1, 0}) == "Forget 1.0; Start 3.0");
  CHECK(s.at(100).tick() == "");  // slot 1 has cooled, two others are under way
  CHECK(s.up({2, 0}) == "Start 1.1");
}

TEST_CASE("pool: core: starts wait while too many workers are leaving") {
  Config config = eager(2);
  config.leaving_max = 2;
  Script s{config};
  s.tick();
  s.up({0, 0});
  s.up({1, 0});
  s.checkout(1);
  s.checkout(2);
  CHECK(s.revoke({0, 0}) == "Stop 0.0 term revoked; Start 0.1");
  CHECK(s.revoke({1, 0}) == "Stop 1.0 term revoked");
  CHECK(s.checkout(3) == "");
  CHECK(s.exited({0, 0}) == "Forget 0.0; Start 1.1");
}

// ---- blocking ----------------------------------------------------------------------------------

TEST_CASE("pool: core: a blocking pool starts one at a time and grants nothing meanwhile") {
  Config config = lazy(3);
  config.init_mode = InitMode::blocking;
  Script s{config};
  s.checkout(1);
  s.up({0, 0});
  CHECK(s.checkout(2, 700) == "Start 1.0");
  CHECK(s.checkout(3, 300) == "");
  CHECK(s.checkout(4) == "");
  CHECK(s.check_in({0, 0}) == "");
  CHECK(s.checkout(5, 0) ==
        "Refuse c5 checkout_timeout: queued of 1.0 since 0, behind_another_start");
  CHECK(s.started({1, 0}) == "Handshake 1.0 by 5000");
  CHECK(s.at(300).tick() ==
        "Refuse c3 checkout_timeout: queued of 1.0 since 0, behind_another_start");
  CHECK(s.good({1, 0}) == "Grant c2 1.0; Grant c4 0.0");
}

TEST_CASE("pool: core: a blocking pool serves idle workers again once the start has failed") {
  Config config = lazy(2);
  config.init_mode = InitMode::blocking;
  Script s{config};
  s.checkout(1);
  s.up({0, 0});
  s.checkout(2);
  s.check_in({0, 0});
  CHECK(s.start_failed({1, 0}) == "Forget 1.0; Grant c2 0.0");
}

// ---- budgets -----------------------------------------------------------------------------------

TEST_CASE(
    "pool: core: a start not answered within its budget is given up, and killed if it comes") {
  Script s{lazy(1)};
  s.checkout(1);
  CHECK(s.core.next_deadline() == Time(5s));
  CHECK(s.at(5000).tick() == "");
  CHECK(s.core.gauges().leaving == 1);
  CHECK(s.at(5100).tick() == "Start 0.1");
  CHECK(s.started({0, 0}) == "Stop 0.0 kill budget_spent");
  CHECK(s.started({0, 0}) == "");  // not twice
  CHECK(s.core.next_deadline() == Time(10100ms));
  CHECK(s.exited({0, 0}) == "Forget 0.0");
  CHECK(s.started({0, 1}) == "Handshake 0.1 by 10100");
}

TEST_CASE("pool: core: the handshake's deadline counts from the order to start") {
  Script s{lazy(1)};
  s.at(1000).checkout(1);
  CHECK(s.at(4000).started({0, 0}) == "Handshake 0.0 by 6000");
}

TEST_CASE("pool: core: a handshake of which nothing is heard is ended after all budgets") {
  Script s{lazy(1)};
  s.checkout(1);
  s.at(1000).started({0, 0});
  CHECK(s.core.next_deadline() == Time(5000ms + 300ms + 5000ms));
  CHECK(s.tick_when_due() == "Stop 0.0 kill budget_spent");
  CHECK(s.core.counters().starts_failed == 1);
  CHECK(s.core.state(0) == SlotState::cooling);
}

TEST_CASE("pool: core: a client of a start that spent its budget is told so") {
  Script s{lazy(1)};
  s.checkout(1, 5050);
  s.at(5000).tick();
  CHECK(s.at(5050).tick() ==
        "Refuse c1 start_failed: cooling since 0, budget_spent of 0.0, 1 in a row");
}

// ---- back-off ----------------------------------------------------------------------------------

TEST_CASE("pool: core: pauses double up to their limit") {
  Config config = eager(1);
  config.backoff_max = 500ms;
  Script s{config};
  s.tick();
  for (const auto pause : {100ms, 200ms, 400ms, 500ms, 500ms}) {
    s.start_failed(s.core.current(0));
    CHECK(s.core.next_deadline() - s.now() == pause);
    s.tick_when_due();
  }
}

TEST_CASE("pool: core: a clean lease, and not a good start alone, ends the doubling") {
  Script s{eager(1)};
  s.tick();
  s.start_failed({0, 0});
  s.tick_when_due();
  s.up({0, 1});
  s.exited({0, 1});  // dead as soon as ready
  CHECK(s.core.next_deadline() - s.now() == 200ms);
  s.tick_when_due();
  s.up({0, 2});
  s.checkout(1);
  s.check_in({0, 2});
  CHECK(s.exited({0, 2}) == "Forget 0.2; Start 0.3");
  s.start_failed({0, 3});
  CHECK(s.core.next_deadline() - s.now() == 100ms);
}

TEST_CASE("pool: core: the jitter cuts a pause by its share at most, by the seed") {
  const auto pauses = [](std::uint64_t seed) {
    Config config = eager(1);
    config.seed = seed;
    config.backoff_jitter_percent = 20;
    config.backoff_max = config.backoff_initial;
    Script s{config};
    s.tick();
    std::vector<Duration> seen;
    for (int i = 0; i < 200; ++i) {
      s.start_failed(s.core.current(0));
      seen.push_back(s.core.next_deadline() - s.now());
      s.tick_when_due();
    }
    return seen;
  };
  const auto seen = pauses(1);
  const auto [least, most] = std::minmax_element(seen.begin(), seen.end());
  CHECK(*least >= 80ms);
  CHECK(*least < 85ms);
  CHECK(*most <= 100ms);
  CHECK(*most > 95ms);
  CHECK(pauses(1) == seen);
  CHECK(pauses(2) != seen);
}

TEST_CASE("pool: core: an eager pool pauses between workers that are of no use once ready") {
  const bool talks = GENERATE(false, true);
  Script s{eager(1)};
  s.tick();
  std::vector<Duration> pauses;
  for (int i = 0; i < 4; ++i) {
    const WorkerId worker = s.core.current(0);
    s.up(worker);
    if (talks) s.unsolicited(worker);
    s.exited(worker);
    CHECK(s.core.state(0) == SlotState::cooling);
    pauses.push_back(s.core.next_deadline() - s.now());
    s.tick_when_due();
  }
  CHECK(pauses == std::vector<Duration>{100ms, 200ms, 400ms, 800ms});
}

TEST_CASE("pool: core: a pause may be cut to nothing, and no span of zero stalls the pool") {
  Config config = eager(1);
  config.backoff_jitter_percent = 100;
  config.shutdown_grace = config.stdin_grace = config.term_grace = 0ms;
  Script s{config};
  s.tick();
  for (int i = 0; i < 50; ++i) {
    const WorkerId worker = s.core.current(0);
    s.started(worker);
    s.bad(worker);
    s.exited(worker);
    for (int ticks = 0; s.core.state(0) == SlotState::cooling && ticks < 3; ++ticks) {
      s.tick_when_due();
    }
    REQUIRE(s.core.state(0) == SlotState::starting);
  }
  s.up(s.core.current(0));
  CHECK(s.close(10'000'000) == "Stop 0.50 ask closing");
  CHECK(s.tick() ==
        "Stop 0.50 end_of_input closing; Stop 0.50 term closing; Stop 0.50 kill closing");
}

// ---- breaker -----------------------------------------------------------------------------------

Config with_breaker(std::uint32_t size, StartMode start) {
  Config config = lazy(size);
  config.start = start;
  config.breaker_failures = 3;
  config.breaker_open = 1s;
  return config;
}

/// A lazy pool of one with clients 1 and 2 in which two starts have failed and one is under way.
Script on_the_brink() {
  Script s{with_breaker(1, StartMode::lazy)};
  s.checkout(1, 20'000);
  s.checkout(2, 20'000);
  s.start_failed({0, 0});
  s.tick_when_due();
  s.start_failed({0, 1});
  s.tick_when_due();
  s.started({0, 2});
  return s;
}

TEST_CASE(
    "pool: core: at the last failure allowed the breaker refuses all waiters with the cause") {
  Script s = on_the_brink();
  CHECK_FALSE(s.core.gauges().breaker_open);
  CHECK(s.at(400).exited({0, 2}, {.code = 1, .signal = 0}) ==
        "Forget 0.2; "
        "Refuse c1 start_failed: cooling since 0, exited of 0.2, 3 in a row; "
        "Refuse c2 start_failed: cooling since 0, exited of 0.2, 3 in a row");
  CHECK(s.core.gauges().breaker_open);
  CHECK(s.core.counters().breaker_opened == 1);
  const Refuse refusal = std::get<Refuse>(s.effects().back());
  CHECK(refusal.cause.exit.code == 1);
  CHECK(s.at(410).checkout(3, 9000) ==
        "Refuse c3 start_failed: cooling since 410, exited of 0.2, 3 in a row");
}

TEST_CASE("pool: core: the breaker half-opens by Tick with one start, demand or not") {
  Script s = on_the_brink();
  s.at(400).bad({0, 2});
  s.at(450).exited({0, 2});
  CHECK(s.at(1399).tick() == "");
  CHECK(s.at(1400).tick() == "Start 0.3");
  CHECK(s.checkout(3, 9000) == "");  // waits for the probe
  CHECK(s.at(1500).start_failed({0, 3}) ==
        "Forget 0.3; Refuse c3 start_failed: cooling since 1400, exec_failed of 0.3, 4 in a row");
  CHECK(std::get<Refuse>(s.effects().back()).cause.errno_value == 2);
  CHECK(s.core.counters().breaker_opened == 1);  // the same opening goes on
  CHECK(s.at(2499).tick() == "");
  CHECK(s.at(2500).tick() == "Start 0.4");
  CHECK(s.up({0, 4}) == "");
  CHECK_FALSE(s.core.gauges().breaker_open);
  CHECK(s.checkout(4) == "Grant c4 0.4");
  CHECK(s.core.next_deadline() == kNever);
}

TEST_CASE("pool: core: the breaker counts anew once it has closed") {
  Script s = on_the_brink();
  s.at(400).exited({0, 2});
  s.at(1400).tick();
  s.up({0, 3});
  s.checkout(3);
  s.checkout(4);
  s.exited({0, 3});
  s.start_failed({0, 4});
  s.tick_when_due();
  s.start_failed({0, 5});
  CHECK_FALSE(s.core.gauges().breaker_open);
  s.tick_when_due();
  s.start_failed({0, 6});
  CHECK(s.core.gauges().breaker_open);
  CHECK(s.core.counters().breaker_opened == 2);
}

TEST_CASE("pool: core: an eager pool tries exactly one start at half-open, then fills up again") {
  Script s{with_breaker(3, StartMode::eager)};
  s.tick();
  s.start_failed({0, 0});
  s.start_failed({1, 0});
  CHECK(s.start_failed({2, 0}) == "Forget 2.0");
  CHECK(s.at(500).tick() == "");  // cooled, but the breaker is open
  CHECK(s.core.gauges().vacant == 3);
  CHECK(s.at(1000).tick() == "Start 2.1");
  CHECK(s.at(1100).tick() == "");
  CHECK(s.up({2, 1}) == "Start 1.1; Start 0.1");
}

TEST_CASE("pool: core: the probe takes a slot that still cools if there is no other") {
  Config config = with_breaker(2, StartMode::eager);
  config.backoff_initial = 8s;
  Script s{config};
  s.tick();
  s.up({0, 0});
  s.checkout(1);
  s.start_failed({1, 0});
  s.at(8000).tick();
  s.start_failed({1, 1});
  s.at(18'000).tick();
  s.start_failed({1, 2});
  CHECK(s.core.state(1) == SlotState::cooling);
  CHECK(s.at(19'000).tick() == "Start 1.3");
  CHECK(s.core.next_deadline() == Time(24s));  // the start's, and no longer the pause's
  CHECK(s.up({1, 3}) == "");
}

TEST_CASE("pool: core: the probe waits for a start that was begun before the breaker opened") {
  Script s{with_breaker(4, StartMode::eager)};
  s.tick();
  s.start_failed({0, 0});
  s.start_failed({1, 0});
  s.start_failed({2, 0});
  CHECK(s.at(1000).tick() == "");  // 3.0 is under way
  CHECK(s.at(1200).start_failed({3, 0}) == "Forget 3.0");
  CHECK(s.at(2199).tick() == "");
  CHECK(s.at(2200).tick() == "Start 3.1");
}

TEST_CASE("pool: core: a client that comes just when the breaker half-opens waits for the probe") {
  Script s = on_the_brink();
  s.at(400).exited({0, 2});
  s.at(800).tick();
  REQUIRE(s.core.state(0) == SlotState::vacant);  // it is the breaker that holds starts back
  CHECK(s.at(1399).checkout(3, 9000) ==
        "Refuse c3 start_failed: cooling since 1399, exited of 0.2, 3 in a row");
  CHECK(s.at(1400).checkout(4, 9000) == "Start 0.3");
  CHECK(s.up({0, 3}) == "Grant c4 0.3");
}

TEST_CASE("pool: core: under an open breaker a try-checkout is told the cause as well") {
  Script s = on_the_brink();
  s.at(400).exited({0, 2});
  CHECK(s.at(500).checkout(3, 500) ==
        "Refuse c3 start_failed: cooling since 500, exited of 0.2, 3 in a row");
}

TEST_CASE("pool: core: a good start that was under way already closes the breaker for good") {
  Script s{with_breaker(4, StartMode::eager)};
  s.tick();
  s.start_failed({0, 0});
  s.start_failed({1, 0});
  s.start_failed({2, 0});
  REQUIRE(s.core.gauges().breaker_open);
  CHECK(s.up({3, 0}) == "");
  CHECK_FALSE(s.core.gauges().breaker_open);
  CHECK(s.at(100).tick() == "Start 2.1; Start 1.1; Start 0.1");
  for (std::uint32_t slot = 0; slot < 3; ++slot) s.up({slot, 1});
  CHECK(s.core.next_deadline() == kNever);  // no half-opening is left over
}

TEST_CASE("pool: core: an open breaker refuses nobody while a worker lives") {
  Script s{with_breaker(2, StartMode::lazy)};
  s.checkout(1);
  s.up({0, 0});
  s.checkout(2, 50'000);
  for (int i = 0; i < 3; ++i) {
    s.start_failed(s.core.current(1));
    if (i < 2) s.tick_when_due();
  }
  REQUIRE(s.core.gauges().breaker_open);
  CHECK(s.core.gauges().waiting == 1);
  CHECK(s.checkout(3, 50'000) == "");
  CHECK(s.check_in({0, 0}) == "Grant c2 0.0");
  CHECK(s.exited({0, 0}) ==
        "Forget 0.0; Refuse c3 start_failed: cooling since 300, exec_failed of 1.2, 3 in a row");
}

TEST_CASE("pool: core: without a breaker starts are tried for ever") {
  Script s{eager(1)};
  s.tick();
  for (std::uint32_t i = 0; i < 40; ++i) {
    s.start_failed({0, i});
    REQUIRE(s.tick_when_due() == "Start 0." + std::to_string(i + 1));
  }
  CHECK_FALSE(s.core.gauges().breaker_open);
}

}  // namespace
}  // namespace poolproof::pool
