#include "reports/compare.hpp"

#include <limits>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "reports/golden_testing.hpp"
#include "reports/report_json.hpp"
#include "reports/samples_testing.hpp"

namespace poolproof::reports {
namespace {

using nlohmann::json;

json row(const std::string& name, double time, const std::string& unit = "ns") {
  return {{"name", name},      {"run_name", name}, {"run_type", "iteration"},
          {"real_time", time}, {"cpu_time", 1.0},  {"time_unit", unit}};
}

std::string file_of(const std::vector<double>& times, const std::string& unit = "ns") {
  json rows = json::array();
  for (const double time : times) rows.push_back(row("step", time, unit));
  // Aggregates must not be read: this one would show a huge regression or gain.
  rows.push_back({{"name", "step_median"},
                  {"run_name", "step"},
                  {"run_type", "aggregate"},
                  {"aggregate_name", "median"},
                  {"real_time", 1e12},
                  {"time_unit", "ns"}});
  return json{{"context", json::object()}, {"benchmarks", rows}}.dump();
}

Parsed<Comparison> compared(const std::string& base, const std::string& fresh, Limits limits = {}) {
  return compare(base, "base.json", fresh, "new.json", limits);
}

Comparison must_compare(const std::string& base, const std::string& fresh, Limits limits = {}) {
  const Parsed<Comparison> result = compared(base, fresh, limits);
  INFO((result ? "" : result.error().line()));
  REQUIRE(result);
  return *result;
}

Change change_of(const std::vector<double>& base, const std::vector<double>& fresh,
                 Limits limits = {}) {
  const Comparison result = must_compare(file_of(base), file_of(fresh), limits);
  REQUIRE(result.rows.size() == 1);
  CHECK(result.regressed() == (result.rows[0].change == Change::regression));
  return result.rows[0].change;
}

std::string refusal(const std::string& base, const std::string& fresh) {
  const Parsed<Comparison> result = compared(base, fresh);
  REQUIRE_FALSE(result);
  return result.error().line();
}

std::string report_with(run::Verdict verdict) {
  run::RunResult result;
  result.scenarios = {passed_scenario()};
  result.scenarios[0].verdict = verdict;
  return report_json(result);
}

TEST_CASE("reports: compare: benchmarks of another machine are not compared", "[reports]") {
  const auto taken_on = [](const char* host, int cpus) {
    return json{{"context", {{"host_name", host}, {"num_cpus", cpus}}},
                {"benchmarks", {row("step", 100)}}}
        .dump();
  };
  CHECK(must_compare(taken_on("a", 2), taken_on("a", 2)).rows.size() == 1);
  CHECK(refusal(taken_on("a", 2), taken_on("b", 2)) ==
        "new.json#/context/host_name: \"b\" cannot be compared with \"a\" of base.json; "
        "two runs of one machine at one speed: ./dev bench --against REV");
  CHECK_THAT(refusal(taken_on("a", 2), taken_on("a", 4)), Catch::Contains("num_cpus"));
}

TEST_CASE("reports: compare: benchmarks of another speed are not compared", "[reports]") {
  const auto taken_at = [](double raw_ns) {
    return json{{"context", json::object()},
                {"benchmarks", {row("echo/raw/1x1", raw_ns), row("step", 100)}}}
        .dump();
  };
  CHECK(must_compare(taken_at(100), taken_at(120)).rows.size() == 2);
  CHECK_THAT(refusal(taken_at(100), taken_at(160)),
             Catch::StartsWith("new.json: echo/raw/1x1: has no pool in it and takes x1.60 of what "
                               "it takes in base.json"));
  CHECK_THAT(refusal(taken_at(160), taken_at(100)), Catch::Contains("x0.62"));
}

TEST_CASE("reports: compare: a regression is beyond the limit with spreads apart", "[reports]") {
  CHECK(change_of({100, 102, 98}, {140, 141, 139}) == Change::regression);
  CHECK(change_of({100, 102, 98}, {120, 121, 119}) == Change::same);
  CHECK(change_of({100, 150, 60}, {140, 145, 110}) == Change::noisy);
  CHECK(change_of({140, 141, 139}, {100, 102, 98}) == Change::better);
  CHECK(change_of({100}, {130}) == Change::regression);
}

TEST_CASE("reports: compare: the limit is what was asked for", "[reports]") {
  CHECK(change_of({100, 101}, {115, 116}, {.slower_by = 0.1}) == Change::regression);
  CHECK(change_of({100, 101}, {190, 191}, {.slower_by = 1.0}) == Change::same);
}

TEST_CASE("reports: compare: one outlier hides no regression and makes none", "[reports]") {
  CHECK(change_of({100, 101, 99, 100, 900}, {140, 141, 139, 140, 142}) == Change::regression);
  CHECK(change_of({100, 101, 99, 100, 102}, {100, 101, 99, 102, 900}) == Change::same);
}

TEST_CASE("reports: compare: a spread leaves out what lies three deviations off", "[reports]") {
  const Spread spread = spread_of({100, 104, 96, 102, 500});
  CHECK(spread.median_ns == Approx(102));
  CHECK(spread.low_ns == Approx(96));
  CHECK(spread.high_ns == Approx(104));
  CHECK(spread.repetitions == 5);
  CHECK(spread_of({7, 9}).median_ns == Approx(8));
}

TEST_CASE("reports: compare: time units may differ", "[reports]") {
  const Comparison result = must_compare(file_of({1.0, 1.1}, "us"), file_of({1000, 1100}, "ns"));
  REQUIRE(result.rows.size() == 1);
  CHECK(result.rows[0].ratio.value() == Approx(1.0));
  CHECK(must_compare(file_of({1}, "ms"), file_of({1}, "s")).rows[0].ratio.value() == Approx(1000));
}

TEST_CASE("reports: compare: a row in error fails the gate", "[reports]") {
  json bad = json::parse(file_of({100}));
  bad["benchmarks"][0]["error_occurred"] = true;
  bad["benchmarks"][0]["error_message"] = "the pool did not start";
  const Comparison result = must_compare(file_of({100}), bad.dump());
  CHECK(result.regressed());
  CHECK(result.errors == std::vector<std::string>{"step: the pool did not start"});

  bad["benchmarks"].push_back(row("other", 1));
  json fresh = json::parse(file_of({100}));
  fresh["benchmarks"].push_back(row("other", 1));
  const Comparison mended = must_compare(bad.dump(), fresh.dump());
  CHECK_FALSE(mended.regressed());
  CHECK(mended.added.size() == 1);
}

TEST_CASE("reports: compare: a time of nothing is an error, never a ratio", "[reports]") {
  const double time = GENERATE(0.0, -1.0, 1e308);
  const Comparison result = must_compare(file_of({100}), file_of({time}, "s"));
  CHECK(result.rows.empty());
  CHECK(result.regressed());
}

TEST_CASE("reports: compare: rows that came or went are listed and no regression", "[reports]") {
  json base = json::parse(file_of({100}));
  json fresh = base;
  base["benchmarks"].push_back(row("old", 1));
  fresh["benchmarks"].push_back(row("young", 1));
  const Comparison result = must_compare(base.dump(), fresh.dump());
  CHECK(result.added == std::vector<std::string>{"young"});
  CHECK(result.removed == std::vector<std::string>{"old"});
  CHECK_FALSE(result.regressed());
}

TEST_CASE("reports: compare: what cannot be compared is refused in one line", "[reports]") {
  const std::string good = file_of({100});
  const std::string report = report_with(run::Verdict::pass);
  CHECK(refusal(good, "{").rfind("new.json: ", 0) == 0);
  CHECK(refusal("[]", good).find("base.json: neither") == 0);
  CHECK(refusal(good, report).find("new.json: is a report") == 0);
  CHECK(refusal(report, good).find("new.json: holds benchmarks") == 0);
  CHECK(refusal(good, R"({"benchmarks": 1})").find("new.json#/benchmarks: ") == 0);
  CHECK(refusal(good, R"({"benchmarks": [1]})").find("new.json#/benchmarks/0: ") == 0);
  CHECK(refusal(good, file_of({})).find("aggregates_only") != std::string::npos);
  CHECK(refusal(good, file_of({1}, "days")).find("days") != std::string::npos);
  CHECK(refusal(report, R"({"report_version": 2})").find("#/report_version") != std::string::npos);
  CHECK(refusal(report, R"({"report_version": 1})").find("#/scenarios") != std::string::npos);
  CHECK(refusal(report, R"({"report_version":1,"scenarios":[{"name":"a","world":"host"}]})")
            .find("#/scenarios/0/verdict") != std::string::npos);
  CHECK(refusal(std::string(100'000, '['), good).find("base.json") == 0);
}

TEST_CASE("reports: compare: files with nothing in common prove nothing", "[reports]") {
  json other = json::parse(file_of({100}));
  other["benchmarks"][0]["run_name"] = "another";
  CHECK(refusal(file_of({100}), other.dump()).find("nothing in common") != std::string::npos);
  CHECK(refusal(report_with(run::Verdict::pass), report_json({})).find("nothing in common") !=
        std::string::npos);
}

TEST_CASE("reports: compare: a scenario that passed and does not is a regression", "[reports]") {
  using run::Verdict;
  const auto change = [](Verdict before, Verdict after) {
    return must_compare(report_with(before), report_with(after)).rows.at(0).change;
  };
  for (const Verdict v : {Verdict::fail, Verdict::invalid, Verdict::unknown, Verdict::divergent}) {
    CHECK(change(Verdict::pass, v) == Change::regression);
    CHECK(change(v, Verdict::pass) == Change::better);
    CHECK(change(v, v) == Change::same);
  }
  CHECK(change(Verdict::unknown, Verdict::fail) == Change::regression);
  CHECK(change(Verdict::divergent, Verdict::fail) == Change::regression);
  CHECK(change(Verdict::fail, Verdict::unknown) == Change::changed);
}

TEST_CASE("reports: compare: scenarios of one name are told apart by their files", "[reports]") {
  run::RunResult before;
  before.scenarios = {passed_scenario(), passed_scenario()};
  before.scenarios[0].file = "x/t.json";
  before.scenarios[1].file = "y/t.json";
  before.scenarios[0].verdict = run::Verdict::fail;
  run::RunResult after = before;
  after.scenarios[1].verdict = run::Verdict::fail;
  const Comparison result = must_compare(report_json(before), report_json(after));
  REQUIRE(result.rows.size() == 2);
  CHECK(result.rows[0].change == Change::same);
  CHECK(result.rows[0].name == "x/t.json");
  CHECK(result.rows[1].change == Change::regression);
  std::swap(after.scenarios[0].verdict, before.scenarios[0].verdict);
  // In a report of its own each has its name, as before.
  before.scenarios.pop_back();
  after.scenarios.pop_back();
  before.scenarios[0].file = "elsewhere/t.json";
  CHECK(must_compare(report_json(before), report_json(after)).rows.at(0).name ==
        before.scenarios[0].name);
}

TEST_CASE("reports: compare: of repetitions the worst verdict counts", "[reports]") {
  run::RunResult repeated;
  repeated.scenarios = {passed_scenario(), passed_scenario(), passed_scenario()};
  repeated.scenarios[1].verdict = run::Verdict::fail;
  const Comparison result = must_compare(report_with(run::Verdict::pass), report_json(repeated));
  CHECK(result.rows.size() == 1);
  CHECK(result.regressed());
}

TEST_CASE("reports: compare: the text is the golden file", "[reports]") {
  const Comparison benchmarks =
      must_compare(read_file("golden/bench_base.json"), read_file("golden/bench_new.json"));
  matches_golden("compare_benchmarks.txt", text(benchmarks));

  run::RunResult later = sample_run();
  later.scenarios[0].verdict = run::Verdict::fail;
  later.scenarios[1].verdict = run::Verdict::pass;
  later.scenarios[2].name = "a-new-one";
  matches_golden("compare_reports.txt",
                 text(must_compare(report_json(sample_run()), report_json(later))));
}

}  // namespace
}  // namespace poolproof::reports
