#include "reports/table.hpp"

#include <catch2/catch.hpp>

#include "harness/base/text.hpp"
#include "reports/golden_testing.hpp"
#include "reports/samples_testing.hpp"
#include "reports/wording.hpp"

namespace poolproof::reports {
namespace {

TEST_CASE("reports: table: it is the golden file", "[reports]") {
  matches_golden("table.txt", table(sample_run(), false));
}

TEST_CASE("reports: table: it has colours only when asked", "[reports]") {
  run::RunResult result;
  result.scenarios = {passed_scenario(), failed_scenario()};
  CHECK(table(result, false).find('\x1b') == std::string::npos);
  CHECK(table(result, true).find("\x1b[32mpass\x1b[0m") != std::string::npos);
  CHECK(table(result, true).find("\x1b[31mfail\x1b[0m") != std::string::npos);
}

TEST_CASE("reports: table: a long name is cut between characters", "[reports]") {
  run::RunResult result;
  result.scenarios = {passed_scenario()};
  for (std::size_t before = 50; before < 58; ++before) {
    result.scenarios[0].name = std::string(before, 'x');
    for (int i = 0; i < 20; ++i) result.scenarios[0].name += "\u00e9";
    const std::string text = table(result, false);
    INFO(text);
    CHECK(text.find("...") != std::string::npos);
    CHECK(printable_page(text) == text);
  }
}

TEST_CASE("reports: table: nothing ran leaves only the line that says so", "[reports]") {
  CHECK(table({}, true) == "no scenario ran in 0 ms\n");
}

}  // namespace
}  // namespace poolproof::reports
