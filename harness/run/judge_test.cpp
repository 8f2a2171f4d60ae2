#include "harness/run/judge.hpp"

#include <catch2/catch.hpp>

#include "harness/run/run_testing.hpp"

using namespace poolproof;
using namespace poolproof::run;
using run::testing::attempt_of;
using run::testing::echo_text;
using run::testing::found;
using run::testing::parsed;
using run::testing::seen;

namespace {

constexpr const char* kFault =
    R"(,"faults":[{"fault":"reply_late","at":{"client":"a","call":1},"delay_ms":900}])";

}  // namespace

TEST_CASE("run: judge: a run that did as it should passes, and shows no time line") {
  const auto result = judge(parsed(echo_text("ok")), attempt_of(seen()), std::nullopt);
  INFO(run::testing::told(result));
  CHECK(result.verdict == Verdict::pass);
  CHECK(result.findings.empty());
  CHECK(result.timeline.empty());
  CHECK(result.calls_ok == 1);
  CHECK(result.calls_failed == 0);
}

TEST_CASE("run: judge: a broken expectation fails, and the time line is shown") {
  const auto result =
      judge(parsed(echo_text(R"({"error":"call_timeout"})")), attempt_of(seen()), std::nullopt);
  CHECK(result.verdict == Verdict::fail);
  CHECK(found(result, "expectation"));
  CHECK_FALSE(result.timeline.empty());
}

TEST_CASE("run: judge: a broken invariant fails") {
  trace::Trace trace = seen();
  trace.os.back().zombies = 3;
  trace.os.back().children = 3;
  const auto result = judge(parsed(echo_text("ok")), attempt_of(trace), std::nullopt);
  CHECK(result.verdict == Verdict::fail);
  CHECK_FALSE(result.findings.empty());
}

TEST_CASE("run: judge: a hang and a crash fail, any other run without a trace is unknown") {
  Attempt hung;
  hung.overran = true;
  const auto hang = judge(parsed(echo_text("ok")), hung, std::nullopt);
  CHECK(hang.verdict == Verdict::fail);
  CHECK(found(hang, "hang"));
  Attempt aborted;
  aborted.crashed = true;
  aborted.trouble = "was ended by signal 6 (ABRT)";
  const auto crash = judge(parsed(echo_text("ok")), aborted, std::nullopt);
  CHECK(crash.verdict == Verdict::fail);
  CHECK(found(crash, "crash"));
  Attempt nothing;
  nothing.trouble = "the disk is full";
  const auto unknown = judge(parsed(echo_text("ok")), nothing, std::nullopt);
  CHECK(unknown.verdict == Verdict::unknown);
  REQUIRE(unknown.reasons.size() == 1);
  CHECK(unknown.reasons[0].find("the disk is full") != std::string::npos);
}

TEST_CASE("run: judge: who waited in vain hides nothing that went wrong before") {
  trace::Trace trace = seen();
  trace.header.trouble = "client b waited in vain in step 0";
  const auto unknown = judge(parsed(echo_text("ok")), attempt_of(trace), std::nullopt);
  CHECK(unknown.verdict == Verdict::unknown);
  REQUIRE(unknown.reasons.size() == 1);
  CHECK(unknown.reasons[0].find("waited in vain") != std::string::npos);
  trace.os.back().zombies = 1;
  const auto failed = judge(parsed(echo_text("ok")), attempt_of(trace), std::nullopt);
  CHECK(failed.verdict == Verdict::fail);
  CHECK(found(failed, "reaping"));
}

TEST_CASE("run: judge: a simulated run without end fails, and so does such a control") {
  trace::Trace endless = seen();
  endless.header.endless = true;
  const auto run = judge(parsed(echo_text("ok")), attempt_of(endless), std::nullopt);
  CHECK(run.verdict == Verdict::fail);
  CHECK(found(run, "hang"));
  const auto control = judge(parsed(echo_text("ok")), attempt_of(seen()), attempt_of(endless));
  CHECK(control.verdict == Verdict::fail);
  CHECK(found(control, "hang"));
}

TEST_CASE("run: judge: a fault without a receipt makes the run invalid") {
  const auto result =
      judge(parsed(echo_text("ok", kFault)), attempt_of(seen()), attempt_of(seen()));
  CHECK(result.verdict == Verdict::invalid);
  REQUIRE(result.strikes.size() == 1);
  CHECK(result.strikes[0].count == 0);
  CHECK_FALSE(result.timeline.empty());
}

TEST_CASE("run: judge: a signal that reached nobody makes the run invalid") {
  trace::Trace trace = seen();
  trace.environment.push_back({run::testing::ms(3), {0, 4}, 9, false});
  const auto result = judge(parsed(echo_text("ok")), attempt_of(trace), std::nullopt);
  CHECK(result.verdict == Verdict::invalid);
}

TEST_CASE("run: judge: a signal that changes nothing makes the run invalid") {
  std::string text = echo_text("ok");
  text.insert(text.find(R"({"checkin")"),
              R"({"signal_worker":{"slot":0,"generation":0,"signal":"CONT"}},)");
  const auto scenario = parsed(text);
  trace::Trace trace = seen();
  trace.environment.push_back({run::testing::ms(3), {0, 0}, 18, true});
  const auto judged = judge(scenario, attempt_of(trace), attempt_of(seen()));
  INFO(run::testing::told(judged));
  CHECK(std::ranges::any_of(judged.reasons, [](const std::string& reason) {
    return reason.starts_with("signal 18 reached worker 0.0, but nothing");
  }));
}

TEST_CASE("run: judge: what goes wrong in the control run counts too") {
  const auto scenario = parsed(echo_text("ok", kFault));
  Attempt hung;
  hung.overran = true;
  CHECK(judge(scenario, attempt_of(seen()), hung).verdict == Verdict::fail);
  Attempt nothing;
  nothing.trouble = "no trace";
  const auto unknown = judge(scenario, attempt_of(seen()), nothing);
  CHECK(unknown.verdict == Verdict::unknown);
  trace::Trace leaky = seen();
  leaky.os.back().zombies = 3;
  leaky.os.back().children = 3;
  const auto leaking = judge(scenario, attempt_of(seen()), attempt_of(leaky));
  CHECK(leaking.verdict == Verdict::fail);
  REQUIRE_FALSE(leaking.findings.empty());
  CHECK(leaking.findings[0].what.starts_with("in the control run: "));
}

TEST_CASE("run: judge: fail outweighs invalid") {
  const auto result = judge(parsed(echo_text(R"({"error":"call_timeout"})", kFault)),
                            attempt_of(seen()), attempt_of(seen()));
  CHECK(result.verdict == Verdict::fail);
  CHECK_FALSE(result.reasons.empty());
}

TEST_CASE("run: result: the worst verdict gives the exit code, and nothing ran is no success") {
  const auto code = [](std::vector<Verdict> verdicts) {
    RunResult result;
    for (const Verdict verdict : verdicts) result.scenarios.emplace_back().verdict = verdict;
    return result.exit_code();
  };
  CHECK(code({}) == 2);
  CHECK(code({Verdict::pass, Verdict::pass}) == 0);
  CHECK(code({Verdict::pass, Verdict::unknown}) == 2);
  CHECK(code({Verdict::invalid, Verdict::pass}) == 2);
  CHECK(code({Verdict::fail, Verdict::invalid, Verdict::unknown}) == 1);
  CHECK(code({Verdict::unknown, Verdict::divergent}) == 1);
}
