#include "harness/pool/deadlines.hpp"

#include <catch2/catch.hpp>

namespace poolproof::pool {
namespace {

using namespace std::chrono_literals;

TEST_CASE("pool: deadlines: an empty heap has no deadline") {
  Deadlines deadlines;
  CHECK(deadlines.empty());
  CHECK(deadlines.earliest() == kNever);
  deadlines.clear(3);
  CHECK(deadlines.empty());
}

TEST_CASE("pool: deadlines: a new deadline replaces the one before") {
  Deadlines deadlines;
  deadlines.set(7, Time(10ms));
  deadlines.set(2, Time(20ms));
  deadlines.set(7, Time(30ms));
  CHECK(deadlines.size() == 2);
  CHECK(deadlines.first() == 2);
  deadlines.set(7, Time(5ms));
  CHECK(deadlines.first() == 7);
  CHECK(deadlines.earliest() == Time(5ms));
}

TEST_CASE("pool: deadlines: never is no deadline") {
  Deadlines deadlines;
  deadlines.set(0, kNever);
  CHECK(deadlines.empty());
  deadlines.set(0, Time(1ms));
  deadlines.set(0, kNever);
  CHECK(deadlines.empty());
  CHECK(deadlines.earliest() == kNever);
}

TEST_CASE("pool: deadlines: of equal ones the smaller order comes first, then the smaller key") {
  Deadlines deadlines;
  deadlines.set(1, Time(1ms), 9);
  deadlines.set(2, Time(1ms), 3);
  deadlines.set(5, Time(1ms), 3);
  CHECK(deadlines.first() == 2);
  deadlines.clear(2);
  CHECK(deadlines.first() == 5);
  deadlines.clear(5);
  CHECK(deadlines.first() == 1);
}

}  // namespace
}  // namespace poolproof::pool
