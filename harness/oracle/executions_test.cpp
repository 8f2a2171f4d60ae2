#include <functional>

#include "harness/oracle/oracle_testing.hpp"
#include "harness/oracle/rules.hpp"

/// One execution as a client tells of it, and what is wrong with it.
namespace poolproof::oracle {
namespace {

using Steps = std::vector<ClientStep>;

constexpr const char* kScenario = R"({
  "schema_version": 1, "name": "one", "why": "one command is executed, with one further try at most",
  "clients": [{"name": "a", "steps": [
    {"execute": {"command": "echo", "retry": "idempotent", "retries_max": 1}}]}]})";

ClientStep step(StepKind kind, Outcome outcome = Outcome::ok) {
  ClientStep step;
  step.client = "a";
  step.kind = kind;
  step.outcome = outcome;
  step.part = kind != StepKind::execute;
  step.in_doubt = kind == StepKind::call && outcome == Outcome::worker_died;
  return step;
}

/// The first call dies, the second one is answered.
Steps good() {
  return {step(StepKind::checkout), step(StepKind::call, Outcome::worker_died),
          step(StepKind::checkout), step(StepKind::call),
          step(StepKind::checkin),  step(StepKind::execute)};
}

std::string said(
    const Steps& steps, const std::function<void(scenario::Execute&)>& change = [](auto&) {}) {
  auto scenario = scenario::read_scenario(kScenario, "one.json");
  REQUIRE(scenario);
  change(std::get<scenario::Execute>(scenario->clients[0].steps[0]));
  trace::Trace trace;
  trace.clients = steps;
  const Evidence evidence{*scenario, trace, {}};
  const View view(evidence);
  Findings findings;
  judge_executions({evidence, view, nullptr}, findings);
  return findings.empty() ? "" : findings.front().what;
}

bool says(
    const Steps& steps, std::string_view what,
    const std::function<void(scenario::Execute&)>& change = [](auto&) {}) {
  const std::string all = said(steps, change);
  INFO(all);
  return all.find(what) != std::string::npos;
}

TEST_CASE("oracle: executions: a checkout, a call and a check-in, and again where it may be") {
  CHECK(said(good()).empty());
  CHECK(said({step(StepKind::checkout, Outcome::queue_full),
              step(StepKind::execute, Outcome::queue_full)})
            .empty());
  CHECK(said({step(StepKind::checkout), step(StepKind::call, Outcome::worker_error),
              step(StepKind::checkin), step(StepKind::execute, Outcome::worker_error)})
            .empty());
}

TEST_CASE("oracle: executions: no part is left out, none comes out of turn") {
  CHECK(says({step(StepKind::execute)}, "before all of it was done"));
  CHECK(says({step(StepKind::checkout), step(StepKind::execute)}, "before all of it was done"));
  CHECK(says({step(StepKind::call), step(StepKind::execute)}, "out of turn"));
  Steps kept = good();
  kept.erase(kept.begin() + 4);
  CHECK(says(kept, "before all of it was done"));
  Steps refused = good();
  refused[0].outcome = Outcome::queue_full;
  CHECK(says(refused, "without a worker"));
}

TEST_CASE("oracle: executions: it comes to what its last part came to") {
  Steps other = good();
  other.back().outcome = Outcome::worker_died;
  CHECK(says(other, "came to worker_died, its last part to ok"));
}

TEST_CASE("oracle: executions: a call is made again only where it may be") {
  using scenario::Execute;
  CHECK(says(good(), "was not to be", [](Execute& it) { it.retry = pool::Retry::never; }));
  CHECK(says(good(), "was not to be", [](Execute& it) { it.session.name = "s"; }));
  CHECK(says(good(), "more often than it may", [](Execute& it) { it.retries_max = 0; }));
  const auto if_unread = [](Execute& it) { it.retry = pool::Retry::if_unread; };
  CHECK(says(good(), "may have read it", if_unread));
  Steps unread = good();
  unread[1].retryable = true;
  CHECK(said(unread, if_unread).empty());
  Steps answered = good();
  answered[1] = step(StepKind::call);
  answered.insert(answered.begin() + 2, step(StepKind::checkin));
  CHECK(says(answered, "though it was over"));
}

}  // namespace
}  // namespace poolproof::oracle
