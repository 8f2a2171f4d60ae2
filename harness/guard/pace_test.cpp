#include "harness/guard/pace.hpp"

#include <chrono>

#include <catch2/catch.hpp>

namespace poolproof::guard {
namespace {

using namespace std::chrono_literals;

/// How many looks of that cost are made within a span, and what they cost together.
struct Spent {
  int looks = 0;
  Duration cpu{};
};

Spent look_for(Duration span, Duration cost, bool changing) {
  Spent spent;
  Time now{};
  Pace pace(now);
  while (pace.next_look() < Time(span)) {
    now = pace.next_look();
    ++spent.looks;
    spent.cpu += cost;
    pace.looked(now, spent.cpu, changing);
  }
  return spent;
}

TEST_CASE("guard: pace: looking costs less than one percent, however dear a look is") {
  for (const Duration cost : {Duration(20us), Duration(1ms), Duration(30ms)}) {
    INFO(cost.count());
    CHECK(look_for(60s, cost, true).cpu < Duration(600ms));
  }
}

TEST_CASE("guard: pace: where nobody comes or goes it looks seldom, but never stops") {
  const Spent still = look_for(60s, 100us, false);
  CHECK(still.looks < 400);
  CHECK(still.looks > 250);
  CHECK(look_for(60s, 100us, true).looks > 2000);
}

TEST_CASE("guard: pace: a short program is looked at closely") {
  CHECK(look_for(300ms, 200us, true).looks > 50);
}

}  // namespace
}  // namespace poolproof::guard
