#include <catch2/catch.hpp>

#include "harness/pool/core_testing.hpp"

/// Without `overlap`: what a slot's next worker waits for.
namespace poolproof::pool {
namespace {

using testing::lazy;
using testing::Script;

Config alone(std::uint32_t size) {
  Config config = lazy(size);
  config.overlap = false;
  return config;
}

TEST_CASE("pool: core: without overlap a slot starts its next worker when the last one has gone") {
  Script s{alone(1)};
  s.checkout(1);
  s.up({0, 0});
  s.checkout(2);
  CHECK(s.revoke({0, 0}) == "Stop 0.0 term revoked");
  CHECK(s.checkout(3) == "");
  CHECK(s.tick_when_due() == "Stop 0.0 kill revoked");
  CHECK(s.core.gauges().vacant == 1);
  CHECK(s.exited({0, 0}) == "Forget 0.0; Start 0.1");
  Script overlapping{lazy(1)};
  overlapping.checkout(1);
  overlapping.up({0, 0});
  overlapping.checkout(2);
  CHECK(overlapping.revoke({0, 0}) == "Stop 0.0 term revoked; Start 0.1");
}

TEST_CASE("pool: core: without overlap only the slot itself waits, and a death frees it at once") {
  Config config = alone(2);
  config.start = StartMode::eager;
  Script s{config};
  s.tick();
  s.up({0, 0});
  s.up({1, 0});
  s.checkout(1);
  s.checkout(2);
  CHECK(s.revoke({1, 0}) == "Stop 1.0 term revoked");
  CHECK(s.exited({0, 0}) == "Forget 0.0; Start 0.1");
  CHECK(s.exited({1, 0}) == "Forget 1.0; Start 1.1");
}

TEST_CASE("pool: core: without overlap a slot pauses and waits, whichever is longer") {
  Script s{alone(1)};
  s.checkout(1);
  s.started({0, 0});
  CHECK(s.bad({0, 0}) == "Stop 0.0 term start_failed");
  CHECK(s.at(100).tick() == "");
  CHECK(s.core.state(0) == SlotState::vacant);
  CHECK(s.exited({0, 0}) == "Forget 0.0; Start 0.1");
  s.started({0, 1});
  CHECK(s.bad({0, 1}) == "Stop 0.1 term start_failed");
  CHECK(s.exited({0, 1}) == "Forget 0.1");
  CHECK(s.tick_when_due() == "Start 0.2");
}

TEST_CASE(
    "pool: core: without overlap a start that was given up must be answered before the next") {
  Config config = alone(1);
  config.backoff_initial = 1ms;
  Script s{config};
  s.checkout(1);
  CHECK(s.tick_when_due() == "");  // the budget is spent
  CHECK(s.tick_when_due() == "");  // the pause is over
  CHECK(s.core.gauges().leaving == 1);
  CHECK(s.started({0, 0}) == "Stop 0.0 kill budget_spent");
  CHECK(s.exited({0, 0}) == "Forget 0.0; Start 0.1");
}

TEST_CASE("pool: core: without overlap the breaker's probe waits for the worker before it, too") {
  Config config = alone(1);
  config.breaker_failures = 1;
  config.backoff_initial = 8s;
  Script s{config};
  s.checkout(1);
  s.started({0, 0});
  s.bad({0, 0});
  CHECK(s.at(5000).tick() == "Stop 0.0 kill start_failed");
  CHECK(s.core.state(0) == SlotState::cooling);
  CHECK(s.exited({0, 0}) == "Forget 0.0; Start 0.1");
}

}  // namespace
}  // namespace poolproof::pool
