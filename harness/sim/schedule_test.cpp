#include "harness/sim/schedule.hpp"

#include <array>
#include <set>

#include <catch2/catch.hpp>

using namespace poolproof;
using namespace poolproof::sim;

namespace {

constexpr std::array<std::uint32_t, 4> kTasks{10, 11, 12, 13};

std::vector<std::uint32_t> picks(Schedule& schedule, int count) {
  std::vector<std::uint32_t> picked;
  for (int i = 0; i < count; ++i) picked.push_back(schedule.pick(kTasks));
  return picked;
}

}  // namespace

TEST_CASE("sim: schedule: what is told again is the same, and then always the first") {
  auto schedule = Schedule::replayed({3, 1, 9});
  CHECK(picks(schedule, 5) == std::vector<std::uint32_t>{3, 1, 9 % 4, 0, 0});
  CHECK(schedule.taken() == std::vector<std::uint32_t>{3, 1, 1, 0, 0});
  CHECK(schedule.bounds() == std::vector<std::uint32_t>(5, 4));
}

TEST_CASE("sim: schedule: where there is no choice none is kept") {
  auto schedule = Schedule::random(1);
  CHECK(schedule.pick(std::span(kTasks).first(1)) == 0);
  CHECK(schedule.below(1) == 0);
  CHECK(schedule.taken().empty());
}

TEST_CASE("sim: schedule: the same seed draws the same, and what was taken tells it again") {
  std::set<std::vector<std::uint32_t>> different;
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    auto one = Schedule::random(seed);
    auto two = Schedule::random(seed);
    const auto drawn = picks(one, 30);
    REQUIRE(picks(two, 30) == drawn);
    auto again = Schedule::replayed(one.taken());
    REQUIRE(picks(again, 30) == drawn);
    different.insert(drawn);
  }
  CHECK(different.size() > 20);
}

TEST_CASE("sim: schedule: some seeds draw evenly, others by priorities with few changes") {
  int few = 0;
  int many = 0;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    auto schedule = Schedule::random(seed);
    const auto drawn = picks(schedule, 200);
    int changes = 0;
    for (std::size_t i = 1; i < drawn.size(); ++i) changes += drawn[i] != drawn[i - 1] ? 1 : 0;
    few += changes <= 3 ? 1 : 0;
    many += changes > 100 ? 1 : 0;
  }
  CHECK(few > 10);
  CHECK(many > 10);
  CHECK(few + many == 60);
}

TEST_CASE("sim: schedule: beginning anew forgets everything") {
  auto used = Schedule::random(3);
  (void)picks(used, 300);
  used.restart(4);
  auto fresh = Schedule::random(4);
  CHECK(picks(used, 100) == picks(fresh, 100));
  CHECK(used.taken() == fresh.taken());
}
