#include <algorithm>

#include "harness/oracle/oracle_testing.hpp"

/// Rules that hold why a start failed against the journals and against the evidence itself.
namespace poolproof::oracle {
namespace {

using Kind = faults::JournalRecord::Kind;

/// What is said against this evidence of a start that ended badly at that time; empty: nothing.
std::string said_of_start(Story story, double at, const pool::StartEvidence& evidence) {
  for (auto& record : story.trace.pool) {
    auto* ended = std::get_if<pool::HandshakeEnded>(&record.event);
    if (ended == nullptr) continue;
    record.at = ms(at);
    ended->evidence = evidence;
    record.effects = {
        pool::Stop{ended->worker, pool::StopStep::term, pool::RemovalReason::start_failed}};
  }
  constexpr std::string_view kTold = "is told to have failed by ";
  for (const Finding& finding : judge(story.evidence())) {
    const std::size_t told = finding.what.find(kTold);
    if (told != std::string::npos) return finding.what.substr(told + kTold.size());
  }
  return "";
}

/// The good story, in whose start such a fault strikes.
Story spoilt_start(const char* fault) {
  Story story = told("good");
  plan(story, fault);
  strike(story, fault, 3.1, 0);
  return story;
}

pool::StartEvidence evidence_of(StartCause cause, std::string_view first = "") {
  pool::StartEvidence evidence;
  evidence.cause = cause;
  evidence.first_size = static_cast<std::uint8_t>(first.size());
  std::copy(first.begin(), first.end(), evidence.first.begin());
  return evidence;
}

TEST_CASE("oracle: starts: a start's evidence does not speak against its cause") {
  const Story story = spoilt_start("banner");
  const auto told_with = [&story](StartCause cause, std::uint32_t answered) {
    pool::StartEvidence evidence = evidence_of(cause);
    evidence.answered_bytes = answered;
    const std::string said = said_of_start(story, 303.2, evidence);
    return said.ends_with("though something had come back") ? 1
           : said.ends_with("though nothing had come back") ? -1
                                                            : 0;
  };
  for (const StartCause cause : {StartCause::stdout_closed, StartCause::ping_unread,
                                 StartCause::ping_unanswered, StartCause::reply_unflushed}) {
    CAPTURE(name(cause));
    CHECK(told_with(cause, 1) == 1);
    CHECK(told_with(cause, 0) == 0);
  }
  CHECK(told_with(StartCause::reply_incomplete, 0) == -1);
  CHECK(told_with(StartCause::reply_incomplete, 1) == 0);
}

TEST_CASE("oracle: starts: a start's exit code is the one that the journal knows") {
  Story story = spoilt_start("exit_mid_call");
  std::erase_if(story.trace.workers,
                [](const auto& record) { return record.record.kind == Kind::wrote; });
  for (auto& record : story.trace.workers) {
    if (record.record.kind == Kind::exiting) record.record.code = 3;
  }
  pool::StartEvidence evidence = evidence_of(StartCause::exited);
  CHECK_FALSE(said_of_start(story, 3.5, evidence).empty());
  Story real = story;
  for (auto& worker : real.scenario.workers) worker.kind = scenario::WorkerKind::wrapped;
  CHECK(said_of_start(real, 3.5, evidence).empty());  // it may fail by itself
  evidence.exit.code = 3;
  CHECK(said_of_start(story, 3.5, evidence).empty());
  evidence.exit.signal = 9;
  CHECK_FALSE(said_of_start(story, 3.5, evidence).empty());
}

TEST_CASE("oracle: starts: a start is not given up on a suspicion before its post-mortem is over") {
  const Story bad = spoilt_start("json_invalid");
  CHECK_FALSE(said_of_start(bad, 303.0, evidence_of(StartCause::bad_frame)).empty());
  CHECK(said_of_start(bad, 303.2, evidence_of(StartCause::bad_frame)).empty());
  const Story closed = spoilt_start("stdout_closed");
  CHECK_FALSE(said_of_start(closed, 303.0, evidence_of(StartCause::stdout_closed)).empty());
  CHECK(said_of_start(closed, 303.2, evidence_of(StartCause::stdout_closed)).empty());
}

TEST_CASE("oracle: starts: a refused ping is told in the worker's own words") {
  Story story = spoilt_start("error_reply");
  story.scenario.faults[0].texts["message"] = "not\ntoday";
  const auto said = [&story](std::string_view words) {
    return said_of_start(story, 3.5, evidence_of(StartCause::refused, words));
  };
  CHECK(said("not\ntoday").empty());
  CHECK(said("\"not\\ntoday\"").empty());
  CHECK_FALSE(said("not").empty());
  CHECK_FALSE(said("{\"error\":\"not\\ntoday\"").empty());
}

TEST_CASE("oracle: starts: who is still importing has not read its ping") {
  Story story = told("good");
  plan(story, "import_slow");
  story.scenario.faults[0].numbers["delay_ms"] = 100;
  strike(story, "import_slow", 2.6, 0);
  CHECK_FALSE(said_of_start(story, 102.5, evidence_of(StartCause::ping_unanswered)).empty());
  CHECK(said_of_start(story, 102.7, evidence_of(StartCause::ping_unanswered)).empty());
}

TEST_CASE("oracle: starts: a whole reply at the end of stdin is one that was never flushed") {
  Story story = spoilt_start("reply_unflushed");
  pool::StartEvidence evidence = evidence_of(StartCause::ping_unanswered);
  evidence.late_bytes = 90;  // as many as it wrote
  CHECK_FALSE(said_of_start(story, 5303.0, evidence).empty());
  plan(story, "error_reply");
  strike(story, "error_reply", 3.1, 0);
  CHECK_FALSE(said_of_start(story, 5303.0, evidence).empty());
  evidence.late_bytes = 3;
  CHECK(said_of_start(story, 5303.0, evidence).empty());
}

TEST_CASE("oracle: starts: who was busy till TERM came wrote nothing at the end of its stdin") {
  Story busy = spoilt_start("reply_unflushed");
  std::erase_if(busy.trace.workers, [](const auto& record) {
    return record.record.kind == Kind::wrote && record.record.request == 0U;
  });
  CHECK(said_of_start(busy, 5303.0, evidence_of(StartCause::ping_unanswered)).empty());
}

TEST_CASE("oracle: starts: a ping answered in another shape is a bad frame, not a refusal") {
  const Story story = spoilt_start("reply_reshaped");
  CHECK(said_of_start(story, 303.2, evidence_of(StartCause::bad_frame)).empty());
  CHECK_FALSE(said_of_start(story, 303.2, evidence_of(StartCause::refused)).empty());
}

/// A pool of one whose starts fail; each attempt is ordered, started, and found bad.
Story failing_starts(const std::vector<double>& started_at_ms) {
  Story story = told("good");
  story.trace.pool.clear();
  story.trace.clients.clear();
  story.trace.workers.clear();
  story.trace.pool.push_back({ms(1), pool::CheckoutRequested{CheckoutId{1}, ms(60'000)}, {}});
  std::uint32_t generation = 0;
  for (const double at : started_at_ms) {
    const WorkerId worker{0, generation++};
    if (worker.generation == 0) {
      story.trace.pool.back().effects.push_back(pool::Start{worker});
    } else {
      story.trace.pool.push_back({ms(at), pool::Tick{}, {pool::Start{worker}}});
    }
    story.trace.pool.push_back(
        {ms(at + 1), pool::Started{worker}, {pool::BeginHandshake{worker, ms(5001)}}});
    pool::StartEvidence evidence;
    evidence.cause = StartCause::text_on_stdout;
    story.trace.pool.push_back(
        {ms(at + 2),
         pool::HandshakeEnded{worker, evidence},
         {pool::Stop{worker, pool::StopStep::term, pool::RemovalReason::start_failed}}});
    story.trace.pool.push_back({ms(at + 3), pool::Exited{worker, {0, 15}}, {pool::Forget{worker}}});
  }
  return story;
}

bool starts_bounded(const Story& story) {
  return !broken(story).contains("bounded_starts");
}

TEST_CASE("oracle: bounded starts: the pause doubles and may be cut by the jitter only") {
  // The first failure is known at 3 ms: the pause is 100 ms, by 20 % of jitter at least 80.
  CHECK(starts_bounded(failing_starts({1, 83})));
  CHECK_FALSE(starts_bounded(failing_starts({1, 82.9})));
  // The second at 202: the pause is 200 ms, at least 160.
  CHECK(starts_bounded(failing_starts({1, 200, 362})));
  CHECK_FALSE(starts_bounded(failing_starts({1, 200, 361.9})));
}

TEST_CASE("oracle: bounded starts: the breaker stays open for its time") {
  // The third failure in a row is known at 502: the next start is a probe, 5 s later.
  CHECK(starts_bounded(failing_starts({1, 200, 500, 5502})));
  CHECK_FALSE(starts_bounded(failing_starts({1, 200, 500, 5501.9})));
}

}  // namespace
}  // namespace poolproof::oracle
