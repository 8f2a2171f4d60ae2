#include "harness/oracle/oracle_testing.hpp"

/// Rules that need one clock, or the pool's own report: there nothing may be late.
namespace poolproof::oracle {
namespace {

using Names = std::set<std::string>;

/// Findings as the simulator judges: no lateness, one clock.
Names broken_in_virtual_time(const Story& story) {
  Names names;
  for (const Finding& finding : judge({story.scenario, story.trace, {Duration::zero()}})) {
    UNSCOPED_INFO(finding.invariant << ": " << finding.what);
    names.insert(finding.invariant);
  }
  return names;
}

/// The good trace with everything that one step causes at the very time of its cause.
Story good_at_once() {
  Story story = told("good");
  for (auto& client : story.trace.clients) {
    const bool waits = client.kind == StepKind::checkout && client.client == "a";
    if (client.kind == StepKind::checkin)
      client.begun = client.ended = client.client == "a" ? ms(5.1) : ms(8.1);
    if (client.kind == StepKind::checkout && !waits) client.begun = client.ended = ms(6.1);
    if (waits) client.begun = ms(1.1);
    if (waits) client.ended = ms(3.5);
    if (client.kind == StepKind::close) client.begun = ms(9.1);
    if (client.kind == StepKind::close) client.ended = ms(10.0);
  }
  for (auto& record : story.trace.workers) {
    if (record.record.nonce == "a:1") record.at = step(story, "a", 1).begun;
    if (record.record.nonce == "b:1") record.at = step(story, "b", 1).begun;
    if (record.record.kind == faults::JournalRecord::Kind::wrote && record.record.request == 2U) {
      record.at = step(story, "b", 1).ended;
    }
  }
  return story;
}

TEST_CASE("oracle: virtual time: cause and effect may share a moment") {
  CHECK(broken_in_virtual_time(good_at_once()).empty());
}

TEST_CASE("oracle: virtual time: no microsecond is given away") {
  const std::vector<Change> changes{
      {"a waiter is served at its deadline",
       [](Story& s) { step(s, "a", 0).limit = ms(3.5) - ms(1.1); },
       {"deadlines"}},
      {"one microsecond before it",
       [](Story& s) { step(s, "a", 0).limit = ms(3.501) - ms(1.1); },
       {}},
      {"who gives no time is served at once",
       [](Story& s) { step(s, "b", 0).limit = Duration::zero(); },
       {}},
      {"a call times out a microsecond before its limit",
       [](Story& s) {
         without_self_report(s);
         auto& call = step(s, "b", 1);
         call.outcome = Outcome::call_timeout;
         call.phase = Phase::awaiting_reply;
         call.message = "no reply";
         call.limit = Duration(601);
         std::erase_if(s.trace.workers, [](const auto& record) {
           return record.record.kind == faults::JournalRecord::Kind::wrote &&
                  record.record.request == 2U;
         });
       },
       {"deadlines"}},
      {"a call is read a microsecond before it is sent",
       [](Story& s) {
         for (auto& record : s.trace.workers) {
           if (record.record.nonce == "b:1") record.at -= Duration(1);
         }
       },
       {"pairing"}},
      {"a worker dies and its call ends a microsecond later",
       [](Story& s) {
         without_self_report(s);
         s.trace.environment.push_back({ms(7.599), WorkerId{0, 0}, 9, true});
         auto& call = step(s, "b", 1);
         call.outcome = Outcome::worker_died;
         call.phase = Phase::awaiting_reply;
         call.message = "signal 9";
         std::erase_if(s.trace.workers, [](const auto& record) {
           return record.record.kind == faults::JournalRecord::Kind::wrote &&
                  record.record.request == 2U;
         });
       },
       {"prompt_death"}},
      {"a worker has died before, and the call takes its time to see it",
       [](Story& s) {
         without_self_report(s);
         s.trace.environment.push_back({ms(6.5), WorkerId{0, 0}, 9, true});
         auto& call = step(s, "b", 1);
         call.outcome = Outcome::stale_worker;
         call.phase = Phase::awaiting_reply;
         call.message = "code 0";
       },
       {"prompt_death"}},
      {"close ends a microsecond after its limit",
       [](Story& s) { step(s, "", 0).limit = ms(9.999) - ms(9.1); },
       {"bounded_close"}},
      {"a checkout is granted a microsecond after the pool began to close",
       [](Story& s) {
         without_self_report(s);
         step(s, "", 0).begun = ms(6.099);
       },
       {"bounded_close"}},
      {"a dirty worker is asked again within its lease, at once",
       [](Story& s) {
         without_self_report(s);
         auto again = step(s, "b", 1);
         auto& call = step(s, "b", 1);
         call.in_doubt = true;
         again.begun = again.ended = call.ended;
         again.step = 2;
         again.nonce = "b:2";
         again.reply_nonce = "b:2";
         step(s, "b", 2).step = 3;
         s.scenario.clients[1].steps.insert(s.scenario.clients[1].steps.begin() + 2,
                                            s.scenario.clients[1].steps[1]);
         s.trace.clients.insert(std::prev(s.trace.clients.end(), 2), again);
         auto read = s.trace.workers[5];
         read.at = call.ended;
         read.record.nonce = "b:2";
         read.record.id = 4;
         s.trace.workers.push_back(read);
       },
       {"no_dirty_reuse"}},
  };
  for (const Change& change : changes) {
    INFO(change.what);
    Story story = good_at_once();
    change.apply(story);
    CHECK(broken_in_virtual_time(story) == change.broken);
  }
}

TEST_CASE("oracle: self-report: deadlines and bounds are held to the microsecond in both worlds") {
  const auto requested = [](Story& s) -> pool::CheckoutRequested& {
    return std::get<pool::CheckoutRequested>(s.trace.pool.front().event);
  };
  Story late = told("good");
  requested(late).deadline = ms(3.5);
  CHECK(broken(late) == Names{"deadlines"});
  requested(late).deadline = ms(3.501);
  CHECK(broken(late).empty());

  Story early = told("good");
  const auto refused_at = [&early](double at, Outcome why) {
    pool::Refuse refuse = refusal(3);
    refuse.why = why;
    early = told("good");
    early.trace.pool.insert(early.trace.pool.begin() + 1,
                            {ms(1.2), pool::CheckoutRequested{CheckoutId{3}, ms(2)}, {}});
    early.trace.pool.insert(early.trace.pool.begin() + 2, {ms(at), pool::Tick{}, {refuse}});
    return broken(early);
  };
  CHECK(refused_at(2, Outcome::checkout_timeout).empty());
  CHECK(refused_at(1.999, Outcome::checkout_timeout) == Names{"deadlines"});
  CHECK(refused_at(1.5, Outcome::queue_full) == Names{"bounds"});
  early.scenario.pool.core.waiters_max = 1;
  CHECK(broken(early) == Names{"bounds"});  // both wait: one too many, so that it is full
  Story elsewhere = told("good");
  elsewhere.trace.pool.insert(elsewhere.trace.pool.end() - 2,
                              {ms(8.5), pool::Tick{}, {pool::Start{WorkerId{7, 0}}}});
  elsewhere.trace.pool.insert(
      elsewhere.trace.pool.end() - 2,
      {ms(8.6), pool::StartFailed{WorkerId{7, 0}, 2}, {pool::Forget{WorkerId{7, 0}}}});
  CHECK(broken(elsewhere) == Names{"bounded_starts", "bounds"});  // and started for nobody
}

/// Whether something is found that says so.
bool says(const Story& story, std::string_view what) {
  const auto findings = judge(story.evidence());
  return std::any_of(findings.begin(), findings.end(), [what](const Finding& finding) {
    return finding.what.find(what) != std::string::npos;
  });
}

TEST_CASE(
    "oracle: self-report: who gives no time has an idle worker, or hears of the open breaker") {
  const auto turned_away = [](double at, std::string_view what) {
    Story story = told("good");
    pool::Refuse refuse = refusal(3);
    refuse.phase = Phase::queued;
    auto& pool = story.trace.pool;
    const auto later = std::find_if(pool.begin(), pool.end(),
                                    [at](const auto& record) { return record.at > ms(at); });
    pool.insert(later, {ms(at), pool::CheckoutRequested{CheckoutId{3}, ms(at)}, {refuse}});
    return says(story, what);
  };
  CHECK(turned_away(5.5, "turned away beside an idle worker"));
  CHECK_FALSE(turned_away(4.5, "turned away beside an idle worker"));  // it was leased

  const auto told_at = [](double at, Outcome why) {
    Story story = told("good");
    story.scenario.pool.core.breaker_failures = 1;
    story.scenario.pool.core.breaker_open = std::chrono::milliseconds(10);
    pool::Refuse refuse = refusal(3);
    refuse.why = why;
    story.trace.pool.resize(1);
    story.trace.pool.push_back(
        {ms(2), pool::StartFailed{WorkerId{0, 0}, 2}, {pool::Forget{WorkerId{0, 0}}}});
    story.trace.pool.push_back({ms(at), pool::CheckoutRequested{CheckoutId{3}, ms(at)}, {refuse}});
    return says(story, "no worker lives and the breaker is open");
  };
  CHECK(told_at(11.9, Outcome::checkout_timeout));
  CHECK_FALSE(told_at(12, Outcome::checkout_timeout));  // half open
  CHECK_FALSE(told_at(11.9, Outcome::start_failed));
}

TEST_CASE("oracle: self-report: the start that is in the way is the one that was ordered first") {
  const auto blames = [](WorkerId worker, double since) {
    Story story = told("good");
    story.scenario.pool.core.size = 2;
    pool::Refuse refuse = refusal(3);
    refuse.phase = Phase::starting;
    refuse.has_blocker = true;
    refuse.blocker = worker;
    refuse.since = ms(since);
    auto& pool = story.trace.pool;
    pool.insert(
        pool.begin() + 1,
        {ms(1.2), pool::CheckoutRequested{CheckoutId{3}, ms(2)}, {pool::Start{WorkerId{1, 0}}}});
    pool.insert(pool.begin() + 2, {ms(2), pool::Tick{}, {refuse}});
    return says(story, "another start had been ordered before");
  };
  CHECK_FALSE(blames({0, 0}, 1.1));
  CHECK(blames({1, 0}, 1.2));
}

TEST_CASE("oracle: self-report: a deadline comes before the end of a start at the same time") {
  const auto told_too_much = [](double deadline) {
    Story story = told("good");
    story.scenario.pool.core.startup_budget = std::chrono::milliseconds(5);
    pool::Refuse refuse = refusal(1);
    refuse.why = Outcome::start_failed;
    story.trace.pool.resize(1);
    std::get<pool::CheckoutRequested>(story.trace.pool[0].event).deadline = ms(deadline);
    story.trace.pool.push_back({ms(6.5), pool::Tick{}, {refuse}});
    return says(story, "no start had failed by its deadline");
  };
  CHECK(told_too_much(6));
  CHECK(told_too_much(6.1));  // when its start is given up
  CHECK_FALSE(told_too_much(6.101));
}

}  // namespace
}  // namespace poolproof::oracle
