#include "harness/oracle/oracle_testing.hpp"

/// Rules that hold the pool's own self-report to what it promises.
namespace poolproof::oracle {
namespace {

using Names = std::set<std::string>;
using pool::RemovalReason;
using pool::StopStep;

/// The good story, in which that happened to the idle or leased worker 0.0.
Story with(double at, const pool::Event& event, trace::Effects effects) {
  Story story = told("good");
  auto& all = story.trace.pool;
  const auto later = [at](const trace::PoolRecord& record) { return record.at > ms(at); };
  all.insert(std::find_if(all.begin(), all.end(), later), {ms(at), event, std::move(effects)});
  return story;
}

pool::Stop stop(StopStep step, RemovalReason why) {
  return {WorkerId{0, 0}, step, why};
}

TEST_CASE("oracle: ladder: rungs come one after the other, each in its time") {
  const auto pushed = [](double at, const pool::Effect& effect) {
    return broken(with(at, pool::Tick{}, {effect})).contains("ladder");
  };
  CHECK(pushed(9.2,
               stop(StopStep::end_of_input, RemovalReason::closing)));  // before the grace was over
  CHECK(pushed(9.2, stop(StopStep::kill, RemovalReason::closing)));     // and not before TERM
  CHECK(pushed(8.5, stop(StopStep::term, RemovalReason::dirty)));       // nobody had returned it so
  CHECK(pushed(8.5, stop(StopStep::term, RemovalReason::closing)));     // nobody closes yet
  CHECK(pushed(8.5, stop(StopStep::kill, RemovalReason::budget_spent)));  // it had started
  CHECK(pushed(8.5, stop(StopStep::ask, RemovalReason::closing)));
}

TEST_CASE("oracle: ladder: whoever is due must be pushed") {
  // The grace of 500 ms was over.
  Story story = told("good");
  story.trace.pool.back().at = ms(600);
  story.trace.pool.insert(story.trace.pool.end() - 1, {ms(509.1), pool::Tick{}, {}});
  CHECK(broken(story).contains("ladder"));
  story.trace.pool[story.trace.pool.size() - 2].at = ms(509.099);
  CHECK_FALSE(broken(story).contains("ladder"));
  Story unsolicited = with(8.5, pool::UnsolicitedOutput{WorkerId{0, 0}}, {});
  CHECK(broken(unsolicited).contains("ladder"));
}

TEST_CASE("oracle: ladder: a closing pool does not ask whom it got back dirty") {
  const auto pushed = [](bool clean, const pool::Effect& effect) {
    Story story = told("good");
    auto& all = story.trace.pool;  // the second lease ends when the close has begun
    all[5] = {ms(8.0), pool::CloseRequested{ms(5009.1)}, {}};
    all[6] = {ms(8.1), pool::CheckedIn{LeaseId{2}, clean}, {effect}};
    return broken(story).contains("ladder");
  };
  CHECK_FALSE(pushed(true, stop(StopStep::ask, RemovalReason::closing)));
  CHECK_FALSE(pushed(false, stop(StopStep::term, RemovalReason::dirty)));
  CHECK(pushed(false, stop(StopStep::ask, RemovalReason::closing)));
}

TEST_CASE("oracle: starts: the budget runs from the order to start") {
  Story story = told("good");
  std::get<pool::BeginHandshake>(story.trace.pool[1].effects[0]).deadline = ms(5002.4);
  CHECK(broken(story) == Names{"deadlines"});
}

TEST_CASE("oracle: starts: a handshake ends when its budgets do") {
  // Ordered at 1.1, with 5000 ms for its start and 300 ms more for its post-mortem.
  const auto late = [](double at, StartCause cause, Duration lateness) {
    Story story = told("good");
    auto& all = story.trace.pool;
    pool::StartEvidence evidence;
    evidence.cause = cause;
    all[2] = {ms(at), pool::HandshakeEnded{WorkerId{0, 0}, evidence}, {}};
    all.resize(3);
    const auto findings = judge({story.scenario, story.trace, {lateness}});
    return std::any_of(findings.begin(), findings.end(), [](const Finding& finding) {
      return finding.what.find("the handshake of worker") != std::string::npos;
    });
  };
  using enum StartCause;
  CHECK_FALSE(late(5001.1, none, Duration::zero()));
  CHECK(late(5001.101, none, Duration::zero()));
  CHECK_FALSE(late(5001.101, none, Duration{1}));
  CHECK_FALSE(late(5301.1, ping_unanswered, Duration::zero()));
  CHECK(late(5301.101, ping_unanswered, Duration::zero()));
}

TEST_CASE("oracle: starts: an eager pool fills its slots at once") {
  Story story = told("good");
  story.scenario.pool.core.start = pool::StartMode::eager;
  CHECK(broken(story).empty());
  story.scenario.pool.core.size = 2;
  CHECK(broken(story) == Names{"full_size"});
}

TEST_CASE("oracle: starts: a suspicion is no verdict before the post-mortem is over") {
  Story story = told("good");
  pool::StartEvidence evidence;
  evidence.cause = StartCause::bad_frame;
  story.trace.pool[2].event = pool::HandshakeEnded{WorkerId{0, 0}, evidence};
  CHECK(broken(story).contains("diagnosis"));
}

/// Two workers become idle, 0.0 first, and then that one is leased.
Names leased_of_two(pool::Reuse reuse, WorkerId leased) {
  Story story = told("good");
  story.scenario.pool.core.size = 2;
  story.scenario.pool.core.reuse = reuse;
  std::vector<trace::PoolRecord> all;
  const WorkerId second{1, 0};
  all.push_back({ms(1), pool::CheckoutRequested{CheckoutId{1}, ms(900)}, {pool::Start{{0, 0}}}});
  all.push_back({ms(1), pool::CheckoutRequested{CheckoutId{2}, ms(900)}, {pool::Start{second}}});
  for (const WorkerId id : {WorkerId{0, 0}, second}) {
    const CheckoutId checkout{id.slot + 1};
    all.push_back({ms(2), pool::Started{id}, {pool::BeginHandshake{id, ms(5001)}}});
    all.push_back(
        {ms(3), pool::HandshakeEnded{id, {}}, {pool::Grant{checkout, LeaseId{id.slot + 2}, id}}});
  }
  all.push_back({ms(4), pool::CheckedIn{LeaseId{2}, true}, {}});
  all.push_back({ms(5), pool::CheckedIn{LeaseId{3}, true}, {}});
  all.push_back({ms(6),
                 pool::CheckoutRequested{CheckoutId{3}, ms(900)},
                 {pool::Grant{CheckoutId{3}, LeaseId{4}, leased}}});
  story.trace.pool = std::move(all);
  return broken(story);
}

TEST_CASE("oracle: order: of several idle workers the config says which is next") {
  using pool::Reuse;
  CHECK_FALSE(leased_of_two(Reuse::last_in_first_out, {1, 0}).contains("order"));
  CHECK(leased_of_two(Reuse::last_in_first_out, {0, 0}).contains("order"));
  CHECK_FALSE(leased_of_two(Reuse::first_in_first_out, {0, 0}).contains("order"));
  CHECK(leased_of_two(Reuse::first_in_first_out, {1, 0}).contains("order"));
}

/// A third client comes while the worker is being started, and is refused like that.
Names refused(const pool::Refuse& refuse) {
  Story story = told("good");
  story.trace.pool.insert(story.trace.pool.begin() + 1,
                          {ms(1.2), pool::CheckoutRequested{CheckoutId{3}, ms(2)}, {}});
  story.trace.pool.insert(story.trace.pool.begin() + 2, {ms(2), pool::Tick{}, {refuse}});
  return broken(story);
}

TEST_CASE("oracle: refusals: name what was in the way") {
  pool::Refuse refuse;
  refuse.checkout = CheckoutId{3};
  refuse.why = Outcome::checkout_timeout;
  refuse.phase = Phase::starting;
  refuse.has_blocker = true;
  refuse.blocker = WorkerId{0, 0};
  refuse.since = ms(1.1);
  CHECK(refused(refuse).empty());
  auto wrong = refuse;
  wrong.phase = Phase::handshake;
  CHECK(refused(wrong) == Names{"diagnosis"});
  wrong = refuse;
  wrong.since = ms(1.2);
  CHECK(refused(wrong) == Names{"diagnosis"});
  wrong = refuse;
  wrong.blocker = WorkerId{0, 1};
  CHECK(refused(wrong) == Names{"diagnosis"});
  wrong = refuse;
  wrong.why = Outcome::start_failed;  // none had failed
  CHECK(refused(wrong) == Names{"diagnosis"});
}

}  // namespace
}  // namespace poolproof::oracle
