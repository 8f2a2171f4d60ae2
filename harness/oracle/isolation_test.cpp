#include "harness/oracle/oracle_testing.hpp"

/// What is a reason for whose call.
namespace poolproof::oracle {
namespace {

/// The good story, in which b's call came to that.
Story call_of_b(Outcome outcome) {
  Story story = told("isolation");
  step(story, "b", 1).outcome = outcome;
  step(story, "b", 1).message = "signal or code";
  return story;
}

bool is_blamed(const Story& story) {
  return broken(story).contains("isolation");
}

trace::WorkerRecord receipt_of(const std::string& fault, double at, WorkerId worker) {
  trace::WorkerRecord stamped;
  stamped.at = ms(at);
  stamped.worker = worker;
  stamped.record.kind = faults::JournalRecord::Kind::receipt;
  stamped.record.fault = fault;
  stamped.record.request = 2;
  return stamped;
}

TEST_CASE("oracle: isolation: a fault or a signal is a reason for its own worker's calls only") {
  const auto with = [](const std::string& fault, double at, WorkerId worker) {
    Story story = call_of_b(Outcome::protocol_error);
    const auto receipt = receipt_of(fault, at, worker);
    const auto behind = std::find_if(story.trace.workers.begin(), story.trace.workers.end(),
                                     [&](const auto& record) { return record.at > receipt.at; });
    story.trace.workers.insert(behind, receipt);
    return is_blamed(story);
  };
  CHECK_FALSE(with("id_wrong", 7.3, {0, 0}));
  CHECK(with("id_wrong", 7.7, {0, 0}));  // it came after the end
  CHECK(with("id_wrong", 7.3, {1, 0}));
  CHECK(with("exit_slow", 7.3, {0, 0}));  // acts only when it is told to go
  CHECK(with("reply_fragmented", 7.3, {0, 0}));
  Story signalled = call_of_b(Outcome::worker_died);
  CHECK(is_blamed(signalled));
  signalled.trace.environment.push_back({ms(7.6), WorkerId{0, 0}, 9, true});
  CHECK_FALSE(is_blamed(signalled));
  signalled.trace.environment[0].delivered = false;
  CHECK(is_blamed(signalled));
}

TEST_CASE("oracle: isolation: a cancel must be meant for the client") {
  Story story = call_of_b(Outcome::cancelled);
  CHECK(is_blamed(story));
  trace::ClientStep cancel;
  cancel.client = "a";
  cancel.kind = StepKind::cancel;
  cancel.step = 3;
  cancel.begun = cancel.ended = ms(7.5);
  story.scenario.clients[0].steps.emplace_back(scenario::Cancel{"b"});
  story.trace.clients.insert(std::prev(story.trace.clients.end(), 2), cancel);
  CHECK_FALSE(is_blamed(story));
  story.scenario.clients[0].steps.back() = scenario::Cancel{"a"};
  CHECK(is_blamed(story));
}

TEST_CASE("oracle: isolation: a cancel of an execution may come between two of its parts") {
  const auto is_blamed_at = [](double at) {
    Story story = call_of_b(Outcome::cancelled);
    execute_as_b(story);
    cancel_b(story, at);
    return is_blamed(story);
  };
  CHECK(is_blamed_at(5.9));        // before the execution
  CHECK_FALSE(is_blamed_at(6.1));  // during its checkout
  CHECK_FALSE(is_blamed_at(6.5));  // between its checkout and its call
  CHECK_FALSE(is_blamed_at(7.5));
  CHECK(is_blamed_at(7.7));  // after its call
}

TEST_CASE("oracle: isolation: an error, a timeout and the end of a lease have their own reasons") {
  Story error = call_of_b(Outcome::worker_error);
  CHECK(is_blamed(error));
  step(error, "b", 1).command = "fail";
  CHECK_FALSE(is_blamed(error));

  Story timeout = call_of_b(Outcome::call_timeout);
  step(timeout, "", 0).begun = step(timeout, "", 0).ended = ms(6000);
  step(timeout, "b", 1).ended = ms(5007);
  CHECK_FALSE(is_blamed(timeout));  // on the host, within its lateness
  step(timeout, "b", 1).ended = ms(5008);
  step(timeout, "b", 1).message = "its reply had lain there for 5 s";
  for (auto& record : timeout.trace.workers) {
    if (record.record.request == 2U) record.at = ms(7);
  }
  CHECK(is_blamed(timeout));

  Story over = call_of_b(Outcome::lease_over);
  CHECK(is_blamed(over));
  over = told("good");
  trace::ClientStep late = step(over, "b", 1);
  late.outcome = Outcome::lease_over;
  late.retryable = true;
  late.message = "the lease was given back";
  late.reply_nonce.clear();
  late.nonce = "b:2";
  late.step = 3;
  late.written_bytes = 0;
  late.begun = late.ended = ms(8.5);
  over.scenario.clients[1].steps.push_back(over.scenario.clients[1].steps[1]);
  over.trace.clients.insert(std::prev(over.trace.clients.end()), late);
  CHECK(broken(over).empty());
  Story drained = call_of_b(Outcome::worker_died);
  step(drained, "", 0).limit = Duration(1000);
  step(drained, "", 0).begun = ms(7.1);
  CHECK_FALSE(is_blamed(drained));
  step(drained, "", 0).limit = Duration(2000);
  CHECK(is_blamed(drained));
}

}  // namespace
}  // namespace poolproof::oracle
