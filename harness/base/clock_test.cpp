#include "harness/base/clock.hpp"

#include <catch2/catch.hpp>

using namespace poolproof;
using namespace std::chrono_literals;

TEST_CASE("base: clock: a deadline is the time plus the span, an endless span is never") {
  CHECK(after(Time(5ms), 3ms) == Time(8ms));
  CHECK(after(Time(5ms), 0us) == Time(5ms));
  CHECK(after(Time(5ms), Duration::max()) == kNever);
  CHECK(after(kNever, 0us) == kNever);
  CHECK(after(kNever, 1us) == kNever);
  CHECK(after(Time::min(), 1ms) < Time());
  CHECK(after(Time::min(), Duration::max()) == kNever);
}

TEST_CASE("base: clock: milliseconds are rounded towards zero") {
  CHECK(to_ms(1999us) == 1);
  CHECK(to_ms(2s) == 2000);
}
