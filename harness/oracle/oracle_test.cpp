#include <filesystem>

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

TEST_CASE(
    "oracle: overkill: a worker that is not greeted is as old as its spawn, not its journal") {
  const auto is_blamed = [](wire::Speech speech, int ms_max, bool lifetime) {
    Story story =
        told("no_overkill");  // its pool is there from 0 ms on, its worker from 2.5 to 5.5
    story.scenario.pool.speech = speech;
    auto& core = story.scenario.pool.core;
    core.lifetime_jitter_percent = 0;
    (lifetime ? core.max_lifetime : core.idle_timeout) = std::chrono::milliseconds(ms_max);
    // Nobody has leased it.
    if (!lifetime) std::erase_if(story.trace.clients, [](auto& one) { return one.client == "a"; });
    const auto findings = findings_at_once(story);
    return std::ranges::any_of(findings, [](const Finding& finding) {
      return finding.what.find("worker 0.0 was put away") != std::string::npos;
    });
  };
  for (const bool lifetime : {true, false}) {
    CHECK(is_blamed(wire::Speech::bridge, 4, lifetime));
    CHECK_FALSE(is_blamed(wire::Speech::bridge, 3, lifetime));
    CHECK_FALSE(is_blamed(wire::Speech::json_rpc, 4, lifetime));
    CHECK(is_blamed(wire::Speech::json_rpc, lifetime ? 6 : 60, lifetime));
  }
}

}  // namespace
}  // namespace poolproof::oracle
