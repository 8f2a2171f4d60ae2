#include "harness/guard/pace.hpp"

#include <algorithm>
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

Spent look_for(Duration span, Duration cost, std::size_t changes) {
  Spent spent;
  Time now{};
  Pace pace(now);
  while (pace.next_look() < Time(span)) {
    now = pace.next_look();
    ++spent.looks;
    spent.cpu += cost;
    pace.looked(now, spent.cpu, changes);
  }
  return spent;
}

TEST_CASE("guard: pace: looking costs less than one percent, however dear a look is") {
  for (const Duration cost : {Duration(20us), Duration(1ms), Duration(30ms)}) {
    for (const std::size_t changes : {std::size_t{1}, std::size_t{100}}) {
      INFO(cost.count() << " " << changes);
      CHECK(look_for(60s, cost, changes).cpu < Duration(600ms));
    }
  }
}

TEST_CASE("guard: pace: where nobody comes or goes it looks seldom, but never stops") {
  const Spent still = look_for(60s, 100us, 0);
  CHECK(still.looks < 400);
  CHECK(still.looks > 250);
  CHECK(look_for(60s, 100us, 1).looks > 2000);
}

TEST_CASE("guard: pace: a short program is looked at closely") {
  CHECK(look_for(300ms, 200us, 1).looks > 50);
}

TEST_CASE("guard: pace: while many come and go it looks more often than each of them lives") {
  // 80 starts of 25 ms each, and a look costs 400 us.
  Time now{};
  Pace pace(now);
  Duration cpu{};
  Duration longest{};
  std::int64_t seen = 0;
  while (pace.next_look() < Time(2s)) {
    longest = std::max(longest, pace.next_look() - now);
    now = pace.next_look();
    cpu += 400us;
    const std::int64_t start = now.time_since_epoch() / 25ms;
    pace.looked(now, cpu, start > seen ? 2 : 0);
    seen = start;
  }
  CHECK(longest < Duration(20ms));
  CHECK(cpu < Duration(190ms));
}

}  // namespace
}  // namespace poolproof::guard
