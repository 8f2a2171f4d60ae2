#include "harness/base/random.hpp"

#include <array>
#include <cstdint>
#include <string>

#include <catch2/catch.hpp>

using namespace poolproof;

// The numbers come from a second implementation (Python, after the published xoshiro256** and
// splitmix64). A change of any of them changes every scenario that was ever saved.
TEST_CASE("base: random: the numbers of a seed and a purpose never change") {
  struct Row {
    std::uint64_t seed;
    std::string purpose;
    std::array<std::uint64_t, 4> numbers;
  };
  const std::array<Row, 3> rows = {{
      {0x5eed,
       "schedule",
       {0x7c08a11301a0841d, 0x879dfd5db50f7d94, 0x8949e0480d603e11, 0xed4b9532f0fbeaa6}},
      {0x5eed,
       "jitter",
       {0x9f2fc46f427160a0, 0x0bd52a8ca34ef380, 0x736ef6cd837e220e, 0xaa94a65b5104c32f}},
      {0, "", {0x21382ef092ed7068, 0x5b54c052757adf62, 0xa64cb2cf68795072, 0xd35c15d5962035af}},
  }};
  for (const Row& row : rows) {
    Random random(row.seed, row.purpose);
    for (const std::uint64_t number : row.numbers) CHECK(random.next() == number);
  }
}

TEST_CASE("base: random: bounded numbers never change") {
  Random random(0x5eed, "schedule");
  for (const std::uint64_t number : {9U, 2U, 9U, 2U, 4U, 7U, 3U, 1U, 6U, 4U, 3U, 0U}) {
    CHECK(random.below(10) == number);
  }
}

TEST_CASE("base: random: bounded numbers stay below the bound and reach every value") {
  Random random(1, "bounds");
  CHECK(random.below(1) == 0);
  std::array<int, 7> seen{};
  for (int i = 0; i < 7000; ++i) ++seen.at(random.below(7));
  for (const int count : seen) CHECK(count > 0);
  CHECK(random.below(UINT64_MAX) < UINT64_MAX);
}

TEST_CASE("base: random: streams of other names or seeds differ, the same ones agree") {
  Random schedule(7, "schedule");
  Random again(7, "schedule");
  Random jitter(7, "jitter");
  Random other_seed(8, "schedule");
  for (int i = 0; i < 100; ++i) {
    const std::uint64_t drawn = schedule.next();
    CHECK(drawn == again.next());
    CHECK(drawn != jitter.next());
    CHECK(drawn != other_seed.next());
  }
}
