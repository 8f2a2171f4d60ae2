#include <filesystem>

#include "harness/oracle/descriptors.hpp"
#include "harness/oracle/oracle_testing.hpp"

namespace poolproof::oracle {
namespace {

using Names = std::set<std::string>;

TEST_CASE("oracle: good trace: no invariant is broken and every expectation is met") {
  const Story story = told("good");
  REQUIRE(story.trace.clients.size() == 7);
  REQUIRE_FALSE(story.trace.pool.empty());
  CHECK(broken(story).empty());
  CHECK(judge_expectations(story.evidence()).empty());
}

TEST_CASE("oracle: bad traces: each turns its own invariant red and no other") {
  for (const Invariant& invariant : invariants()) {
    const std::string name(invariant.name);
    INFO(name);
    CHECK(broken(told(name)) == Names{name});
  }
}

TEST_CASE("oracle: bad traces: there is none that no invariant is named after") {
  Names names{"good"};
  for (const Invariant& invariant : invariants()) names.emplace(invariant.name);
  for (const auto& entry : std::filesystem::directory_iterator(POOLPROOF_BAD_TRACES)) {
    CHECK(names.contains(entry.path().stem().string()));
  }
}

TEST_CASE("oracle: table: names are unique and every row is complete") {
  Names names;
  for (const Invariant& invariant : invariants()) {
    CHECK(names.emplace(invariant.name).second);
    CHECK_FALSE(invariant.code.empty());
    CHECK_FALSE(invariant.summary.empty());
  }
  CHECK(names.size() == 27);
}

TEST_CASE("oracle: self-report: without it only the rules that need it are skipped") {
  Story order = told("order");
  order.trace.pool.clear();
  CHECK(broken(order).empty());
  for (const Invariant& invariant : invariants()) {
    if (invariant.needs_self_report()) continue;
    Story story = told(std::string(invariant.name));
    story.trace.pool.clear();
    CHECK_FALSE(broken(story).empty());
  }
}

TEST_CASE("oracle: findings: are safe on a terminal") {
  Story story = told("no_survivors");
  story.trace.os.back().survivors = {"pid 1 (\x1b[31mred\n)"};
  const auto findings = judge(story.evidence());
  REQUIRE(findings.size() == 1);
  CHECK(findings[0].what.find('\x1b') == std::string::npos);
  CHECK(findings[0].what.find('\n') == std::string::npos);
}

/// Small changes to the good trace and what they break: the rules' further halves.
struct Change {
  const char* what;
  void (*apply)(Story&);
  Names broken;
};

void without_self_report(Story& story) {
  story.trace.pool.clear();
}

pool::Refuse refusal(std::uint64_t checkout) {
  pool::Refuse refuse;
  refuse.checkout = CheckoutId{checkout};
  refuse.why = Outcome::checkout_timeout;
  return refuse;
}

TEST_CASE("oracle: rules: each half of a rule speaks for itself") {
  const std::vector<Change> changes{
      {"a worker reads a stranger's call within a lease",
       [](Story& s) {
         without_self_report(s);
         step(s, "a", 2).begun = ms(4.9);
         for (auto& record : s.trace.workers) {
           if (record.record.nonce == "b:1") record.at = ms(4.8);
         }
         step(s, "b", 1).begun = ms(4.7);
         step(s, "b", 0).begun = ms(3.0);
         step(s, "b", 0).ended = ms(4.65);
         step(s, "b", 0).worker.reset();
       },
       {"exclusive_lease"}},
      {"a call is read by another worker than the leased one",
       [](Story& s) {
         without_self_report(s);
         step(s, "b", 0).worker = step(s, "b", 1).worker = step(s, "b", 2).worker = WorkerId{0, 1};
       },
       {"pairing"}},
      {"a reply comes before the read",
       [](Story& s) {
         for (auto& record : s.trace.workers) {
           if (record.record.nonce == "b:1") record.at = ms(7.9);
         }
       },
       {"pairing"}},
      {"a call is read before it is sent",
       [](Story& s) {
         for (auto& record : s.trace.workers) {
           if (record.record.nonce == "b:1") record.at = ms(6.9);
         }
       },
       {"pairing"}},
      {"a step ends twice",
       [](Story& s) { s.trace.clients.push_back(step(s, "b", 2)); },
       {"one_outcome"}},
      {"a call ends with an outcome of a checkout",
       [](Story& s) {
         step(s, "b", 1).outcome = Outcome::queue_full;
         step(s, "b", 1).message = "?";
       },
       {"one_outcome"}},
      {"a client that nobody knows",
       [](Story& s) {
         trace::ClientStep strange = step(s, "b", 2);
         strange.client = "x";
         s.trace.clients.push_back(strange);
       },
       {"one_outcome"}},
      {"a thrower's worker is used again although it must be discarded",
       [](Story& s) {
         s.scenario.pool.on_exception = pool::OnException::discard;
         s.scenario.clients[0].steps[2] = scenario::Throw{};
         step(s, "a", 2).kind = StepKind::thrown;
       },
       {"no_dirty_reuse"}},
      {"the same, when the pool may keep it",
       [](Story& s) {
         s.scenario.clients[0].steps[2] = scenario::Throw{};
         step(s, "a", 2).kind = StepKind::thrown;
       },
       {}},
      {"a stale worker is leased again",
       [](Story& s) {
         without_self_report(s);
         step(s, "a", 1).outcome = Outcome::stale_worker;
         step(s, "a", 1).message = "it had ended";
       },
       {"no_dirty_reuse", "isolation"}},
      {"a call that timed out before anything was written costs no worker",
       [](Story& s) {
         auto& call = step(s, "a", 1);
         call.outcome = Outcome::call_timeout;
         call.message = "nothing written";
         call.retryable = true;
         call.limit = Duration{500};
         call.written_bytes = 0;
         std::erase_if(s.trace.workers,
                       [](const auto& record) { return record.record.nonce == "a:1"; });
       },
       {}},
      {"a call is sent before the ping is answered",
       [](Story& s) {
         std::erase_if(s.trace.workers, [](const auto& record) {
           return record.record.kind == faults::JournalRecord::Kind::wrote &&
                  record.record.request == 0U;
         });
       },
       {"gate"}},
      {"a call is sent to a worker whose first request was no ping",
       [](Story& s) {
         for (auto& record : s.trace.workers) {
           if (record.record.command == "ping") record.record.command = "stats";
         }
       },
       {"gate"}},
      {"a call is sent though the ping was answered with an error",
       [](Story& s) {
         plan(s, "error_reply");
         strike(s, "error_reply", 3.1, 0);
       },
       {"gate"}},
      {"a call is sent though the answer to the ping had another shape",
       [](Story& s) {
         plan(s, "reply_reshaped");
         strike(s, "reply_reshaped", 3.1, 0);
       },
       {"gate"}},
      {"a dead worker's error tells no exit",
       [](Story& s) {
         without_self_report(s);
         auto& call = step(s, "b", 1);
         call.outcome = Outcome::worker_died;
         call.message = "it is gone";
       },
       {"diagnosis", "isolation"}},
      {"a failed start names no cause",
       [](Story& s) {
         without_self_report(s);
         auto& checkout = step(s, "b", 0);
         checkout.outcome = Outcome::start_failed;
         checkout.message = "it did not start";
         checkout.worker.reset();
       },
       {"diagnosis"}},
      {"a timeout comes before its limit",
       [](Story& s) {
         auto& call = step(s, "b", 1);
         call.outcome = Outcome::call_timeout;
         call.message = "no reply";
       },
       {"deadlines"}},
      {"a check-in hangs", [](Story& s) { step(s, "b", 2).ended += 6s; }, {"deadlines"}},
      {"close takes longer than its limit",
       [](Story& s) { step(s, "", 0).ended += 11s; },
       {"bounded_close"}},
      {"a waiter is let wait while the pool closes",
       [](Story& s) {
         without_self_report(s);
         auto& checkout = step(s, "b", 0);
         checkout.outcome = Outcome::pool_closed;
         checkout.message = "closed";
         checkout.limit = 60s;
         checkout.ended = ms(5100);
         step(s, "b", 1).skipped = step(s, "b", 2).skipped = true;
         for (std::uint32_t i : {1U, 2U}) step(s, "b", i).begun = step(s, "b", i).ended = ms(5100);
         std::erase_if(s.trace.workers,
                       [](const auto& record) { return record.record.nonce == "b:1"; });
       },
       {"bounded_close"}},
      {"the census after the pool is missing",
       [](Story& s) { s.trace.os.pop_back(); },
       {"witnesses"}},
      {"a call that was read is told to be safe to ask again",
       [](Story& s) {
         step(s, "b", 1).outcome = Outcome::worker_error;
         step(s, "b", 1).message = "no";
         step(s, "b", 1).retryable = true;
       },
       {"at_most_once", "isolation"}},
      {"the pool granted no such lease",
       [](Story& s) { step(s, "b", 0).lease = LeaseId{9}; },
       {"witnesses"}},
      {"the pool takes a worker in doubt as clean",
       [](Story& s) { step(s, "b", 1).in_doubt = true; },
       {"witnesses"}},
      {"a worker reads a call that no client made",
       [](Story& s) {
         auto read = s.trace.workers[1];
         read.at = ms(8.5);
         read.record.nonce = "z:1";
         read.record.id = 4;
         s.trace.workers.push_back(read);
       },
       {"witnesses"}},
      {"a checkout is answered twice",
       [](Story& s) {
         s.trace.pool.back().effects.insert(s.trace.pool.back().effects.begin(), refusal(2));
       },
       {"accounting"}},
      {"a checkout is never answered",
       [](Story& s) {
         s.trace.pool.insert(s.trace.pool.end() - 1,
                             {ms(9.5), pool::CheckoutRequested{CheckoutId{3}, ms(100)}, {}});
       },
       {"accounting"}},
      {"a leased worker is granted",
       [](Story& s) { std::erase_if(s.trace.pool, [](const auto& r) { return r.at == ms(5.1); }); },
       {"accounting"}},
      {"the pool is never closed",
       [](Story& s) { s.trace.pool.back().effects.pop_back(); },
       {"accounting"}},
      {"a vacant slot stays vacant beside a waiter",
       [](Story& s) {
         s.trace.pool.front().effects.clear();
         s.trace.pool.insert(s.trace.pool.begin() + 1,
                             {ms(1.2), pool::Tick{}, {pool::Start{WorkerId{0, 0}}}});
         std::get<pool::BeginHandshake>(s.trace.pool[2].effects[0]).deadline = ms(5001.2);
       },
       {"no_waiter_beside_idle"}},
  };
  for (const Change& change : changes) {
    INFO(change.what);
    Story story = told("good");
    change.apply(story);
    CHECK(broken(story) == change.broken);
  }
}

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

TEST_CASE("oracle: gate: what one fault spoils another may make good again") {
  const auto struck = [](std::vector<std::string> faults) {
    Story story = told("good");
    for (const std::string& fault : faults) {
      plan(story, fault.c_str());
      strike(story, fault.c_str(), 3.1, 0);
    }
    return broken(story).contains("gate");
  };
  CHECK(struck({"json_invalid"}));
  CHECK(struck({"id_text"}));
  CHECK_FALSE(struck({"json_invalid", "length_too_long", "text_while_idle"}));
  CHECK_FALSE(struck({"id_text", "id_wrong", "id_wrong"}));
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

/// The good story, and then the quiescent with that many workers.
Story quiescent(std::uint32_t workers, pool::StartMode start = pool::StartMode::lazy) {
  Story story = told("full_size");
  story.scenario.pool.core.start = start;
  for (auto& census : story.trace.os) {
    if (census.when != "quiescent") continue;
    census.zombies = 0;
    census.children = 1 + workers;
    census.descriptors = 12 + kHostNeed.pool + kHostNeed.worker * workers;
  }
  return story;
}

TEST_CASE(
    "oracle: descriptors: in quiescence the pool holds no more than its living workers need") {
  for (const std::uint32_t workers : {0U, 1U}) {
    Story story = quiescent(workers);
    CHECK(broken(story).empty());
    auto& census = story.trace.os.at(1);
    REQUIRE(census.when == "quiescent");
    ++census.descriptors;
    CHECK(broken(story) == Names{"descriptors"});
    census.descriptors -= 2;
    CHECK(broken(story).empty());
  }
}

TEST_CASE("oracle: descriptors: the simulated pool counts nothing but its ends of the pipes") {
  Story story = quiescent(1);
  story.trace.header.world = "sim";
  story.trace.os.at(1).descriptors = 12 + 3;
  CHECK_FALSE(broken(story).contains("descriptors"));
  ++story.trace.os.at(1).descriptors;
  CHECK(broken(story).contains("descriptors"));
}

TEST_CASE("oracle: full size: an eager pool is whole, a lazy one no larger, a closed one empty") {
  using pool::StartMode;
  CHECK(broken(quiescent(1)).empty());
  CHECK(broken(quiescent(0)).empty());
  CHECK(broken(quiescent(2)) == Names{"full_size"});
  CHECK(broken(quiescent(1, StartMode::eager)).empty());
  CHECK(broken(quiescent(0, StartMode::eager)) == Names{"full_size"});
  const auto closed = [](std::uint32_t workers) {
    Story story = quiescent(workers, StartMode::eager);
    trace::ClientStep close = step(story, "", 0);
    close.client = "b";
    close.step = 3;
    close.begun = close.ended = ms(8.5);
    story.scenario.clients[1].steps.emplace_back(scenario::Close{});
    story.trace.clients.insert(std::prev(story.trace.clients.end()), close);
    return broken(story);
  };
  CHECK(closed(0).empty());
  CHECK(closed(1) == Names{"full_size"});
}

TEST_CASE("oracle: full size: what the pool notices after quiescence is no finding") {
  Story story = quiescent(1);
  const auto noticed = [&](Time at) {
    Story changed = story;
    changed.trace.pool.insert(std::prev(changed.trace.pool.end(), 2),
                              {at, pool::CheckoutRequested{CheckoutId{3}, ms(9)}, {}});
    changed.trace.pool[changed.trace.pool.size() - 2].effects.push_back(refusal(3));
    return broken(changed).contains("full_size");
  };
  CHECK(noticed(ms(8.8)));
  CHECK_FALSE(noticed(ms(8.95)));
}

TEST_CASE("oracle: full size: nobody waits or holds a worker when nothing is left to happen") {
  Story waits = quiescent(1);
  waits.trace.pool.insert(std::prev(waits.trace.pool.end(), 2),
                          {ms(8.7), pool::CheckoutRequested{CheckoutId{3}, ms(9)}, {}});
  waits.trace.pool[waits.trace.pool.size() - 2].effects.push_back(refusal(3));
  CHECK(broken(waits).contains("full_size"));
  Story leased = quiescent(1);
  std::erase_if(leased.trace.pool, [](const auto& record) { return record.at == ms(8.1); });
  CHECK(broken(leased) == Names{"full_size", "ladder"});  // and asked though it was leased
}

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

TEST_CASE("oracle: one_outcome: each of a counted client is looked at by its own name") {
  const auto with_names = [](const std::string& first, const std::string& second) {
    Story story = told("good");
    story.scenario.clients.front().count = 2;
    story.scenario.clients.pop_back();
    for (trace::ClientStep& one : story.trace.clients) {
      if (one.client == "a") one.client = first;
      if (one.client == "b") one.client = second;
    }
    return story;
  };
  CHECK_FALSE(broken(with_names("a.1", "a.2")).contains("one_outcome"));
  CHECK_FALSE(broken(with_names("a.2", "a.1")).contains("one_outcome"));
  for (const std::string stranger : {"a", "a.0", "a.02", "a.3", "a.2x", "a.", "b.2", "a.1"}) {
    CHECK(broken(with_names("a.1", stranger)).contains("one_outcome"));
  }
  Story story = with_names("a.1", "a.2");
  std::erase_if(story.trace.clients, [](const auto& one) { return one.client == "a.2"; });
  CHECK(broken(story).contains("one_outcome"));
}

}  // namespace
}  // namespace poolproof::oracle
