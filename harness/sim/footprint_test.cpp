#include "harness/sim/footprint.hpp"

#include <catch2/catch.hpp>

using namespace poolproof::sim;

namespace {

constexpr auto kKinds = static_cast<std::uint8_t>(Shared::wake) + 1;

Footprint writer(Shared what, std::uint32_t number) {
  Footprint footprint;
  footprint.writes(what, number);
  return footprint;
}

Footprint reader(Shared what, std::uint32_t number) {
  Footprint footprint;
  footprint.reads(what, number);
  return footprint;
}

}  // namespace

TEST_CASE("sim: footprint: who writes conflicts with whoever touches the same") {
  for (std::uint8_t kind = 0; kind < kKinds; ++kind) {
    const auto what = static_cast<Shared>(kind);
    CHECK(writer(what, 0).conflicts(writer(what, 0)));
    CHECK(writer(what, 0).conflicts(reader(what, 0)));
    CHECK(reader(what, 0).conflicts(writer(what, 0)));
    CHECK_FALSE(reader(what, 0).conflicts(reader(what, 0)));
    for (std::uint8_t other = 0; other < kind; ++other) {
      const auto apart = static_cast<Shared>(other);
      CHECK_FALSE(writer(what, 0).conflicts(writer(apart, 0)));
      CHECK_FALSE(writer(what, 0).conflicts(writer(apart, 1)));
    }
  }
  CHECK_FALSE(writer(Shared::out, 0).conflicts(writer(Shared::out, 1)));
}

TEST_CASE("sim: footprint: numbers too large share, and conflict where they need not") {
  CHECK(writer(Shared::order, 7).conflicts(reader(Shared::order, 7 + (1U << 20U))));
  CHECK(writer(Shared::wake, 3).conflicts(reader(Shared::wake, 3 + (1U << 20U))));
}

TEST_CASE("sim: footprint: what several moves touched, and what writes everything") {
  Footprint both = reader(Shared::core, 0);
  both.add(writer(Shared::out, 2));
  CHECK(both.conflicts(writer(Shared::core, 0)));
  CHECK(both.conflicts(reader(Shared::out, 2)));
  CHECK_FALSE(both.conflicts(reader(Shared::core, 0)));
  Footprint all;
  all.writes_all();
  CHECK(all.conflicts(reader(Shared::in, 5)));
  CHECK_FALSE(all.conflicts(Footprint{}));
}
