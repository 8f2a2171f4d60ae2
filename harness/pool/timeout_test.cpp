#include "harness/pool/timeout.hpp"

#include <catch2/catch.hpp>

using namespace poolproof;
using namespace poolproof::pool;
using namespace std::chrono_literals;

TEST_CASE(
    "pool: timeout: any span is taken, rounded up, and one too long to be counted never ends") {
  using std::chrono::hours;
  CHECK(Timeout(500ms).limit == 500ms);
  CHECK(Timeout(1ns).limit == 1us);
  CHECK(Timeout(1000ns).limit == 1us);
  CHECK(Timeout(1001ns).limit == 2us);
  CHECK(Timeout(std::chrono::duration<double>(0.25)).limit == 250ms);
  CHECK(Timeout(std::chrono::seconds::max()).limit == Duration::max());
  CHECK(Timeout(std::chrono::milliseconds::max()).limit == Duration::max());
  CHECK(Timeout(hours(3'000'000'000)).limit == Duration::max());
  CHECK(Timeout(std::chrono::duration<double>::max()).limit == Duration::max());
  CHECK(Timeout(hours::min()).limit == Duration::zero());
  CHECK(Timeout(-1ns).limit == Duration::zero());
  CHECK(Timeout(Duration::max() - 1us).limit == Duration::max() - 1us);
  CHECK(Timeout(-1500ns).limit == Duration::zero());
}
