#include <catch2/catch.hpp>

#include "harness/scenario/bad_inputs_testing.hpp"
#include "harness/scenario/scenario.hpp"
#include "harness/scenario/shipped_testing.hpp"

using namespace poolproof::scenario;
using namespace poolproof::scenario::testing;

TEST_CASE(
    "scenario: bad input: each mistake is refused in one line that says what would be right") {
  REQUIRE(kBadInputs.size() >= 60);
  REQUIRE(read_scenario(kSound, "x.json").has_value());
  for (const BadInput& bad : kBadInputs) {
    const std::string text = changed(bad.from, bad.to);
    CAPTURE(bad.from, bad.to);
    REQUIRE_FALSE(text.empty());
    const auto scenario = read_scenario(text, "x.json");
    REQUIRE_FALSE(scenario.has_value());
    CHECK(scenario.error().line() == bad.error);
  }
}
