#include <catch2/catch.hpp>

#include "harness/pool/core_testing.hpp"

/// Workers that go after their job though they have done nothing wrong, and a pool that serves
/// nobody for a while.
namespace poolproof::pool {
namespace {

using testing::Script;

Config lazy(std::uint32_t size) {
  Config config;
  config.size = size;
  config.lifetime_jitter_percent = 0;
  return config;
}

/// All its workers are ready and idle, in the order of their slots, at zero.
Script idle_pool(const Config& config) {
  Script s{config};
  for (std::uint32_t i = 0; i < config.size; ++i) s.checkout(1000 + i);
  for (std::uint32_t i = 0; i < config.size; ++i) s.up({i, 0});
  for (std::uint32_t i = 0; i < config.size; ++i) s.check_in({i, 0});
  return s;
}

// ---- max_calls ---------------------------------------------------------------------------------

TEST_CASE("pool: recycling: a worker that has served max_calls goes when it comes back") {
  Config config = lazy(1);
  config.max_calls = 3;
  Script s = idle_pool(config);
  s.checkout(1);
  CHECK(s.check_in({0, 0}, 2) == "");
  s.checkout(2);
  CHECK(s.check_in({0, 0}, 3) == "Stop 0.0 ask calls_spent");
  CHECK(s.core.gauges().vacant == 1);
  CHECK(s.exited({0, 0}) == "Forget 0.0");
  CHECK(s.checkout(3) == "Start 0.1");
}

TEST_CASE("pool: recycling: somebody who waits has the next one started at once") {
  Config config = lazy(1);
  config.max_calls = 1;
  Script s = idle_pool(config);
  s.checkout(1);
  s.checkout(2);
  CHECK(s.check_in({0, 0}, 1) == "Stop 0.0 ask calls_spent; Start 0.1");
}

TEST_CASE("pool: recycling: while somebody waits and none could be started, the worker serves") {
  Config config = lazy(1);
  config.max_calls = 1;
  config.leaving_max = 1;
  Script s = idle_pool(config);
  s.checkout(1);
  s.checkout(2);
  CHECK(s.check_in({0, 0}, 1) == "Grant c2 0.0");
  CHECK(s.check_in({0, 0}, 2) == "Stop 0.0 ask calls_spent");
}

TEST_CASE("pool: recycling: a dirty worker is put away as ever") {
  Config config = lazy(1);
  config.max_calls = 1;
  Script s = idle_pool(config);
  s.checkout(1);
  CHECK(s.check_in_dirty({0, 0}) == "Stop 0.0 term dirty");
}

// ---- one at a time -----------------------------------------------------------------------------

TEST_CASE("pool: recycling: the second goes only when the first has gone") {
  Config config = lazy(2);
  config.max_calls = 1;
  Script s = idle_pool(config);
  s.checkout(1);
  s.checkout(2);
  CHECK(s.check_in({0, 0}, 1) == "Stop 0.0 ask calls_spent");
  CHECK(s.check_in({1, 0}, 1) == "");
  CHECK(s.checkout(3) == "Grant c3 1.0");  // meanwhile it serves
  CHECK(s.check_in({1, 0}, 2) == "");
  CHECK(s.exited({0, 0}) == "Forget 0.0; Stop 1.0 ask calls_spent");
}

TEST_CASE("pool: recycling: none goes while a start is under way") {
  Config config = lazy(2);
  config.max_calls = 1;
  Script s{config};
  s.checkout(1);
  s.up({0, 0});
  s.checkout(2);
  CHECK(s.check_in({0, 0}, 1) == "Grant c2 0.0");
  s.checkout(3);
  CHECK(s.cancel(3) == "Refuse c3 cancelled: starting of 1.0 since 0");
  CHECK(s.check_in({0, 0}, 2) == "");
  s.started({1, 0});
  CHECK(s.good({1, 0}) == "Stop 0.0 ask calls_spent");
}

TEST_CASE("pool: recycling: none goes while the breaker is open") {
  Config config = lazy(2);
  config.max_calls = 1;
  config.breaker_failures = 1;
  Script s{config};
  s.checkout(1);
  s.up({0, 0});
  s.checkout(2);
  CHECK(s.start_failed({1, 0}) == "Forget 1.0");
  CHECK(s.core.gauges().breaker_open);
  CHECK(s.check_in({0, 0}, 1) == "Grant c2 0.0");
}

// ---- max_lifetime ------------------------------------------------------------------------------

TEST_CASE("pool: recycling: an idle worker goes when its lifetime is over, not before") {
  Config config = lazy(1);
  config.max_lifetime = 1s;
  Script s = idle_pool(config);
  CHECK(s.core.next_deadline() == Time(1s));
  CHECK(s.at(Time(1s) - Duration(1)).tick() == "");
  CHECK(s.at(1000).tick() == "Stop 0.0 ask lifetime_over");
}

TEST_CASE("pool: recycling: a leased worker whose lifetime is over goes when it comes back") {
  Config config = lazy(1);
  config.max_lifetime = 1s;
  Script s = idle_pool(config);
  s.at(999).checkout(1);
  CHECK(s.core.next_deadline() == kNever);
  CHECK(s.at(5000).check_in({0, 0}) == "Stop 0.0 ask lifetime_over");
}

TEST_CASE("pool: recycling: whoever asks at the end of a lifetime is served") {
  Config config = lazy(1);
  config.max_lifetime = 1s;
  Script s = idle_pool(config);
  CHECK(s.at(1000).checkout(1) == "Grant c1 0.0");
  CHECK(s.check_in({0, 0}) == "Stop 0.0 ask lifetime_over");
}

TEST_CASE("pool: recycling: jitter cuts lifetimes by up to its share") {
  Config config = lazy(50);
  config.max_lifetime = 1s;
  config.lifetime_jitter_percent = 50;
  config.starts_max = 50;
  Script s = idle_pool(config);
  const Time first = s.core.next_deadline();
  CHECK(first >= Time(500ms));
  CHECK(first < Time(600ms));
  config.lifetime_jitter_percent = 100;
  config.max_lifetime = 1ms;
  CHECK(idle_pool(config).core.next_deadline() > Time{});
}

TEST_CASE("pool: recycling: an eager pool starts the next one at once, one after another") {
  Config config = lazy(2);
  config.start = StartMode::eager;
  config.max_lifetime = 1s;
  Script s{config};
  s.tick();
  s.up({0, 0});
  s.up({1, 0});
  CHECK(s.at(1000).tick() == "Stop 0.0 ask lifetime_over; Start 0.1");
  CHECK(s.exited({0, 0}) == "Forget 0.0");
  s.started({0, 1});
  CHECK(s.good({0, 1}) == "Stop 1.0 ask lifetime_over; Start 1.1");
}

// ---- idle_timeout and min_idle -----------------------------------------------------------------

TEST_CASE("pool: recycling: a lazy pool grows on demand and shrinks to min_idle again") {
  Config config = lazy(3);
  config.idle_timeout = 1s;
  config.min_idle = 1;
  Script s = idle_pool(config);
  CHECK(s.at(999).tick() == "");
  CHECK(s.at(1000).tick() == "Stop 0.0 ask idle_too_long");  // idle for longest
  CHECK(s.exited({0, 0}) == "Forget 0.0; Stop 1.0 ask idle_too_long");
  CHECK(s.exited({1, 0}) == "Forget 1.0");
  CHECK(s.core.gauges().idle == 1);
}

TEST_CASE("pool: recycling: a lease makes the idle time begin anew") {
  Config config = lazy(1);
  config.idle_timeout = 1s;
  Script s = idle_pool(config);
  s.at(900).checkout(1);
  s.check_in({0, 0});
  CHECK(s.at(1899).tick() == "");
  CHECK(s.at(1900).tick() == "Stop 0.0 ask idle_too_long");
}

TEST_CASE("pool: recycling: who has been idle too long goes as soon as enough others are") {
  Config config = lazy(2);
  config.idle_timeout = 1s;
  config.min_idle = 1;
  Script s = idle_pool(config);
  s.at(10).checkout(1);
  CHECK(s.at(1000).tick() == "");
  CHECK(s.at(1500).check_in({1, 0}) == "Stop 0.0 ask idle_too_long");
}

TEST_CASE("pool: recycling: min_idle starts ahead of demand, at most size") {
  Config config = lazy(3);
  config.min_idle = 2;
  Script s{config};
  CHECK(s.core.next_deadline() == Time::min());
  CHECK(s.tick() == "Start 0.0; Start 1.0");
  s.up({0, 0});
  s.up({1, 0});
  CHECK(s.checkout(1) == "Grant c1 1.0; Start 2.0");
  s.up({2, 0});
  CHECK(s.checkout(2) == "Grant c2 2.0");
}

TEST_CASE("pool: recycling: a slot that cools counts as one that will be idle") {
  Config config = lazy(3);
  config.min_idle = 1;
  Script s{config};
  CHECK(s.tick() == "Start 0.0");
  CHECK(s.start_failed({0, 0}) == "Forget 0.0");
  CHECK(s.checkout(1) == "Start 1.0");
}

TEST_CASE("pool: recycling: an eager pool that has shrunk replaces only what dies") {
  Config config = lazy(2);
  config.start = StartMode::eager;
  config.idle_timeout = 1s;
  Script s{config};
  s.tick();
  s.up({0, 0});
  s.up({1, 0});
  s.checkout(1);
  s.check_in({1, 0});
  s.at(500).checkout(2);
  CHECK(s.at(1000).tick() == "Stop 0.0 ask idle_too_long");
  CHECK(s.exited({0, 0}) == "Forget 0.0");
  CHECK(s.exited({1, 0}) == "Forget 1.0; Start 1.1");
  CHECK(s.up({1, 1}) == "");
  s.checkout(3);
  CHECK(s.checkout(4) == "Start 0.1");  // what is needed is kept again
  s.up({0, 1});
  CHECK(s.exited({0, 1}) == "Forget 0.1; Start 0.2");
}

// ---- renew -------------------------------------------------------------------------------------

TEST_CASE("pool: recycling: renew replaces all there were, one after another, each after its job") {
  Script s = idle_pool(lazy(3));
  s.checkout(1);
  CHECK(s.renew() == "Stop 0.0 ask renewed");
  CHECK(s.check_in({2, 0}) == "");
  CHECK(s.exited({0, 0}) == "Forget 0.0; Stop 1.0 ask renewed");
  CHECK(s.exited({1, 0}) == "Forget 1.0; Stop 2.0 ask renewed");
  CHECK(s.exited({2, 0}) == "Forget 2.0");
  s.checkout(2);
  s.up({2, 1});
  CHECK(s.check_in({2, 1}) == "");
}

TEST_CASE("pool: recycling: renew takes those that are being started, too") {
  Script s{lazy(1)};
  s.checkout(1);
  CHECK(s.renew() == "");
  s.up({0, 0});
  CHECK(s.check_in({0, 0}) == "Stop 0.0 ask renewed");
}

// ---- idle pings --------------------------------------------------------------------------------

Config pinging(std::uint32_t size) {
  Config config = lazy(size);
  config.idle_ping_interval = 1s;
  config.idle_ping_budget = 200ms;
  return config;
}

TEST_CASE("pool: recycling: an idle worker is pinged after the interval, and again") {
  Script s = idle_pool(pinging(1));
  CHECK(s.at(999).tick() == "");
  CHECK(s.at(1000).tick() == "Ping 0.0 by 1200");
  CHECK(s.core.gauges().pinging == 1);
  CHECK(s.at(1001).ping_ended({0, 0}, true) == "");
  CHECK(s.core.gauges().idle == 1);
  CHECK(s.at(2000).tick() == "");
  CHECK(s.at(2001).tick() == "Ping 0.0 by 2201");
}

TEST_CASE("pool: recycling: who asks during a ping waits for it, and nothing is started") {
  Script s{pinging(2)};
  s.checkout(1);
  s.up({0, 0});
  s.check_in({0, 0});
  s.at(1000).tick();
  CHECK(s.checkout(2) == "");
  CHECK(s.checkout(3) == "Start 1.0");
  CHECK(s.ping_ended({0, 0}, true) == "Grant c2 0.0");
}

TEST_CASE("pool: recycling: a ping that fails puts the worker away and another is started") {
  Script s = idle_pool(pinging(1));
  s.at(1000).tick();
  CHECK(s.checkout(1) == "");
  CHECK(s.at(1100).ping_ended({0, 0}, false) == "Stop 0.0 term ping_failed; Start 0.1");
}

TEST_CASE("pool: recycling: a ping of which nobody tells the end fails by itself") {
  Config config = pinging(1);
  config.postmortem_budget = 300ms;
  config.silence_max = 500ms;
  Script s = idle_pool(config);
  s.at(1000).tick();
  CHECK(s.at(1999).tick() == "");
  CHECK(s.at(2000).tick() == "Stop 0.0 term ping_failed");
  CHECK(s.ping_ended({0, 0}, true) == "");
}

TEST_CASE("pool: recycling: one is pinged at a time, and goes back to its place") {
  Script s = idle_pool(pinging(3));
  CHECK(s.at(1000).tick() == "Ping 0.0 by 1200");
  CHECK(s.ping_ended({0, 0}, true) == "Ping 1.0 by 1200");
  CHECK(s.checkout(1) == "Grant c1 2.0");
  CHECK(s.ping_ended({1, 0}, true) == "");
  CHECK(s.checkout(2) == "Grant c2 1.0");
  CHECK(s.checkout(3) == "Grant c3 0.0");
}

TEST_CASE("pool: recycling: a ping does not make the idle time begin anew") {
  Config config = pinging(1);
  config.idle_timeout = 1500ms;
  Script s = idle_pool(config);
  s.at(1000).tick();
  s.ping_ended({0, 0}, true);
  CHECK(s.at(1500).tick() == "Stop 0.0 ask idle_too_long");
}

TEST_CASE("pool: recycling: a worker that dies during its ping is forgotten") {
  Script s = idle_pool(pinging(1));
  s.at(1000).tick();
  CHECK(s.exited({0, 0}) == "Forget 0.0");
  CHECK(s.core.gauges().vacant == 1);
}

TEST_CASE("pool: recycling: a pool that closes asks the one it pings to go") {
  Script s = idle_pool(pinging(1));
  s.at(1000).tick();
  CHECK(s.close(9000) == "Stop 0.0 ask closing");
}

// ---- memory ------------------------------------------------------------------------------------

Config slim(std::uint32_t size) {
  Config config = lazy(size);
  config.max_rss_bytes = 100;
  config.rss_interval = 1s;
  return config;
}

TEST_CASE("pool: recycling: a worker that comes back larger than it may be goes") {
  Script s = idle_pool(slim(1));
  s.checkout(1);
  CHECK(s.check_in({0, 0}, 1, 100) == "");
  s.checkout(2);
  CHECK(s.check_in({0, 0}, 2, 101) == "Stop 0.0 ask rss_exceeded");
}

TEST_CASE("pool: recycling: a worker of which nobody knows how large it is stays") {
  Script s = idle_pool(slim(1));
  s.checkout(1);
  CHECK(s.check_in({0, 0}, 1, 0) == "");
  CHECK(s.at(1000).tick() == "Measure 0.0");
  CHECK(s.measured({0, 0}, 0) == "");
  CHECK(s.core.gauges().idle == 1);
}

TEST_CASE("pool: recycling: an idle worker is measured after the interval, and again") {
  Script s = idle_pool(slim(2));
  CHECK(s.at(999).tick() == "");
  CHECK(s.at(1000).tick() == "Measure 0.0; Measure 1.0");
  CHECK(s.measured({0, 0}, 100) == "");
  CHECK(s.at(1500).checkout(1) == "Grant c1 1.0");
  CHECK(s.at(1999).tick() == "");
  CHECK(s.at(2000).tick() == "Measure 0.0");
  CHECK(s.at(2001).measured({0, 0}, 101) == "Stop 0.0 ask rss_exceeded");
  CHECK(s.at(2002).check_in({1, 0}) == "");
  CHECK(s.exited({0, 0}) == "Forget 0.0");
  CHECK(s.at(3001).tick() == "");
  CHECK(s.at(3002).tick() == "Measure 1.0");
}

TEST_CASE("pool: recycling: a leased worker is not measured, and what is told of it is ignored") {
  Script s = idle_pool(slim(1));
  s.checkout(1);
  CHECK(s.at(1000).tick() == "");
  CHECK(s.measured({0, 0}, 101) == "");
  CHECK(s.core.counters().ignored == 1);
  CHECK(s.check_in({0, 0}) == "");
  CHECK(s.measured({0, 1}, 101) == "");
  CHECK(s.measured({1, 0}, 101) == "");
  CHECK(s.core.counters().ignored == 3);
}

TEST_CASE("pool: recycling: of several that are too large one goes after the other") {
  Config config = slim(3);
  config.start = StartMode::eager;
  Script s = idle_pool(config);
  s.at(1000).tick();
  CHECK(s.measured({0, 0}, 500) == "Stop 0.0 ask rss_exceeded; Start 0.1");
  CHECK(s.measured({1, 0}, 500) == "");
  CHECK(s.measured({2, 0}, 500) == "");
  CHECK(s.exited({0, 0}) == "Forget 0.0");
  CHECK(s.up({0, 1}) == "Stop 1.0 ask rss_exceeded; Start 1.1");
  CHECK(s.exited({1, 0}) == "Forget 1.0");
  CHECK(s.checkout(1) == "Grant c1 0.1");
  CHECK(s.check_in({0, 1}) == "");
  CHECK(s.up({1, 1}) == "Stop 2.0 ask rss_exceeded; Start 2.1");
}

TEST_CASE("pool: recycling: a worker that may not go at once goes later, though it has shrunk") {
  Script s = idle_pool(slim(2));
  s.checkout(1);
  s.checkout(2);
  CHECK(s.check_in({1, 0}, 1, 101) == "Stop 1.0 ask rss_exceeded");
  CHECK(s.check_in({0, 0}, 1, 101) == "");
  CHECK(s.checkout(3) == "Grant c3 0.0");
  CHECK(s.check_in({0, 0}, 2, 10) == "");
  CHECK(s.exited({1, 0}) == "Forget 1.0; Stop 0.0 ask rss_exceeded");
}

TEST_CASE("pool: recycling: pings do not keep a worker from being measured") {
  Config config = slim(1);
  config.idle_ping_interval = 1s;
  Script s = idle_pool(config);
  CHECK(s.at(1000).tick() == "Ping 0.0 by 2000");
  CHECK(s.at(1001).ping_ended({0, 0}, true) == "Measure 0.0");
  CHECK(s.at(2001).tick() == "Ping 0.0 by 3001");
  // What was asked before the ping is answered during it.
  CHECK(s.measured({0, 0}, 101) == "");
  CHECK(s.at(2002).ping_ended({0, 0}, true) == "Stop 0.0 ask rss_exceeded");
}

TEST_CASE("pool: recycling: a pool without a limit measures nobody") {
  Config config = lazy(1);
  config.rss_interval = 1s;
  Script s = idle_pool(config);
  CHECK(s.core.next_deadline() == kNever);
  CHECK(s.measured({0, 0}, 1'000'000'000) == "");
  s.checkout(1);
  CHECK(s.check_in({0, 0}, 1, 1'000'000'000) == "");
}

// ---- suspend and resume ------------------------------------------------------------------------

TEST_CASE("pool: recycling: a suspended pool serves nobody until it is resumed") {
  Script s = idle_pool(lazy(2));
  s.checkout(1);
  CHECK(s.suspend() == "");
  CHECK(s.checkout(2) == "");
  CHECK(s.check_in({1, 0}) == "");
  CHECK(s.checkout(3, 100) == "");
  CHECK(s.checkout(4, 0) == "Refuse c4 checkout_timeout: suspended since 0");
  CHECK(s.at(100).tick() == "Refuse c3 checkout_timeout: suspended since 0");
  CHECK(s.core.gauges().suspended);
  CHECK(s.resume() == "Grant c2 1.0");
  CHECK_FALSE(s.core.gauges().suspended);
}

TEST_CASE("pool: recycling: a suspended pool starts nothing for who waits") {
  Script s{lazy(1)};
  s.suspend();
  CHECK(s.checkout(1) == "");
  CHECK(s.resume() == "Start 0.0");
}

TEST_CASE("pool: recycling: a suspended pool closes") {
  Script s = idle_pool(lazy(1));
  s.suspend();
  s.checkout(1);
  CHECK(s.close(1000) == "Refuse c1 pool_closed: queued since 0; Stop 0.0 ask closing");
  CHECK(s.resume() == "");
  CHECK(s.suspend() == "");
  CHECK(s.renew() == "");
  CHECK(s.core.counters().ignored == 3);
  CHECK(s.exited({0, 0}) == "Forget 0.0; Closed");
}

TEST_CASE("pool: recycling: what changes nothing is ignored and counted") {
  Script s = idle_pool(lazy(1));
  s.resume();
  CHECK(s.core.counters().ignored == 1);
  s.suspend();
  s.suspend();
  CHECK(s.core.counters().ignored == 2);
}

}  // namespace
}  // namespace poolproof::pool
