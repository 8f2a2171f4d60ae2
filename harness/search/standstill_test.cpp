#include "harness/search/standstill.hpp"

#include <unistd.h>

#include <catch2/catch.hpp>

using namespace poolproof;
using namespace poolproof::search;
using namespace std::chrono_literals;

namespace {

constexpr Duration kLimit = 20s;

}  // namespace

TEST_CASE("run: standstill: a case that takes processor time without end is stuck", "[sweep]") {
  Standstill standstill(kLimit);
  CHECK_FALSE(standstill.look({7, 100s, 1s, false}));  // what came before is not the case's
  CHECK_FALSE(standstill.look({7, 119s, 19s, false}));
  CHECK(standstill.look({7, 120s, 1s, false}));
}

TEST_CASE("run: standstill: one that goes on to the next case is not", "[sweep]") {
  Standstill standstill(kLimit);
  for (std::uint64_t at = 0; at < 10; ++at) {
    CHECK_FALSE(standstill.look({at, at * Duration(19s), 19s, false}));
  }
}

TEST_CASE("run: standstill: one that is suspended or gets no processor is not", "[sweep]") {
  Standstill standstill(kLimit);
  CHECK_FALSE(standstill.look({7, 1s, 0s, false}));
  CHECK_FALSE(standstill.look({7, 2s, 100s, false}));
  CHECK_FALSE(standstill.look({7, 2s, 24h, true}));
  CHECK_FALSE(standstill.look({7, 3s, 50s, false}));
}

TEST_CASE("run: standstill: one that waits for ever is, after ten times as long", "[sweep]") {
  Standstill standstill(kLimit);
  CHECK_FALSE(standstill.look({7, 1s, 0s, false}));
  CHECK_FALSE(standstill.look({7, 1s, 199s, false}));
  CHECK(standstill.look({7, 1s, 1s, false}));
}

TEST_CASE("run: standstill: the time of a process is its own, and grows", "[sweep]") {
  const Duration before = processor_time(::getpid());
  CHECK(before > Duration::zero());
  volatile std::uint64_t sum = 0;
  while (processor_time(::getpid()) == before) sum = sum + 1;
}
