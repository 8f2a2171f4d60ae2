#include "harness/search/completed_ranges.hpp"

#include <set>

#include <catch2/catch.hpp>

#include "harness/base/random.hpp"

using namespace poolproof;
using namespace poolproof::search;

using Stretches = std::vector<CompletedRanges::Range>;

TEST_CASE("run: done numbers: a stretch above a hole waits for the hole", "[sweep]") {
  CompletedRanges numbers;
  numbers.add({64, 128});
  CHECK(numbers.next() == 0);
  CHECK(numbers.above_next() == Stretches{{64, 128}});
  CHECK(numbers.has(64));
  CHECK_FALSE(numbers.has(63));
  CHECK_FALSE(numbers.has(128));

  numbers.add({192, 200});
  CHECK(numbers.above_next() == Stretches{{64, 128}, {192, 200}});
  CHECK_FALSE(numbers.has_all({100, 195}));

  numbers.add({0, 64});
  CHECK(numbers.next() == 128);
  CHECK(numbers.above_next() == Stretches{{192, 200}});

  numbers.add({128, 192});
  CHECK(numbers.next() == 200);
  CHECK(numbers.above_next().empty());
  CHECK(numbers.has_all({0, 200}));
}

TEST_CASE("run: done numbers: they are a set of numbers, in whatever order they come", "[sweep]") {
  Random random(1, "done numbers");
  for (int round = 0; round < 200; ++round) {
    CompletedRanges numbers;
    std::set<std::uint64_t> model;
    for (int i = 0; i < 30; ++i) {
      const std::uint64_t from = random.below(60);
      const std::uint64_t to = from + random.below(9);
      numbers.add({from, to});
      for (std::uint64_t number = from; number < to; ++number) model.insert(number);
      for (std::uint64_t number = 0; number < 72; ++number) {
        REQUIRE(numbers.has(number) == (model.count(number) != 0));
      }
      REQUIRE_FALSE(numbers.has(numbers.next()));
      std::uint64_t before = numbers.next();
      for (const auto& stretch : numbers.above_next()) {
        REQUIRE(before < stretch.from);
        REQUIRE(stretch.from < stretch.to);
        before = stretch.to;
      }
    }
  }
}
