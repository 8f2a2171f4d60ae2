#include <algorithm>

#include "harness/oracle/oracle_testing.hpp"

/// Rules that hold what errors say, and what calls come to, against the journals.
namespace poolproof::oracle {
namespace {

using Names = std::set<std::string>;
using Kind = faults::JournalRecord::Kind;

Names broken_at_once(const Story& story) {
  Names names;
  for (const Finding& finding : findings_at_once(story)) names.insert(finding.invariant);
  return names;
}

/// The good story, in which b's call came to that. There is no self-report to contradict it.
Story call_of_b(Outcome outcome, Phase phase, const std::string& message) {
  Story story = told("good");
  story.trace.pool.clear();
  trace::ClientStep& call = step(story, "b", 1);
  call.outcome = outcome;
  call.phase = phase;
  call.message = message;
  return story;
}

TEST_CASE("oracle: facts: what could not be started has written nothing") {
  const auto told_of = [](StartCause cause, std::uint64_t stderr_bytes) {
    Story story = told("good");
    story.trace.pool.clear();
    trace::ClientStep& checkout = step(story, "b", 0);
    checkout.outcome = Outcome::start_failed;
    checkout.cause = cause;
    checkout.retryable = true;
    checkout.message = "start_failed";
    checkout.stderr_bytes = stderr_bytes;
    return broken(story).contains("diagnosis");
  };
  CHECK_FALSE(told_of(StartCause::exec_failed, 0));
  CHECK(told_of(StartCause::exec_failed, 9));
  CHECK_FALSE(told_of(StartCause::exited, 9));
}

TEST_CASE("oracle: facts: an error brings all that its worker wrote to stderr before it exited") {
  const auto lacking = [](std::uint64_t brought, bool refused, bool another = false) {
    Story story =
        refused ? told("good") : call_of_b(Outcome::worker_died, Phase::awaiting_reply, "died");
    plan(story, "exit_at_start");
    story.scenario.faults[0].texts["stderr_text"] = "why";
    strike(story, "exit_at_start", 7.3, 2);
    trace::ClientStep& told_step = step(story, "b", refused ? 0 : 1);
    told_step.stderr_bytes = brought;
    told_step.blamed = WorkerId{0, 0};
    if (refused) {
      told_step.outcome = Outcome::start_failed;
      told_step.message = "start_failed";
      told_step.cause = StartCause::exited;
    }
    if (another)
      story.trace.pool.insert(story.trace.pool.begin(), {ms(0), pool::Exited{{1, 0}, {3, 0}}, {}});
    for (auto& record : story.trace.workers) {  // it was not told to go
      if (record.record.command == "shutdown") record.record.command = "echo";
    }
    for (const auto& finding : findings_at_once(story)) {
      if (finding.what.find("of what worker 0.0 wrote to stderr") != std::string::npos) return true;
    }
    return false;
  };
  CHECK(lacking(3, false));
  CHECK(lacking(0, false));
  CHECK_FALSE(lacking(4, false));
  CHECK_FALSE(lacking(5, false));  // it may have written more
  CHECK(lacking(3, true));
  CHECK_FALSE(lacking(4, true));
  CHECK(lacking(0, true));
  CHECK_FALSE(lacking(0, true, true));  // the words that are kept are those of the last one
}

TEST_CASE(
    "oracle: facts: of another process that holds a pipe nobody is told but if there is one") {
  const auto told_of = [](bool grandchild, Duration lateness) {
    Story story = told("good");
    story.trace.pool.clear();
    trace::ClientStep& checkout = step(story, "b", 0);
    checkout.outcome = Outcome::start_failed;
    checkout.message = "start_failed: dead at start; another process holds its stdout still";
    if (grandchild) story.trace.workers.back().record.kind = Kind::grandchild;
    for (const Finding& finding : judge({story.scenario, story.trace, {lateness}})) {
      if (finding.what.find("told of another process") != std::string::npos) return true;
    }
    return false;
  };
  using namespace std::chrono_literals;
  CHECK(told_of(false, 0s));
  CHECK_FALSE(told_of(true, 0s));
  CHECK_FALSE(told_of(false, 5s));  // other people's programs keep no journal
}

TEST_CASE("oracle: facts: an error's phase is one that the call can have been in") {
  const auto named = [](Outcome outcome, Phase phase) {
    return broken(call_of_b(outcome, phase, "told")).contains("diagnosis");
  };
  CHECK_FALSE(named(Outcome::protocol_error, Phase::reading_reply));
  CHECK(named(Outcome::protocol_error, Phase::awaiting_reply));
  CHECK(named(Outcome::protocol_error, Phase::queued));
  CHECK(named(Outcome::call_timeout, Phase::writing_request));  // its request had been read
  CHECK(named(Outcome::stdout_closed, Phase::reading_reply));   // cut: a protocol error
  Story unwritten = call_of_b(Outcome::call_timeout, Phase::awaiting_reply, "told");
  step(unwritten, "b", 1).written_bytes = 0;
  CHECK(broken(unwritten).contains("diagnosis"));
}

TEST_CASE("oracle: facts: of whom nothing reached a worker is told that it may ask again") {
  const auto denied = [](Outcome outcome, std::uint64_t written, bool retryable) {
    Story story = call_of_b(outcome, Phase::writing_request, "told");
    trace::ClientStep& call = step(story, "b", 1);
    call.written_bytes = written;
    call.retryable = retryable;
    for (const auto& finding : findings_at_once(story)) {
      if (finding.what.find("not safe to ask again") != std::string::npos) return true;
    }
    return false;
  };
  CHECK(denied(Outcome::call_timeout, 0, false));
  CHECK(denied(Outcome::lease_over, 0, false));
  CHECK_FALSE(denied(Outcome::call_timeout, 0, true));
  CHECK_FALSE(denied(Outcome::call_timeout, 1, false));
  CHECK_FALSE(denied(Outcome::request_too_large, 0, false));
  CHECK_FALSE(denied(Outcome::pool_closed, 0, false));
  Story refused = told("good");
  step(refused, "b", 0).outcome = Outcome::checkout_timeout;
  const auto before = findings_at_once(refused).size();
  step(refused, "b", 0).retryable = true;
  CHECK(findings_at_once(refused).size() + 1 == before);
}

TEST_CASE("oracle: facts: a timeout tells of the limit that was given") {
  const auto told_of = [](std::optional<Duration> after) {
    Story story = call_of_b(Outcome::call_timeout, Phase::awaiting_reply, "call_timeout");
    step(story, "b", 1).limit = 300ms;
    step(story, "b", 1).after = after;
    step(story, "b", 1).in_doubt = true;
    for (const auto& finding : findings_at_once(story)) {
      if (finding.what.find("tells of a limit") != std::string::npos) return true;
    }
    return false;
  };
  CHECK_FALSE(told_of(300ms));
  CHECK(told_of(300s));
  CHECK(told_of(0ms));
  CHECK_FALSE(told_of(std::nullopt));
}

TEST_CASE("oracle: facts: an end is told as the journal knows it") {
  const auto died = [](ExitStatus told_of, std::optional<int> code) {
    Story story = call_of_b(Outcome::worker_died, Phase::awaiting_reply, "a code or a signal");
    step(story, "b", 1).exit = told_of;
    std::erase_if(story.trace.workers, [code](const auto& record) {
      const bool exits = record.record.kind == Kind::exiting;
      return (record.record.kind == Kind::wrote && record.record.request == 2U) || (exits && !code);
    });
    for (auto& record : story.trace.workers) {
      if (record.record.kind == Kind::exiting) record.record.code = *code;
    }
    if (!code) {
      plan(story, "killed_mid_call");
      story.scenario.faults[0].numbers["signal"] = 9;
      strike(story, "killed_mid_call", 7.3, 2);
    }
    return broken(story).contains("diagnosis");
  };
  CHECK_FALSE(died({3, 0}, 3));
  CHECK(died({3, 0}, 4));
  CHECK(died({0, 9}, 3));
  CHECK(died({3, 9}, 3));
  CHECK_FALSE(died({0, 9}, std::nullopt));
  CHECK(died({0, 0}, std::nullopt));
}

TEST_CASE("oracle: facts: a reply that was cut tells a code from a signal") {
  const auto wrong = [](Outcome outcome, ExitStatus told_of) {
    Story story = call_of_b(outcome, Phase::reading_reply, "a code or a signal");
    step(story, "b", 1).exit = told_of;
    std::erase_if(story.trace.workers, [](const auto& record) {
      return record.record.kind == Kind::exiting ||
             (record.record.kind == Kind::wrote && record.record.request == 2U);
    });
    for (const Finding& finding : judge(story.evidence())) {
      if (finding.what.ends_with("though its reply was cut")) return true;
      if (finding.what.ends_with("though a signal had ended its worker")) return true;
    }
    return false;
  };
  CHECK(wrong(Outcome::worker_died, {3, 0}));
  CHECK_FALSE(wrong(Outcome::worker_died, {0, 9}));
  CHECK(wrong(Outcome::protocol_error, {0, 9}));
  CHECK_FALSE(wrong(Outcome::protocol_error, {3, 0}));
}

TEST_CASE("oracle: facts: nobody waits behind a header that announces too much") {
  const auto waited = [](double receipt_at, std::uint64_t request, std::uint64_t limit) {
    Story story = call_of_b(Outcome::call_timeout, Phase::reading_reply, "told");
    story.scenario.pool.framing.max_frame_bytes = limit;
    plan(story, "length_over_limit");
    strike(story, "length_over_limit", receipt_at, request);
    return broken_at_once(story).contains("diagnosis");
  };
  CHECK(waited(7.3, 2, 1000));
  CHECK_FALSE(waited(4.3, 1, 1000));        // it was another reply
  CHECK_FALSE(waited(7.3, 2, 0xffffffff));  // no header can say so
  Story twice = call_of_b(Outcome::call_timeout, Phase::reading_reply, "told");
  strike(twice, "length_over_limit", 7.3, 2);
  strike(twice, "length_too_short", 7.3, 2);
  CHECK_FALSE(broken_at_once(twice).contains("diagnosis"));
  Story late = call_of_b(Outcome::call_timeout, Phase::awaiting_reply, "told");
  strike(late, "length_over_limit", 7.3, 2);
  CHECK_FALSE(broken_at_once(late).contains("diagnosis"));
}

TEST_CASE(
    "oracle: facts: who has written nothing had no reply under way, unless it was stopped then") {
  Story story = call_of_b(Outcome::call_timeout, Phase::reading_reply, "told");
  step(story, "b", 1).in_doubt = true;
  std::erase_if(story.trace.workers, [](const auto& record) {
    return record.record.kind == Kind::wrote && record.record.request == 2U;
  });
  CHECK(broken_at_once(story).contains("diagnosis"));
  const Time ended = step(story, "b", 1).ended;
  const WorkerId worker = story.trace.workers.front().worker;
  Story other = story;
  other.trace.environment.push_back({ended, {worker.slot + 1, 0}, 19, true});
  CHECK(broken_at_once(other).contains("diagnosis"));
  Story later = story;
  later.trace.environment.push_back({ended + 1ms, worker, 19, true});
  CHECK(broken_at_once(later).contains("diagnosis"));
  story.trace.environment.push_back({ended, worker, 19, true});
  CHECK_FALSE(broken_at_once(story).contains("diagnosis"));
}

TEST_CASE("oracle: facts: a worker that had answered did not die before its reply") {
  CHECK(broken(call_of_b(Outcome::worker_died, Phase::awaiting_reply, "with code 0"))
            .contains("diagnosis"));
}

TEST_CASE("oracle: facts: a refusal says how long its client waited") {
  const auto told_of = [](std::optional<Duration> after, double waited, Duration lateness) {
    Story story = told("good");
    story.trace.pool.clear();
    auto& checkout = step(story, "b", 0);
    checkout.outcome = Outcome::checkout_timeout;
    checkout.phase = Phase::queued;
    checkout.after = after;
    checkout.worker.reset();
    checkout.ended = checkout.begun + (ms(waited) - ms(0));
    for (const Finding& finding : judge({story.scenario, story.trace, {lateness}})) {
      if (finding.what.find("was told that it had waited") != std::string::npos) return true;
    }
    return false;
  };
  using namespace std::chrono_literals;
  CHECK_FALSE(told_of(20'900us, 20.9, 0s));
  CHECK(told_of(20ms, 20.9, 0s));
  CHECK(told_of(21ms, 20.9, 0s));
  CHECK_FALSE(told_of(19ms, 20.9, 5s));
  CHECK(told_of(21ms, 20.9, 5s));
  CHECK_FALSE(told_of(std::nullopt, 20.9, 0s));
}

TEST_CASE("oracle: facts: a call whose worker was taken back by a closing pool is told so") {
  const auto told_otherwise = [](double taken_at, Outcome outcome, std::uint64_t written = 100) {
    Story story = told("good");
    auto& call = step(story, "b", 1);
    call.outcome = outcome;
    call.written_bytes = written;
    call.in_doubt = true;
    call.message = "call_timeout while awaiting_reply";
    auto& pool = story.trace.pool;
    const auto returned = std::find_if(pool.begin(), pool.end(),
                                       [](const auto& record) { return record.at == ms(8.1); });
    pool.insert(returned,
                {ms(taken_at),
                 pool::Tick{},
                 {pool::Stop{{0, 0}, pool::StopStep::term, pool::RemovalReason::closing}}});
    for (const Finding& finding : judge({story.scenario, story.trace, {Duration::zero()}})) {
      if (finding.what.find("had taken worker 0.0 back") != std::string::npos) return true;
    }
    return false;
  };
  CHECK(told_otherwise(7.5, Outcome::call_timeout));
  CHECK_FALSE(told_otherwise(7.6, Outcome::call_timeout));  // it ended then
  CHECK_FALSE(told_otherwise(7.5, Outcome::pool_closed));
  CHECK(told_otherwise(7.5, Outcome::lease_over));
  CHECK_FALSE(told_otherwise(7.5, Outcome::lease_over, 0));
  CHECK(told_otherwise(7.5, Outcome::pool_closed, 0));
}

TEST_CASE("oracle: isolation: who is answered with a list has no reason to call it an error") {
  const auto blamed = [](const char* shape, std::uint64_t request) {
    Story story = call_of_b(Outcome::protocol_error, Phase::reading_reply, "told");
    step(story, "b", 1).in_doubt = true;
    plan(story, "reply_reshaped");
    story.scenario.faults[0].texts["shape"] = shape;
    strike(story, "reply_reshaped", request == 0 ? 3.1 : 7.3, request);
    return broken(story).contains("isolation");
  };
  CHECK(blamed("result_list", 2));
  CHECK_FALSE(blamed("result_list", 0));
  CHECK_FALSE(blamed("no_result", 2));
}

TEST_CASE("oracle: witnesses: a wrapped worker has to show what it read, a bare command can't") {
  Story story = told("good");
  std::erase_if(story.trace.workers, [](const auto& record) {
    return record.record.kind == Kind::read && record.record.request == 2U;
  });
  story.scenario.workers[0].kind = scenario::WorkerKind::wrapped;
  CHECK(broken(story).contains("witnesses"));
  story.scenario.workers[0].kind = scenario::WorkerKind::command;
  CHECK_FALSE(broken(story).contains("witnesses"));
}

TEST_CASE("oracle: real programs: what they may do by themselves is no reason to blame the pool") {
  for (const char* rule : {"isolation", "no_overkill", "recovery"}) {
    CAPTURE(rule);
    Story story = told(rule);
    CHECK(broken(story).contains(rule));
    for (auto& worker : story.scenario.workers) worker.kind = scenario::WorkerKind::wrapped;
    CHECK_FALSE(broken(story).contains(rule));
  }
}

TEST_CASE("oracle: unsolicited output: an idle worker that writes unasked is put away") {
  const auto unsolicited = [](double leased_again) {
    Story story = told("good");
    plan(story, "text_while_idle");
    strike(story, "text_while_idle", 5.5, 1);
    for (auto& record : story.trace.pool) {
      if (record.at >= ms(6)) record.at += ms(leased_again) - ms(6.1);
    }
    const auto findings = judge(story.evidence());
    return std::any_of(findings.begin(), findings.end(), [](const Finding& finding) {
      return finding.what.find("had written unasked") != std::string::npos;
    });
  };
  CHECK(unsolicited(5005.6));  // on the host it may take 5 s
  CHECK_FALSE(unsolicited(5005.5));
}

TEST_CASE(
    "oracle: unsolicited output: a late check-in does not make a worker idle that has been told to "
    "go") {
  Story story = told("good");
  plan(story, "text_while_idle");
  strike(story, "text_while_idle", 7.5, 2);
  auto& pool = story.trace.pool;
  const auto returned = std::find_if(pool.begin(), pool.end(),
                                     [](const auto& record) { return record.at == ms(8.1); });
  pool.insert(returned, {ms(8),
                         pool::Tick{},
                         {pool::Stop{{0, 0}, pool::StopStep::term, pool::RemovalReason::closing}}});
  pool.back().at = ms(6000);
  const auto findings = judge(story.evidence());
  CHECK(std::none_of(findings.begin(), findings.end(), [](const Finding& finding) {
    return finding.what.find("had written unasked") != std::string::npos;
  }));
}

TEST_CASE("oracle: facts: a worker that has exited is dead, not astray") {
  const auto wrong = [](double at, const char* fault) {
    Story story = told("good");
    strike(story, fault, 9.4, 2);
    auto& pool = story.trace.pool;
    pool[pool.size() - 2] = {
        ms(at),
        pool::UnsolicitedOutput{{0, 0}},
        {pool::Stop{{0, 0}, pool::StopStep::term, pool::RemovalReason::unsolicited}}};
    const auto findings = judge({story.scenario, story.trace, {Duration::zero()}});
    return std::any_of(findings.begin(), findings.end(), [](const Finding& finding) {
      return finding.what.find("put away for its output") != std::string::npos;
    });
  };
  CHECK(wrong(9.5, "exit_while_idle"));
  CHECK_FALSE(wrong(9.499, "exit_while_idle"));  // it exits at 9.5
  CHECK_FALSE(wrong(9.5, "text_while_idle"));
}

TEST_CASE("oracle: ladder: a sound worker that is asked goes") {
  const auto deaf = [](Duration lateness, bool struck, const char* planned = nullptr,
                       double heard_at = 509.1) {
    Story story = told("good");
    for (auto& record : story.trace.workers) {
      if (record.at >= ms(9.3)) record.at = ms(heard_at);
    }
    if (planned != nullptr) plan(story, planned);
    auto& pool = story.trace.pool;  // it is over only after the grace of 500 ms
    pool.insert(pool.end() - 1,
                {ms(509.1),
                 pool::Tick{},
                 {pool::Stop{{0, 0}, pool::StopStep::end_of_input, pool::RemovalReason::closing}}});
    pool.back().at = ms(510);
    if (struck) strike(story, "stdin_end_ignored", 9.3, 3);
    const auto findings = judge({story.scenario, story.trace, {lateness}});
    return std::any_of(findings.begin(), findings.end(), [](const Finding& finding) {
      return finding.what.find("is sound and was asked") != std::string::npos;
    });
  };
  CHECK(deaf(Duration::zero(), false));
  CHECK_FALSE(deaf(Duration::zero(), true));
  CHECK_FALSE(deaf(Duration::zero(), false, "text_while_idle"));  // it waits for its moment
  CHECK(deaf(Duration::zero(), false, "reply_slow"));
  CHECK_FALSE(deaf(Duration{1000}, false));                    // a real machine may be slow
  CHECK_FALSE(deaf(Duration::zero(), false, nullptr, 509.0));  // it heard, and takes its time
}

TEST_CASE("oracle: ladder: of a worker that wrote nothing nobody says that it is sound") {
  Story story = told("good");
  auto& pool = story.trace.pool;
  pool.insert(pool.end() - 1,
              {ms(509.1),
               pool::Tick{},
               {pool::Stop{{0, 0}, pool::StopStep::end_of_input, pool::RemovalReason::closing}}});
  pool.back().at = ms(510);
  story.trace.workers.clear();
  const auto findings = judge({story.scenario, story.trace, {Duration::zero()}});
  CHECK(std::none_of(findings.begin(), findings.end(), [](const Finding& finding) {
    return finding.what.find("is sound and was asked") != std::string::npos;
  }));
}

TEST_CASE("oracle: cancels: who is cancelled goes at once") {
  const auto cancelled_at = [](double at) {
    Story story = told("good");
    story.trace.pool.clear();
    story.scenario.clients[0].steps.emplace_back(scenario::Cancel{"b"});
    trace::ClientStep cancel = step(story, "a", 2);
    cancel.kind = StepKind::cancel;
    cancel.step = 3;
    cancel.begun = cancel.ended = ms(at);
    story.trace.clients.insert(story.trace.clients.end() - 1, cancel);
    const auto findings = judge({story.scenario, story.trace, {Duration::zero()}});
    return std::any_of(findings.begin(), findings.end(), [](const Finding& finding) {
      return finding.what.find("after it was cancelled") != std::string::npos;
    });
  };
  CHECK(cancelled_at(7.2));        // b's call goes on till 7.6
  CHECK_FALSE(cancelled_at(7.6));  // it was over
  CHECK_FALSE(cancelled_at(7.9));  // between two steps
}

TEST_CASE("oracle: cancels: an execution that is cancelled between two parts goes on no further") {
  const auto goes_on = [](double at) {
    Story story = told("good");
    story.trace.pool.clear();
    execute_as_b(story);
    cancel_b(story, at);
    const auto findings = findings_at_once(story);
    return std::ranges::any_of(findings, [](const Finding& finding) {
      return finding.what.find("after it was cancelled") != std::string::npos;
    });
  };
  CHECK_FALSE(goes_on(6));    // it had not begun
  CHECK(goes_on(6.1));        // during its checkout
  CHECK(goes_on(6.5));        // between its checkout and its call
  CHECK(goes_on(7.2));        // during its call
  CHECK_FALSE(goes_on(8.2));  // it was over
}

TEST_CASE("oracle: pairing: no request number is used twice for one worker") {
  Story story = told("good");
  for (auto& record : story.trace.workers) {
    if (record.record.nonce == "b:1") record.record.id = 1;
  }
  CHECK(broken(story) == Names{"pairing"});
}

TEST_CASE("oracle: pipes: a worker that had ended before is found so before a byte is written") {
  const auto ended = [](Outcome outcome, Phase phase) {
    Story story = call_of_b(outcome, phase, "with code 0");
    for (auto& record : story.trace.workers) {
      if (record.record.kind == Kind::exiting) record.at = ms(6.5);
    }
    return broken_at_once(story).contains("diagnosis");
  };
  CHECK(ended(Outcome::worker_died, Phase::awaiting_reply));
  Story closed = told("good");
  strike(closed, "stdout_closed", 7.3, 2);
  step(closed, "b", 1).ended = ms(7.3 + 250.001);
  CHECK(broken_at_once(closed).contains("prompt_death"));
}

}  // namespace
}  // namespace poolproof::oracle
