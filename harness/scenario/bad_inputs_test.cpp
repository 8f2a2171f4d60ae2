#include <string>

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

TEST_CASE("scenario: bad input: too many sessions are expected only where there can be too many") {
  const auto text = [](const std::string& max) {
    return R"({"schema_version":1,"name":"x","why":"two sessions in a pool that may hold fewer",)"
           R"("pool":{"size":2,"sessions_max":)" +
           max +
           R"(},"workers":[{"kind":"fake"}],"clients":[)"
           R"({"name":"a","steps":[{"checkout":{"session":"s"}},{"call":{"command":"echo"}},{"checkin":{}}]},)"
           R"({"name":"b","steps":[{"checkout":{"session":"t"}},{"checkin":{}}]}],)"
           R"("expect":{"b":[{"any_of":["granted",{"error":"sessions_full"}]}]}})";
  };
  const auto two = read_scenario(text("2"), "x.json");
  REQUIRE_FALSE(two.has_value());
  CHECK(two.error().line() ==
        R"(x.json#/expect/b/0/any_of/1/error: is "sessions_full", and there are at most 2 sessions)"
        R"(; more sessions than "sessions_max", which is 2)");
  CHECK(read_scenario(text("1"), "x.json").has_value());
}
