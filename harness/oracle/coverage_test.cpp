#include "harness/oracle/coverage.hpp"

#include "harness/oracle/judge.hpp"
#include "harness/oracle/oracle_testing.hpp"

namespace poolproof::oracle {
namespace {

using Kind = faults::JournalRecord::Kind;
using enum WorkerPhase;

Coverage coverage(const Evidence& evidence) {
  Judge judge;
  judge.judge(evidence);
  return judge.coverage();
}

std::size_t row(std::string_view fault) {
  const faults::Fault* found = faults::find(fault);
  REQUIRE(found != nullptr);
  return static_cast<std::size_t>(found - faults::catalogue().data());
}

/// The good story with a receipt of that fault at that time, behind what came by then.
Story struck(const std::string& fault, double at, std::optional<std::uint64_t> request) {
  Story story = told("good");
  trace::WorkerRecord receipt;
  receipt.at = ms(at);
  receipt.record.kind = Kind::receipt;
  receipt.record.fault = fault;
  receipt.record.request = request;
  const auto behind =
      std::find_if(story.trace.workers.begin(), story.trace.workers.end(),
                   [&receipt](const auto& record) { return record.at > receipt.at; });
  story.trace.workers.insert(behind, receipt);
  return story;
}

/// Where it struck, and nowhere else.
bool strikes_only(const Story& story, std::string_view fault, WorkerPhase phase, PoolMood mood) {
  Coverage expected;
  expected.strike({row(fault), phase, mood});
  Coverage found = coverage(story.evidence());
  for (std::size_t mark = 0; mark < kMarks; ++mark) {
    if (found.seen(static_cast<Mark>(mark))) expected.see(static_cast<Mark>(mark));
  }
  return found == expected;
}

TEST_CASE("oracle: coverage: the phase is told by what is in hand, the mood by the self_report") {
  using enum PoolMood;
  const auto cell = [](const std::string& fault, double at, std::optional<std::uint64_t> request,
                       WorkerPhase phase, PoolMood mood) {
    INFO(fault << " at " << at);
    CHECK(strikes_only(struck(fault, at, request), fault, phase, mood));
  };
  cell("start_fails", 1.5, {}, starting, queueing);
  cell("start_fails", 9.4, {}, leaving, closing);
  cell("import_slow", 2.5, {}, starting, queueing);
  cell("reading_stopped", 2.6, 0, starting, queueing);
  cell("reading_stopped", 3.3, 1, handshake, queueing);
  cell("reply_slow", 3.1, 0, handshake, queueing);
  cell("text_while_idle", 3.3, 0, handshake, queueing);
  cell("reply_dropped", 4.3, 1, in_call, busy);
  cell("text_while_idle", 4.5, 1, in_call, busy);
  cell("text_while_idle", 5.5, 1, idle, spare);
  cell("term_ignored", 9.4, {}, leaving, closing);
  cell("reply_slow", 9.4, 3, leaving, closing);
}

TEST_CASE("oracle: coverage: at equal times the pool's order that caused the strike is earlier") {
  using enum PoolMood;
  Story granted = struck("reply_dropped", 6.1, 2);
  for (auto& record : granted.trace.workers) {
    if (record.record.nonce == "b:1") record.at = ms(6.1);
  }
  std::stable_sort(granted.trace.workers.begin(), granted.trace.workers.end(),
                   [](const auto& a, const auto& b) { return a.at < b.at; });
  CHECK(strikes_only(granted, "reply_dropped", in_call, busy));
  CHECK(strikes_only(struck("exit_slow", 9.1, {}), "exit_slow", leaving, closing));
  CHECK(strikes_only(struck("exit_at_start", 1.1, {}), "exit_at_start", starting, queueing));
  // The check-in came at that time too, but the strike needs it not.
  CHECK(strikes_only(struck("text_while_idle", 5.1, 1), "text_while_idle", in_call, busy));
}

TEST_CASE("oracle: coverage: TERM from outside strikes a worker that was not told to go") {
  Story story = struck("exit_code_at_shutdown", 5.5, {});
  story.trace.environment.push_back({ms(5.5), WorkerId{0, 0}, 15, true});
  CHECK(strikes_only(story, "exit_code_at_shutdown", idle, PoolMood::spare));
}

/// With another entry in the worker's journal.
void journal(Story& story, double at, Kind kind) {
  trace::WorkerRecord entry = story.trace.workers.front();
  entry.at = ms(at);
  entry.record = {};
  entry.record.kind = kind;
  const auto place = std::find_if(story.trace.workers.begin(), story.trace.workers.end(),
                                  [&entry](const auto& record) { return record.at >= entry.at; });
  story.trace.workers.insert(place, entry);
}

TEST_CASE("oracle: coverage: a start's TERM and its post-mortem strike before it is told to go") {
  Story early = struck("term_ignored", 2.5, {});
  early.trace.environment.push_back({ms(2.5), WorkerId{0, 0}, 15, true});
  CHECK(strikes_only(early, "term_ignored", starting, PoolMood::queueing));
  Story greeted = struck("stdin_end_ignored", 3.1, {});
  journal(greeted, 3.1, Kind::stdin_end);
  CHECK(strikes_only(greeted, "stdin_end_ignored", handshake, PoolMood::queueing));
}

TEST_CASE("oracle: coverage: only TERM makes a worker leave that nobody told to go") {
  Story story = struck("stdin_end_ignored", 9.1, {});
  story.trace.environment.push_back({ms(5.5), WorkerId{0, 0}, 18, true});
  CHECK(strikes_only(story, "stdin_end_ignored", leaving, PoolMood::closing));
}

TEST_CASE("oracle: coverage: a client's shutdown request is in hand until the worker goes by it") {
  for (const char* fault : {"shutdown_not_obeyed", "stdin_end_ignored", "exit_slow"}) {
    INFO(fault);
    Story story = struck(fault, 7.6, {});
    for (auto& record : story.trace.workers) {
      if (record.record.nonce == "b:1") record.record.command = "shutdown";
    }
    CHECK(strikes_only(story, fault, in_call, PoolMood::busy));
  }
}

TEST_CASE("oracle: coverage: without a ping a worker is leased before it has read anything") {
  Story story = struck("import_slow", 4.2, {});
  CHECK(strikes_only(story, "import_slow", starting, PoolMood::busy));
  story.scenario.pool.opaque = true;
  CHECK(strikes_only(story, "import_slow", in_call, PoolMood::busy));
}

TEST_CASE("oracle: coverage: without self_report no cell is struck") {
  Story story = struck("reply_dropped", 4.3, 1);
  story.trace.pool.clear();
  CHECK(coverage(story.evidence()).count() == 0);
}

TEST_CASE("oracle: coverage: sums count what is new") {
  Coverage sum;
  Coverage one;
  one.strike({3, in_call, PoolMood::busy});
  one.see(Mark::queue_full);
  one.see(Mark::signal_reached_nobody);
  CHECK(one.count() == 3);
  CHECK(sum.add(one) == 3);
  CHECK(sum.add(one) == 0);
  CHECK(sum == one);
  CHECK(sum.struck({3, in_call, PoolMood::busy}));
  CHECK_FALSE(sum.struck({3, in_call, PoolMood::closing}));
  CHECK_FALSE(sum.seen(Mark::late_checkin));
}

TEST_CASE("oracle: coverage: every mark and every situation is called as in the code") {
  CHECK(std::set(kMarkNames.begin(), kMarkNames.end()).size() == kMarks);
  CHECK(kMarkNames.front() == "granted_in_the_last_microsecond");
  CHECK(kMarkNames.back() == "sound_worker_outlasted_grace");
  CHECK(kMarkNames[static_cast<std::size_t>(Mark::kill_was_needed)] == "kill_was_needed");
  CHECK(kWorkerPhaseNames[2] == "in_call");
  CHECK(kPoolMoodNames.back() == "closing");
}

pool::Refuse refusal(std::uint64_t checkout, Outcome why) {
  pool::Refuse refuse;
  refuse.checkout = CheckoutId{checkout};
  refuse.why = why;
  return refuse;
}

constexpr WorkerId kWorker{0, 0};

struct Rare {
  Mark mark;
  void (*apply)(Story&);
};

void at_once(Story& s, double at, pool::Event event, trace::Effects effects = {}) {
  const auto behind = std::find_if(s.trace.pool.begin(), s.trace.pool.end(),
                                   [at](const auto& record) { return record.at > ms(at); });
  s.trace.pool.insert(behind, {ms(at), std::move(event), std::move(effects)});
}

TEST_CASE("oracle: coverage: each rare situation is marked where it is, and not in a usual run") {
  const std::vector<Rare> rares{
      {Mark::granted_in_the_last_microsecond,
       [](Story& s) {
         std::get<pool::CheckoutRequested>(s.trace.pool.front().event).deadline = ms(3.501);
       }},
      {Mark::try_checkout_served,
       [](Story& s) {
         at_once(s, 5.5, pool::CheckoutRequested{CheckoutId{9}, ms(5.5)},
                 {pool::Grant{CheckoutId{9}, LeaseId{9}, WorkerId{0, 0}}});
       }},
      {Mark::try_checkout_refused,
       [](Story& s) {
         at_once(s, 4, pool::CheckoutRequested{CheckoutId{9}, ms(4)},
                 {refusal(9, Outcome::checkout_timeout)});
       }},
      {Mark::deadline_met_checkin,
       [](Story& s) {
         at_once(s, 4, pool::CheckoutRequested{CheckoutId{9}, ms(5.1)});
         at_once(s, 5.1, pool::Tick{}, {refusal(9, Outcome::checkout_timeout)});
       }},
      {Mark::deadline_met_good_start,
       [](Story& s) {
         at_once(s, 2, pool::CheckoutRequested{CheckoutId{9}, ms(3.5)});
         at_once(s, 3.5, pool::Tick{}, {refusal(9, Outcome::checkout_timeout)});
       }},
      {Mark::several_deadlines_at_once,
       [](Story& s) {
         at_once(s, 4, pool::CheckoutRequested{CheckoutId{8}, ms(4.5)});
         at_once(s, 4, pool::CheckoutRequested{CheckoutId{9}, ms(4.5)});
         at_once(s, 4.5, pool::Tick{},
                 {refusal(8, Outcome::checkout_timeout), refusal(9, Outcome::checkout_timeout)});
       }},
      {Mark::queue_full,
       [](Story& s) {
         at_once(s, 4, pool::CheckoutRequested{CheckoutId{9}, ms(9)},
                 {refusal(9, Outcome::queue_full)});
       }},
      {Mark::grant_met_cancel,
       [](Story& s) {
         s.scenario.clients.front().steps.emplace_back(scenario::Cancel{"b"});
         trace::ClientStep cancel;
         cancel.client = s.scenario.clients.front().name;
         cancel.step = static_cast<std::uint32_t>(s.scenario.clients.front().steps.size() - 1);
         cancel.kind = StepKind::cancel;
         cancel.begun = cancel.ended = step(s, "b", 0).ended;
         s.trace.clients.push_back(cancel);
       }},
      {Mark::cancel_met_checkin,
       [](Story& s) {
         at_once(s, 4, pool::CheckoutRequested{CheckoutId{9}, ms(9)});
         at_once(s, 5.1, pool::CheckoutCancelled{CheckoutId{9}}, {refusal(9, Outcome::cancelled)});
       }},
      {Mark::exit_met_checkin,
       [](Story& s) {
         at_once(s, 8.1, pool::Exited{kWorker, {0, 9}});
       }},
      {Mark::exit_met_handshake_end,
       [](Story& s) {
         at_once(s, 3.5, pool::Exited{kWorker, {0, 9}});
       }},
      {Mark::death_in_the_handshake,
       [](Story& s) {
         at_once(s, 3, pool::Exited{kWorker, {0, 9}});
       }},
      {Mark::death_while_leased,
       [](Story& s) {
         at_once(s, 4, pool::Exited{kWorker, {0, 9}});
       }},
      {Mark::death_while_idle,
       [](Story& s) {
         at_once(s, 8.5, pool::Exited{kWorker, {0, 9}});
       }},
      {Mark::unsolicited_output_while_idle,
       [](Story& s) { at_once(s, 8.5, pool::UnsolicitedOutput{kWorker}); }},
      {Mark::late_checkin,
       [](Story& s) {
         at_once(s, 5.5, pool::CheckedIn{LeaseId{1}, true});
       }},
      {Mark::start_budget_spent,
       [](Story& s) {
         at_once(s, 2, pool::Tick{});
         s.scenario.pool.core.startup_budget = Duration(900);
       }},
      {Mark::start_answered_after_given_up,
       [](Story& s) { s.scenario.pool.core.startup_budget = Duration(900); }},
      {Mark::handshake_ended_after_given_up,
       [](Story& s) { s.scenario.pool.core.startup_budget = Duration(900); }},
      {Mark::breaker_opened,
       [](Story& s) {
         s.scenario.pool.core.startup_budget = Duration(900);
         s.scenario.pool.core.breaker_failures = 1;
       }},
      {Mark::close_while_leased, [](Story& s) { at_once(s, 4, pool::CloseRequested{ms(9)}); }},
      {Mark::close_while_in_handshake,
       [](Story& s) { at_once(s, 3, pool::CloseRequested{ms(9)}); }},
      {Mark::close_while_starting, [](Story& s) { at_once(s, 2, pool::CloseRequested{ms(9)}); }},
      {Mark::close_while_waiting, [](Story& s) { at_once(s, 2, pool::CloseRequested{ms(9)}); }},
      {Mark::close_asked_twice, [](Story& s) { at_once(s, 9.2, pool::CloseRequested{ms(9.9)}); }},
      {Mark::lease_revoked_at_drains_end,
       [](Story& s) {
         at_once(s, 7, pool::Tick{},
                 {pool::Stop{kWorker, pool::StopStep::term, pool::RemovalReason::closing}});
       }},
      {Mark::term_sufficed,
       [](Story& s) {
         at_once(s, 9.2, pool::Tick{},
                 {pool::Stop{kWorker, pool::StopStep::term, pool::RemovalReason::closing}});
       }},
      {Mark::kill_was_needed,
       [](Story& s) {
         at_once(s, 9.2, pool::Tick{},
                 {pool::Stop{kWorker, pool::StopStep::term, pool::RemovalReason::closing}});
         at_once(s, 9.3, pool::Tick{},
                 {pool::Stop{kWorker, pool::StopStep::kill, pool::RemovalReason::closing}});
       }},
      {Mark::end_of_stdin_sufficed,
       [](Story& s) {
         at_once(s, 9.2, pool::Tick{},
                 {pool::Stop{kWorker, pool::StopStep::end_of_input, pool::RemovalReason::closing}});
       }},
      {Mark::sound_worker_outlasted_grace,  // it hears at 9.3
       [](Story& s) {
         at_once(s, 9.4, pool::Tick{},
                 {pool::Stop{kWorker, pool::StopStep::end_of_input, pool::RemovalReason::closing}});
       }},
      {Mark::blocking_start_held_back_a_grant,
       [](Story& s) {
         s.scenario.pool.core.init_mode = pool::InitMode::blocking;
         s.scenario.pool.core.size = 2;
         at_once(s, 8.5, pool::Tick{}, {pool::Start{WorkerId{1, 0}}});
         at_once(s, 8.6, pool::CheckoutRequested{CheckoutId{9}, ms(9)});
       }},
      {Mark::starts_max_held_back_a_start,
       [](Story& s) {
         s.scenario.pool.core.starts_max = 1;
         s.scenario.pool.core.size = 2;
         at_once(s, 2, pool::CheckoutRequested{CheckoutId{9}, ms(9)});
       }},
      {Mark::stale_before_the_call,
       [](Story& s) { step(s, "b", 1).outcome = Outcome::stale_worker; }},
      {Mark::returned_twice, [](Story& s) { step(s, "b", 2).outcome = Outcome::lease_over; }},
      {Mark::reply_at_the_deadline, [](Story& s) { step(s, "b", 1).limit = Duration(600); }},
      {Mark::timeout_before_the_first_byte,
       [](Story& s) {
         step(s, "b", 1).outcome = Outcome::call_timeout;
         step(s, "b", 1).written_bytes = 0;
       }},
      {Mark::timeout_met_the_reply,
       [](Story& s) {
         step(s, "b", 1).outcome = Outcome::call_timeout;
         step(s, "b", 1).ended = ms(7.4);
       }},
      {Mark::read_after_its_caller_had_gone,
       [](Story& s) {
         step(s, "b", 1).outcome = Outcome::cancelled;
         step(s, "b", 1).ended = ms(7.1);
       }},
      {Mark::signal_reached_nobody,
       [](Story& s) {
         s.trace.environment.push_back({ms(5), kWorker, 9, false});
       }},
  };
  Coverage usual;
  usual.see(Mark::asking_sufficed);
  CHECK(coverage(told("good").evidence()) == usual);
  for (const Rare& rare : rares) {
    INFO(kMarkNames[static_cast<std::size_t>(rare.mark)]);
    Story story = told("good");
    rare.apply(story);
    CHECK(coverage(story.evidence()).seen(rare.mark));
  }
}

TEST_CASE("oracle: coverage: who did not hear in time, or was struck, did not outlast its grace") {
  const auto outlasted = [](double pushed_on, bool struck) {
    Story story = told("good");
    at_once(story, pushed_on, pool::Tick{},
            {pool::Stop{kWorker, pool::StopStep::end_of_input, pool::RemovalReason::closing}});
    if (struck) story.trace.environment.push_back({ms(5), kWorker, 18, true});
    return coverage(story.evidence()).seen(Mark::sound_worker_outlasted_grace);
  };
  CHECK(outlasted(9.4, false));
  CHECK_FALSE(outlasted(9.3, false));
  CHECK_FALSE(outlasted(9.4, true));
}

TEST_CASE("oracle: coverage: a cell is struck, or missing, or cannot be, and has its reason") {
  using enum PoolMood;
  const auto cannot = [](const char* fault, WorkerPhase phase, PoolMood mood) {
    return !reason_it_cannot_be(*faults::find(fault), phase, mood).empty();
  };
  CHECK(cannot("exit_at_start", handshake, busy));
  CHECK(cannot("exit_at_start", idle, spare));
  CHECK_FALSE(cannot("exit_at_start", starting, busy));
  CHECK(cannot("exit_at_start", starting, closing));
  CHECK(cannot("start_fails", handshake, busy));
  CHECK(cannot("start_fails", in_call, queueing));
  CHECK(cannot("start_fails", idle, spare));
  CHECK(cannot("start_fails", starting, closing));
  CHECK_FALSE(cannot("start_fails", starting, breaker_open));
  CHECK_FALSE(cannot("start_fails", leaving, closing));
  CHECK(cannot("reply_dropped", starting, busy));
  CHECK(cannot("reply_dropped", idle, spare));
  CHECK_FALSE(cannot("reply_dropped", leaving, closing));
  CHECK(cannot("text_while_idle", idle, busy));
  CHECK_FALSE(cannot("text_while_idle", idle, queueing));
  CHECK(cannot("shutdown_not_obeyed", handshake, queueing));
  CHECK_FALSE(cannot("term_ignored", idle, spare));
  std::size_t open = 0;
  for (const faults::Fault& fault : faults::catalogue()) {
    std::size_t of_fault = 0;
    for (std::size_t cell = 0; cell < 25; ++cell) {
      const auto phase = static_cast<WorkerPhase>(cell / 5);
      const auto mood = static_cast<PoolMood>(cell % 5);
      of_fault += reason_it_cannot_be(fault, phase, mood).empty() ? 1U : 0U;
    }
    INFO(fault.name);
    CHECK(of_fault >= 9);
    open += of_fault;
  }
  CHECK(open < faults::catalogue().size() * 25);
}

TEST_CASE("oracle: coverage: of a leased worker that was never started nothing is told") {
  Story story = told("good");
  at_once(story, 8.5, pool::Tick{}, {pool::Grant{CheckoutId{9}, LeaseId{9}, WorkerId{7, 3}}});
  Story revoked = story;
  at_once(revoked, 8.6, pool::LeaseRevoked{LeaseId{9}});
  CHECK(coverage(revoked.evidence()) == coverage(told("good").evidence()));
  at_once(story, 8.6, pool::CheckedIn{LeaseId{9}, true});
  CHECK(coverage(story.evidence()).seen(Mark::late_checkin));
  CHECK_FALSE(coverage(story.evidence()).seen(Mark::exit_met_checkin));
}

}  // namespace
}  // namespace poolproof::oracle
