#include "harness/oracle/oracle_testing.hpp"
#include "harness/oracle/view.hpp"

namespace poolproof::oracle {
namespace {

using scenario::Expected;
using scenario::ExpectedOne;
using scenario::Farewell;
using scenario::Fate;
using Kind = faults::JournalRecord::Kind;

std::size_t unmet(const Story& story) {
  return judge_expectations(story.evidence()).size();
}

ExpectedOne error(Outcome outcome) {
  return {false, outcome, {}, {}, ""};
}

struct Row {
  const char* what;
  Expected expected;  ///< of a's call
  bool met;
};

TEST_CASE("oracle: expectations: outcome, phase, cause and words of an error are compared") {
  ExpectedOne phase = error(Outcome::call_timeout);
  phase.phase = Phase::awaiting_reply;
  ExpectedOne other_phase = error(Outcome::call_timeout);
  other_phase.phase = Phase::reading_reply;
  ExpectedOne cause = error(Outcome::call_timeout);
  cause.cause = StartCause::exited;
  ExpectedOne says = error(Outcome::call_timeout);
  says.says = "within the call";
  ExpectedOne other_says = error(Outcome::call_timeout);
  other_says.says = "banana";
  const std::vector<Row> rows{
      {"the outcome", {error(Outcome::call_timeout)}, true},
      {"another outcome", {error(Outcome::worker_died)}, false},
      {"any of two", {error(Outcome::worker_died), error(Outcome::call_timeout)}, true},
      {"the phase", {phase}, true},
      {"another phase", {other_phase}, false},
      {"a cause it has not", {cause}, false},
      {"part of the message", {says}, true},
      {"words it does not say", {other_says}, false},
      {"skipped", {ExpectedOne{true, Outcome::ok, {}, {}, ""}}, false},
  };
  for (const Row& row : rows) {
    INFO(row.what);
    Story story = told("no_dirty_reuse");
    story.scenario.expect.clients = {
        {"a", {{error(Outcome::ok)}, row.expected, {error(Outcome::ok)}}}};
    CHECK((unmet(story) == 0) == row.met);
  }
}

TEST_CASE("oracle: expectations: only skipped steps may be left out at the end") {
  Story story = told("recovery");
  story.scenario.expect.no_success = true;
  story.scenario.expect.clients = {{"b", {{error(Outcome::checkout_timeout)}}}};
  CHECK(unmet(story) == 0);
  story.scenario.expect.clients = {{"a", {{error(Outcome::ok)}}}};
  CHECK(unmet(story) == 2);
}

TEST_CASE("oracle: expectations: a repeated and counted client is held to them each time") {
  Story story = told("good");
  story.scenario.expect.clients.erase("b");
  story.scenario.clients.pop_back();
  story.scenario.clients[0].count = 2;
  std::vector<trace::ClientStep> steps;
  for (const auto& one : story.trace.clients) {
    if (one.client != "a") continue;
    for (const char* name : {"a.1", "a.2"}) {
      steps.push_back(one);
      steps.back().client = name;
    }
  }
  story.trace.clients = steps;
  CHECK(unmet(story) == 0);
  story.trace.clients.back().outcome = Outcome::lease_over;
  CHECK(unmet(story) == 1);
  story.trace.clients.back().outcome = Outcome::ok;
  story.scenario.clients[0].repeat = 2;
  CHECK(unmet(story) == 6);  // the second repetition never was
}

TEST_CASE("oracle: expectations: some call must succeed, or none may") {
  Story story = told("good");
  story.scenario.expect.no_success = true;
  CHECK(unmet(story) == 1);
  story = told("recovery");
  story.scenario.expect.clients.clear();
  CHECK(unmet(story) == 1);
  story.scenario.expect.no_success = true;
  CHECK(unmet(story) == 0);
  story.trace.clients.clear();
  CHECK(unmet(story) == 1);
}

Story with_fate(std::vector<Fate> fates, WorkerId worker = {0, 0}) {
  Story story = told("good");
  story.scenario.expect.workers = {{worker, std::move(fates)}};
  return story;
}

TEST_CASE("oracle: expectations: a worker's fate is one of those named") {
  CHECK(unmet(with_fate({Fate::closed})) == 0);
  CHECK(unmet(with_fate({Fate::killed, Fate::closed})) == 0);
  CHECK(unmet(with_fate({Fate::killed})) == 1);
  CHECK(unmet(with_fate({Fate::unborn}, {0, 1})) == 0);
  CHECK(unmet(with_fate({Fate::unborn})) == 1);
}

TEST_CASE(
    "oracle: fate: what the worker wrote and what was done to it decide before the pool's word") {
  Story story = told("good");
  const auto fate = [&story](WorkerId worker) {
    return fate_of(story.evidence(), View(story.evidence()), worker);
  };
  CHECK(fate({0, 0}) == Fate::closed);
  story.trace.environment.push_back({ms(8.5), {0, 0}, 9, true});
  CHECK(fate({0, 0}) == Fate::died);
  story.trace.environment.back().at = ms(9.8);  // when it was closing already
  CHECK(fate({0, 0}) == Fate::closed);
  story.trace.environment.back() = {ms(8.5), {0, 0}, 19, true};  // STOP ends nobody
  CHECK(fate({0, 0}) == Fate::closed);
  story.trace.environment.back() = {ms(8.5), {0, 0}, 9, false};
  CHECK(fate({0, 0}) == Fate::closed);
  story = told("prompt_death");
  CHECK(fate({0, 0}) == Fate::died);
  CHECK(fate({0, 1}) == Fate::closed);
  story = told("no_overkill");
  CHECK(fate({0, 0}) == Fate::killed);
}

TEST_CASE(
    "oracle: fate: the pool's signal before its close means killed, an exit without one died") {
  Story story = told("good");
  const auto close = story.trace.pool.end() - 2;
  const WorkerId worker{0, 0};
  story.trace.pool.insert(close,
                          {ms(8.4),
                           pool::Tick{},
                           {pool::Stop{worker, pool::StopStep::term, pool::RemovalReason::dirty}}});
  CHECK(fate_of(story.evidence(), View(story.evidence()), worker) == Fate::killed);
  story.trace.pool[story.trace.pool.size() - 3] = {ms(8.4), pool::Exited{worker, {}}, {}};
  CHECK(fate_of(story.evidence(), View(story.evidence()), worker) == Fate::died);
  story.scenario.workers[0].kind = scenario::WorkerKind::command;
  story.trace.workers.clear();
  CHECK(fate_of(story.evidence(), View(story.evidence()), worker) == Fate::died);
  story.trace.pool.clear();
  CHECK_FALSE(fate_of(story.evidence(), View(story.evidence()), worker).has_value());
}

/// The good story, in which the worker is a program without a journal, and the pool, told that,
/// gives it TERM.
Story put_away(const pool::Event& told_that) {
  Story story = told("good");
  story.scenario.workers[0].kind = scenario::WorkerKind::command;
  story.trace.workers.clear();
  const pool::Stop term{{0, 0}, pool::StopStep::term, pool::RemovalReason::dirty};
  auto& pool = story.trace.pool;
  const auto close = std::ranges::find_if(pool, [](const trace::PoolRecord& record) {
    return std::holds_alternative<pool::CloseRequested>(record.event);
  });
  pool.insert(close, {ms(8.4), told_that, {term}});
  for (trace::PoolRecord& record : pool) {
    if (std::holds_alternative<pool::CloseRequested>(record.event)) record.effects.clear();
    if (auto* exited = std::get_if<pool::Exited>(&record.event)) exited->status = {1, 0};
  }
  return story;
}

TEST_CASE("oracle: fate: who had ended before the pool told it to go has died") {
  const auto left = [](const Story& story) {
    const Evidence evidence = story.evidence();
    const View view(evidence);
    const auto leaving = leaving_of(evidence, view, {0, 0});
    REQUIRE(leaving);
    return std::pair(fate_of(evidence, view, {0, 0}), leaving->by);
  };
  const auto by_term = std::pair(std::optional(Fate::killed), std::optional(Farewell::term));
  const auto by_itself = std::pair(std::optional(Fate::died), std::optional<Farewell>());
  const auto greeted = [](StartCause cause) {
    pool::HandshakeEnded ended{{0, 0}, {}};
    ended.evidence.cause = cause;
    return put_away(ended);
  };
  CHECK(left(greeted(StartCause::exited)) == by_itself);
  CHECK(left(greeted(StartCause::bad_frame)) == by_term);
  Story called = put_away(pool::CheckedIn{LeaseId{2}, false});
  CHECK(left(called) == by_term);
  step(called, "b", 1).outcome = Outcome::worker_died;
  CHECK(left(called) == by_itself);
  step(called, "b", 1).outcome = Outcome::call_timeout;
  CHECK(left(called) == by_term);
}

}  // namespace
}  // namespace poolproof::oracle
