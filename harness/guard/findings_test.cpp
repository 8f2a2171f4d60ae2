#include <algorithm>
#include <chrono>
#include <functional>
#include <string>

#include <catch2/catch.hpp>

#include "harness/guard/histories_testing.hpp"
#include "harness/guard/judge.hpp"

/// What the findings say, word for word.
namespace poolproof::guard {
namespace {

using namespace std::chrono_literals;

using namespace testing;

TEST_CASE("guard: findings: a leak is told with its address, and who is to blame") {
  Facts facts = sound();
  facts.left = {process(7, kHost, 1s, 2s), process(8, kWorker, 1s, 2s)};
  facts.left.back().is_worker = false;
  const Judgement judgement = judge(facts);
  REQUIRE(judgement.findings.size() == 2);
  CHECK(judgement.findings[0].blame == Blame::program);
  CHECK(judgement.findings[1].blame == Blame::worker);
  CHECK(judgement.findings[0].what ==
        "pid 7 \"program 7\", started 1000 ms after the guard by pid 100 \"program 100\", lived on "
        "after the program's end and was put away");
}

TEST_CASE("guard: findings: a storm is told to be of one command as far as that is known") {
  const auto text = [](const std::function<void(Facts&)>& change) {
    Facts facts = sound();
    change(facts);
    return judge(facts).findings.at(0).what;
  };
  CHECK_THAT(text([](Facts& f) {
               add_starts(f, 60, ExitStatus{1, 0});
             }),
             Catch::Contains(" ms, of one command; the last is pid 1059 "));
  CHECK_THAT(text([](Facts& f) { add_seen_failing(f, [](int) { return "worker"; }); }),
             Catch::Contains(" ms, of one command as far as they were seen (40 were not); "));
  CHECK_THAT(text([](Facts& f) { add_failing(f, 60, 20ms); }),
             Catch::Contains(" ms, of commands that no look has seen; "));
}

TEST_CASE("guard: findings: the readings of a call are told in the order of their times") {
  Facts facts = sound();
  twice(facts, 5s);
  std::ranges::reverse(facts.incarnations);
  CHECK_THAT(judge(facts).findings.at(0).what,
             Catch::Contains("was read twice: at 1000 ms by pid 200 ") &&
                 Catch::Contains("; and at 5010 ms by pid 201 "));
}

TEST_CASE("guard: findings: a killed worker is not said to have been without an answer") {
  Facts facts = sound();
  kill(facts, 5s, kKilled).asked.push_back(asked(2, 4990ms, std::nullopt));
  CHECK_THAT(judge(facts).findings.at(0).what,
             Catch::EndsWith("was killed at most 10 ms after it had read its request 2 (command "
                             "echo), with no fault of its own: it had noted no answer, though it "
                             "may have written one just before"));
}

TEST_CASE("guard: findings: who does not wait for a late reply is told that it is owed") {
  Facts facts = sound();
  late(facts, "reply_late", 3s);
  CHECK_THAT(judge(facts).findings.at(0).what,
             Catch::EndsWith("(request 1) although it owed the answer to its request 0"));
  late(facts, "text_after_reply", 1900ms);
  CHECK_THAT(judge(facts).findings.at(0).what,
             Catch::Contains("its stream was spoilt (text_after_reply) in its request 0"));
}

TEST_CASE("guard: findings: a program that did not end is told by its last sign of life") {
  const auto text = [](Sign sign) {
    Facts facts = sound();
    facts.end.how = HostEnd::How::over_end_limit;
    facts.end.limit = 2s;
    facts.end.sign = sign;
    facts.end.last_sign = sign == Sign::start ? 0ms : 122ms;
    const std::string what = judge(facts).findings.at(0).what;
    return what.substr(what.find(": ") + 2);
  };
  const std::string begin = "it did not end within 2.0 s after ";
  CHECK(text(Sign::start) == begin + "its start: it wrote nothing that was seen, and was put away");
  CHECK(text(Sign::output) == begin + "its last output at 122 ms, and was put away");
  CHECK(text(Sign::journal) ==
        begin + "the last line of a worker's journal at 122 ms, and was put away");
  CHECK(text(Sign::mark) == begin + "its last mark at 122 ms, and was put away");
  CHECK(text(Sign::end_mark) == begin + "its mark \"end\" at 122 ms, and was put away");
}

TEST_CASE("guard: findings: a planned fault that never strikes proves nothing") {
  Facts facts = sound();
  facts.plan = *faults::read_plan(
      R"({"plan_version":1,"faults":[{"id":"f0","fault":"reply_dropped","at":{"client":"a","call":1}}]})",
      "plan");
  const Judgement idle = judge(facts);
  CHECK(idle.verdict() == Verdict::invalid);
  REQUIRE(idle.reasons.size() == 1);
  CHECK(idle.reasons[0] == "the planned fault reply_dropped (f0) never struck");
  facts.incarnations.front().receipts = {{"reply_dropped", "f0", 1, 1s},
                                         {"reply_late", "f0", 1, 1s}};
  const Judgement struck = judge(facts);
  CHECK(struck.verdict() == Verdict::pass);
  REQUIRE(struck.strikes.size() == 2);
  CHECK(struck.strikes[0].count == 1);
  CHECK(struck.strikes[1].fault == "reply_late");
}

}  // namespace
}  // namespace poolproof::guard
