#include "reports/wording.hpp"

#include <catch2/catch.hpp>

#include "harness/base/text.hpp"
#include "reports/samples_testing.hpp"

namespace poolproof::reports {
namespace {

TEST_CASE("reports: totals: every scenario is counted once, under its verdict", "[reports]") {
  const Totals sums = totals(sample_run());
  CHECK(sums.scenarios == 4);
  CHECK(sums.by_verdict[static_cast<std::size_t>(run::Verdict::pass)] == 1);
  CHECK(sums.by_verdict[static_cast<std::size_t>(run::Verdict::unknown)] == 0);
  CHECK(sentence(sums) == "4 scenarios: 1 pass, 1 invalid, 1 divergent, 1 fail");
  CHECK(sentence(Totals{}) == "no scenario ran");
}

TEST_CASE("reports: label: the world and the repetition tell runs of one scenario apart",
          "[reports]") {
  run::ScenarioResult s = passed_scenario();
  CHECK(label(s) == "late-reply-after-timeout");
  s.world = "sim";
  s.repetition = 2;
  CHECK(label(s) == "late-reply-after-timeout (sim) #3");
}

TEST_CASE("reports: told: the outcome is named once", "[reports]") {
  CHECK(told({"a", StepKind::call, Outcome::call_timeout, "call_timeout after 1 ms"}) ==
        "call_timeout after 1 ms");
  CHECK(told({"a", StepKind::call, Outcome::worker_died, "signal 9"}) == "worker_died: signal 9");
  CHECK(told({"a", StepKind::call, Outcome::cancelled, ""}) == "cancelled");
}

TEST_CASE("reports: theme: it is the folder that holds the file", "[reports]") {
  run::ScenarioResult s;
  CHECK(theme(s) == "scenarios");
  s.file = "x.json";
  CHECK(theme(s) == "scenarios");
  s.file = "/somewhere/startup/x.json";
  CHECK(theme(s) == "startup");
}

TEST_CASE("reports: legal text: control characters go, backslashes and newlines stay",
          "[reports]") {
  CHECK(printable_page("a\x1b[1m \\x00 \\\\ \xff\nb") == "a\\x1b[1m \\x00 \\\\ \\xff\nb");
  CHECK(printable_page(std::string(10'000, 'x')).size() == 10'000);
  CHECK(printable_page("\\") == "\\");
  CHECK(legal_line("a\nb").find('\n') == std::string::npos);
}

}  // namespace
}  // namespace poolproof::reports
