#include "harness/search/reproduces_with.hpp"

#include <catch2/catch.hpp>

#include "harness/scenario/parsed_testing.hpp"
#include "harness/search/case.hpp"

using namespace poolproof;
using namespace poolproof::search;

namespace {

const std::string kHang = "hang: the run came to no end within the limit of moves";
/// Limits for a run that stands for a file's; a sweep's case has the same limit.
constexpr sim::Limits kLimits{200'000};

scenario::Scenario sound() {
  return scenario::testing::parsed(scenario::testing::echo_text("ok"));
}

/// It makes more moves than a case of a sweep may have and fewer than a file may have.
scenario::Scenario long_one() {
  scenario::Scenario scenario = sound();
  scenario.expect = {};
  scenario.expect.any_success = true;
  scenario.clients.front().steps = {scenario::Pause{}};
  scenario.clients.front().repeat = 210'000;
  return scenario;
}

}  // namespace

TEST_CASE("run: shown by: the file, if it fails so as it will be run") {
  CHECK(reproduces_with(long_one(), long_one(), kHang, kLimits) == ReproducesWith::file);
  // It fails with another signature than the given one.
  CHECK(reproduces_with(long_one(), sound(), "stuck", kLimits) == ReproducesWith::nothing);
}

TEST_CASE("run: shown by: a file that holds as it will be run shows nothing") {
  CHECK(reproduces_with(sound(), long_one(), kHang, kLimits) == ReproducesWith::case_alone);
  // A file may have more moves than a case.
  CHECK(reproduces_with(long_one(), long_one(), kHang) == ReproducesWith::case_alone);
}

TEST_CASE("run: shown by: what fails with terse messages only is shown by no file") {
  const auto failing = scenario::testing::endless_with_terse_messages();
  CHECK(reproduces_with(failing, failing, kHang, kLimits) == ReproducesWith::terse_case);
}

TEST_CASE("run: shown by: what fails neither way alone hangs on what ran before") {
  CHECK(reproduces_with(sound(), sound(), kHang, kLimits) == ReproducesWith::nothing);
}

TEST_CASE("run: shown by: one line says what shows it and why no file does") {
  const std::string terse = why_no_file_shows_it(ReproducesWith::terse_case, 0xab);
  CHECK(terse ==
        "`poolproof run` does not show it, `poolproof sweep --case 0xab` does: it fails with terse "
        "messages only, and files are run with JSON");
  CHECK(why_no_file_shows_it(ReproducesWith::case_alone, 0xab).find("in its own order") !=
        terse.npos);
  CHECK(why_no_file_shows_it(ReproducesWith::nothing, 0xab).find("--case") == terse.npos);
}
