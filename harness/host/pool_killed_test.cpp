#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <string>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <sys/wait.h>

#include "fake_workers/catalogue.hpp"
#include "harness/base/random.hpp"
#include "harness/host/census.hpp"
#include "harness/host/child_testing.hpp"
#include "harness/host/guardian.hpp"

using namespace poolproof;
using namespace poolproof::host;
using testing::finish;
using testing::read_text;

namespace {

/// While it lives, nobody below this process can hide.
struct Adopting {
  Adopting() { sys::adopt_orphans(); }
  ~Adopting() {
    end_descendants(::getpid());
    sys::adopt_orphans(false);
  }
  Adopting(const Adopting&) = delete;
  Adopting& operator=(const Adopting&) = delete;
};

std::uint32_t kills_asked_for() {
  constexpr std::uint32_t kUsual = 20;
  const char* const asked = std::getenv("POOLPROOF_KILLS");
  return asked == nullptr ? kUsual : static_cast<std::uint32_t>(std::strtoul(asked, nullptr, 10));
}

/// The name of the fault that does.
std::string leaves_a_process() {
  const auto faults = faults::catalogue();
  const auto found = std::ranges::find(faults, faults::Shows::process, &faults::Fault::shows);
  return std::string(found->name);
}

/// Waits until nobody below this process lives, its guardian included.
bool nobody_is_left() {
  const Time limit = after(sys::now(), testing::kHang);
  while (sys::now() < limit) {
    while (::waitpid(-1, nullptr, WNOHANG) > 0) {
    }
    if (descendants(::getpid()).empty()) return true;
  }
  return false;
}

}  // namespace

/// POOLPROOF_KILLS=1000 kills that many. The moment is an event of the pool, and what the machine
/// makes of the time from there to the end.
TEST_CASE("host: guardian: a pool killed at any moment leaves nobody behind") {
  const Adopting adopting;
  Random random(1, "kills");
  const std::uint32_t kills = kills_asked_for();
  REQUIRE(kills > 0);
  for (std::uint32_t i = 0; i < kills; ++i) {
    const std::size_t events = 1 + random.below(200);
    CAPTURE(i, events);
    const Command command{
        {POOLPROOF_GUARDIAN_PROBE, "pool", new_token(), POOLPROOF_FAKE_WORKER, leaves_a_process()},
        {},
        {}};
    const Child pool = launch(command).value();
    REQUIRE(read_text(pool.stdout_end, events).size() >= events);
    REQUIRE(sys::signal_process(pool.pidfd.get(), SIGKILL));
    CHECK(finish(pool) == ExitStatus{0, SIGKILL});
    REQUIRE(nobody_is_left());
  }
}
