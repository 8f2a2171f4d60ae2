#include "harness/agreement/agreement.hpp"

#include <catch2/catch.hpp>
#include <fmt/format.h>

#include "harness/scenario/parsed_testing.hpp"
#include "harness/trace/history_testing.hpp"

using namespace poolproof;
using namespace poolproof::agreement;
using trace::testing::ms;

namespace {

constexpr const char* kSteps =
    R"("steps":[{"checkout":{}},{"call":{"command":"echo"}},{"checkin":{}}])";

std::string client(const std::string& name, const std::string& more = "") {
  return fmt::format(R"({{"name":"{}",{}{}}})", name, more, kSteps);
}

scenario::Scenario scenario_of(const std::string& clients, const std::string& more = "") {
  return scenario::testing::parsed(
      R"({"schema_version":1,"name":"two","why":"two clients, and how it went with them",)"
      R"("pool":{"size":2},"workers":[{"kind":"fake"}],"clients":[)" +
      clients + "]" + more + "}");
}

scenario::Scenario two() {
  return scenario_of(client("a") + "," + client("b"));
}

/// A trace written by hand, step by step. Its times mean nothing.
class Told {
 public:
  Told& step(const std::string& name, std::uint32_t place, StepKind kind,
             Outcome outcome = Outcome::ok, std::uint64_t lease = 0, std::uint32_t round = 0) {
    auto step = trace::testing::step(name.c_str(), place, kind, ++at_);
    step.outcome = outcome;
    step.lease = LeaseId{lease};
    step.repetition = round;
    trace.clients.push_back(step);
    return *this;
  }
  Told& event(const pool::Event& event, trace::Effects effects = {}) {
    trace.pool.push_back({ms(++at_), event, std::move(effects)});
    return *this;
  }
  /// The worker is started, completes its handshake and is leased.
  Told& leased(WorkerId worker, std::uint64_t lease) {
    return up(worker).event(pool::Tick{}, {pool::Grant{CheckoutId{lease}, LeaseId{lease}, worker}});
  }
  Told& up(WorkerId worker) {
    event(pool::Tick{}, {pool::Start{worker}});
    return event(pool::Started{worker}).event(pool::HandshakeEnded{worker, {}});
  }
  Told& back(std::uint64_t lease, bool clean = true, trace::Effects effects = {}) {
    return event(pool::CheckedIn{LeaseId{lease}, clean}, std::move(effects));
  }
  Told& close(const std::vector<WorkerId>& workers) {
    trace::Effects effects;
    for (const WorkerId worker : workers)
      effects.emplace_back(pool::Stop{worker, pool::StopStep::ask, pool::RemovalReason::closing});
    return event(pool::CloseRequested{ms(9000)}, effects);
  }

  trace::Trace trace;

 private:
  int at_ = 0;
};

constexpr WorkerId kFirst{0, 0};
constexpr WorkerId kSecond{1, 0};

pool::Stop term(WorkerId worker, pool::RemovalReason why) {
  return {worker, pool::StopStep::term, why};
}

/// Clients a and b use one worker each, and all goes well.
Told sound(std::uint64_t id = 1) {
  Told told;
  told.step("a", 0, StepKind::checkout, Outcome::ok, id)
      .step("a", 1, StepKind::call)
      .step("a", 2, StepKind::checkin);
  told.step("b", 0, StepKind::checkout, Outcome::ok, id + 1)
      .step("b", 1, StepKind::call)
      .step("b", 2, StepKind::checkin);
  told.leased(kFirst, id).leased(kSecond, id + 1).back(id).back(id + 1);
  return told.close({kFirst, kSecond});
}

Observation observation(const Told& told) {
  return observation_of(two(), told.trace);
}

/// A observation of one step, repeated as often as wanted.
std::vector<Observation> observations(std::size_t count, const std::string& came) {
  Observation observation;
  observation.facts["client a, step 1 (call)"] = came;
  observation.by_kind["client a, step 1 (call)"] = {came};
  return std::vector<Observation>(count, observation);
}

std::vector<Observation> together(std::vector<Observation> all,
                                  const std::vector<Observation>& more) {
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

/// Observations whose facts and sets by kind all differ, numbered from 0.
std::vector<Observation> many(std::size_t count, std::size_t each) {
  std::vector<Observation> all;
  for (std::size_t i = 0; i < count; ++i)
    all = together(all, observations(each, fmt::format("{:03}", i)));
  return all;
}

/// The end of the only worker, which `a` holds unless the test says otherwise.
std::string life_of(const Told& told) {
  const Observation all = observation(told);
  for (const auto& [about, how] : all.facts) {
    if (about.starts_with("the worker")) return about + ": " + how;
  }
  return "";
}

Told held() {
  Told told;
  told.step("a", 0, StepKind::checkout, Outcome::ok, 1);
  return std::move(told.leased(kFirst, 1));
}

}  // namespace

TEST_CASE("agreement: who is recycled when the clients are done is like one that the close ends") {
  const auto comes_to = [](bool done) {
    const pool::Stop recycled{kFirst, pool::StopStep::ask, pool::RemovalReason::lifetime_over};
    Told told;
    told.step("a", 0, StepKind::checkout, Outcome::ok, 1);
    told.leased(kFirst, 1).back(1);
    if (done) told.event(pool::Tick{}, {recycled});
    if (!done) told.event(pool::Tick{}, {recycled}).step("a", 2, StepKind::checkin);
    return observation(told).facts.at("the worker leased by a, step 0");
  };
  CHECK(comes_to(true) == "returned; closed");
  CHECK(comes_to(false) == "returned; recycled: lifetime_over");
}

TEST_CASE("agreement: what comes when the clients are done counts where the real run shows it") {
  const auto story = [](const std::vector<pool::Stop>& stops) {
    Told told;
    told.step("a", 0, StepKind::checkout, Outcome::ok, 1);
    told.leased(kFirst, 1).back(1).up(kSecond).step("a", 2, StepKind::checkin);
    told.event(pool::Tick{});
    for (const pool::Stop& stop : stops) told.event(pool::Tick{}, {stop});
    return told.close({});
  };
  const pool::Stop pinged = term(kFirst, pool::RemovalReason::ping_failed);
  const pool::Stop chatty = term(kFirst, pool::RemovalReason::unsolicited);
  const pool::Stop unleased = term(kSecond, pool::RemovalReason::ping_failed);
  const auto agree = [&](const std::vector<pool::Stop>& simulated,
                         const std::vector<pool::Stop>& real) {
    const Observation seen = observation(story(real));
    const Observation beside = observation_beside(seen, two(), story(simulated).trace);
    CHECK((beside.facts == seen.facts) == (beside.by_kind == seen.by_kind));
    return beside == seen;
  };
  CHECK(agree({}, {}));
  CHECK(agree({pinged}, {}));
  CHECK(agree({pinged}, {pinged}));
  CHECK(agree({unleased}, {}));
  CHECK(agree({pinged, unleased}, {unleased}));
  CHECK(agree({pinged, unleased}, {pinged}));
  CHECK_FALSE(agree({}, {pinged}));
  CHECK_FALSE(agree({}, {unleased}));
  CHECK_FALSE(agree({chatty}, {pinged}));
}

TEST_CASE("agreement: what comes before the clients are done counts in either world") {
  const auto story = [](bool stopped) {
    Told told;
    told.step("a", 0, StepKind::checkout, Outcome::ok, 1).leased(kFirst, 1).back(1);
    if (stopped) told.event(pool::Tick{}, {term(kFirst, pool::RemovalReason::ping_failed)});
    told.step("a", 2, StepKind::checkin);
    return told.close({kFirst});
  };
  const Observation seen = observation(story(false));
  CHECK(observation_beside(seen, two(), story(false).trace) == seen);
  CHECK(observation_beside(seen, two(), story(true).trace) != seen);
}

TEST_CASE("run: agreement: a story tells each step's outcome and each leased worker's life") {
  const Observation told = observation(sound());
  CHECK(told.facts == std::map<std::string, std::string>{
                          {"client a, step 0 (checkout)", "ok"},
                          {"client a, step 1 (call)", "ok"},
                          {"client a, step 2 (checkin)", "ok"},
                          {"client b, step 0 (checkout)", "ok"},
                          {"client b, step 1 (call)", "ok"},
                          {"client b, step 2 (checkin)", "ok"},
                          {"the worker leased by a, step 0", "returned; closed"},
                          {"the worker leased by b, step 0", "returned; closed"},
                      });
}

TEST_CASE("run: agreement: ids, slots, times, texts, bytes and arrangements are no part of it") {
  Told other = sound(77);
  for (auto& step : other.trace.clients) {
    step.ended += std::chrono::seconds(3);
    step.message = "said otherwise";
    step.written_bytes = 4711;
    step.phase = Phase::queued;
  }
  other.step("a", 3, StepKind::pause).step("b", 3, StepKind::await);
  Told swapped;
  swapped.trace.clients = other.trace.clients;
  swapped.leased({1, 4}, 77).leased({0, 9}, 78).back(78).back(77).close({{1, 4}, {0, 9}});
  // What workers do while they leave.
  swapped.event(pool::Tick{},
                {pool::Stop{{0, 9}, pool::StopStep::end_of_input, pool::RemovalReason::closing},
                 term({0, 9}, pool::RemovalReason::closing)});
  swapped.event(pool::Exited{{1, 4}, {3, 0}}).event(pool::Exited{{0, 9}, {0, 15}});
  CHECK(observation(swapped) == observation(sound()));
}

TEST_CASE("run: agreement: a skipped step, a refused one and the harness's close are told") {
  Told told;
  told.step("a", 0, StepKind::checkout, Outcome::checkout_timeout).step("a", 1, StepKind::call);
  told.trace.clients.back().skipped = true;
  told.step("", 0, StepKind::close, Outcome::call_timeout);
  CHECK(observation(told).facts ==
        std::map<std::string, std::string>{{"client a, step 0 (checkout)", "checkout_timeout"},
                                           {"client a, step 1 (call)", "skipped"},
                                           {"the harness (close)", "call_timeout"}});
}

TEST_CASE("run: agreement: why a worker went is told, up to the word to go") {
  const std::string who = "the worker leased by a, step 0: ";
  CHECK(life_of(held()
                    .back(1, false, {term(kFirst, pool::RemovalReason::dirty)})
                    .event(pool::Exited{kFirst, {0, 15}})) == who + "dirty; put away: dirty");
  CHECK(life_of(held().event(pool::LeaseRevoked{LeaseId{1}},
                             {term(kFirst, pool::RemovalReason::revoked)})) ==
        who + "revoked; put away: revoked");
  CHECK(life_of(held().back(1).event(pool::UnsolicitedOutput{kFirst},
                                     {term(kFirst, pool::RemovalReason::unsolicited)})) ==
        who + "returned; put away: unsolicited");
  CHECK(life_of(held().event(pool::Exited{kFirst, {7, 0}})) == who + "lost; died with code 7");
  CHECK(life_of(held().back(1).event(pool::Exited{kFirst, {0, 9}})) ==
        who + "returned; died by signal 9");
  CHECK(
      life_of(held().close({}).event(pool::Tick{}, {term(kFirst, pool::RemovalReason::closing)})) ==
      who + "ended by the close; closed");
  CHECK(life_of(held().back(1)) == who + "returned; there to the end");
  const pool::Stop ask{kFirst, pool::StopStep::ask, pool::RemovalReason::closing};
  CHECK(life_of(held().back(1).event(pool::Tick{}, {ask})) == who + "returned; asked to go");
}

TEST_CASE("run: agreement: a drain that is over in the step of a check-in came first") {
  CHECK(life_of(held().close({}).back(1, true, {term(kFirst, pool::RemovalReason::closing)})) ==
        "the worker leased by a, step 0: ended by the close; closed");
}

TEST_CASE("run: agreement: a worker leased by two is known by both, in their order") {
  Told told = held();
  told.step("b", 0, StepKind::checkout, Outcome::ok, 3).back(1);
  told.event(pool::Tick{}, {pool::Grant{CheckoutId{3}, LeaseId{3}, kFirst}}).back(3, false);
  told.event(pool::Tick{}, {term(kFirst, pool::RemovalReason::dirty)});
  CHECK(life_of(told) ==
        "the worker leased by a, step 0; b, step 0: returned, dirty; put away: dirty");
}

TEST_CASE("run: agreement: of workers nobody leased only the ends count, not how many there were") {
  const auto failed = [](std::uint32_t times, StartCause cause) {
    Told told;
    for (std::uint32_t i = 0; i < times; ++i) {
      const WorkerId worker{0, i};
      pool::StartEvidence evidence;
      evidence.cause = cause;
      told.event(pool::Tick{}, {pool::Start{worker}}).event(pool::Started{worker});
      told.event(pool::HandshakeEnded{worker, evidence},
                 {term(worker, pool::RemovalReason::start_failed)});
    }
    return observation(told);
  };
  const Observation once = failed(1, StartCause::exited);
  CHECK(once.facts == std::map<std::string, std::string>{
                          {"the workers that nobody leased", "start failed: exited"}});
  CHECK(failed(5, StartCause::exited) == once);
  CHECK(failed(5, StartCause::ping_unread) != once);
  // The end may be noticed before the handshake's.
  Told noticed;
  noticed.event(pool::Tick{}, {pool::Start{kFirst}}).event(pool::Started{kFirst});
  CHECK(observation(noticed.event(pool::Exited{kFirst, {3, 0}})) == once);
  Told no_process;
  no_process.event(pool::Tick{}, {pool::Start{kFirst}}).event(pool::StartFailed{kFirst, 2});
  CHECK(observation(no_process).by_kind.begin()->second ==
        std::set<std::string>{"start failed: exec_failed"});
  Told spent;
  spent.event(pool::Tick{}, {pool::Start{kFirst}});
  spent.event(pool::Started{kFirst}, {term(kFirst, pool::RemovalReason::budget_spent)});
  CHECK(observation(spent).by_kind.begin()->second ==
        std::set<std::string>{"start failed: budget_spent"});
  // A worker that was asked to go and one that was killed while it started are both just closed.
  CHECK(observation(Told().up(kFirst).close({kFirst})) ==
        observation(Told().event(pool::Tick{}, {pool::Start{kFirst}}).close({})));
}

TEST_CASE("run: agreement: an outline does not tell clients of one kind and their rounds apart") {
  const auto scenario = scenario_of(client("a", R"("count":2,"repeat":2,)"));
  Told told;
  std::uint64_t lease = 0;
  for (const char* name : {"a.1", "a.2"}) {
    for (const std::uint32_t round : {0U, 1U}) {
      ++lease;
      told.step(name, 0, StepKind::checkout, Outcome::ok, lease, round);
      told.step(name, 1, StepKind::call, lease == 3 ? Outcome::worker_died : Outcome::ok, 0, round);
    }
  }
  told.leased(kFirst, 1).back(1).event(pool::Tick{}, {pool::Grant{{}, LeaseId{3}, kFirst}});
  told.event(pool::Exited{kFirst, {1, 0}});
  told.leased({0, 1}, 2).back(2).event(pool::Tick{}, {pool::Grant{{}, LeaseId{4}, {0, 1}}}).back(4);
  const Observation observation = observation_of(scenario, told.close({{0, 1}}).trace);
  CHECK(observation.facts.at("client a.2, round 1, step 1 (call)") == "worker_died");
  CHECK(observation.facts.at("the worker leased by a.1, round 1, step 0; a.2, round 1, step 0") ==
        "returned, lost; died with code 1");
  CHECK(observation.by_kind == std::map<std::string, std::set<std::string>>{
                                   {"client a, step 0 (checkout)", {"ok"}},
                                   {"client a, step 1 (call)", {"ok", "worker_died"}},
                                   {"the workers leased by a",
                                    {"(lost, returned; died with code 1)", "(returned; closed)"}}});
}

TEST_CASE("run: agreement: the real story must be one of the simulated ones") {
  const auto simulated = together(observations(50, "ok"), observations(30, "stale_worker"));
  CHECK(compare_worlds(two(), simulated, observations(1, "stale_worker")[0]).what ==
        Agreement::agree);
  const auto result = compare_worlds(two(), simulated, observations(1, "worker_died")[0]);
  CHECK(result.what == Agreement::divergent);
  CHECK(result.reason ==
        "client a, step 1 (call): \"worker_died\" on real processes, \"ok or stale_worker\" in 80 "
        "simulated schedules");
}

TEST_CASE("run: agreement: one simulated schedule is enough where there is but one story") {
  CHECK(compare_worlds(two(), {observation(sound())}, observation(sound(5))).what ==
        Agreement::agree);
  Told killed = sound();
  killed.trace.pool[9].event = pool::CheckedIn{LeaseId{2}, false};
  killed.trace.pool[9].effects = {term(kSecond, pool::RemovalReason::dirty)};
  const auto result = compare_worlds(two(), {observation(sound())}, observation(killed));
  CHECK(result.what == Agreement::divergent);
  CHECK(result.reason ==
        "the worker leased by b, step 0: \"dirty; put away: dirty\" on real processes, \"returned; "
        "closed\" in 1 simulated schedule");
}

TEST_CASE("run: agreement: facts that only together are new are a divergence, too") {
  Observation real = observations(1, "ok")[0];
  real.facts["client b, step 1 (call)"] = "ok";
  Observation other = real;
  other.facts["client a, step 1 (call)"] = "cancelled";
  other.facts["client b, step 1 (call)"] = "cancelled";
  const auto simulated =
      together(std::vector<Observation>(40, real), std::vector<Observation>(40, other));
  real.facts["client b, step 1 (call)"] = "cancelled";
  const auto result = compare_worlds(two(), simulated, real);
  CHECK(result.what == Agreement::divergent);
  CHECK(result.reason.find("never together with the rest") != std::string::npos);
}

TEST_CASE("run: agreement: something that is missing is a divergence") {
  Observation real = observations(1, "ok")[0];
  const auto simulated = std::vector<Observation>(10, real);
  real.facts.clear();
  CHECK(compare_worlds(two(), simulated, real).reason.find("\"(nothing)\" on real processes") !=
        std::string::npos);
  real = simulated[0];
  real.facts["client b, step 1 (call)"] = "ok";
  CHECK(compare_worlds(two(), simulated, real).what == Agreement::divergent);
}

TEST_CASE("run: agreement: too many stories are not compared, none are unknown") {
  const Observation real = observations(1, "ok")[0];
  CHECK(compare_worlds(two(), {}, real).what == Agreement::unknown);
  CHECK(compare_worlds(two(), many(kObservationsMax, 30), real).what == Agreement::divergent);
  // As long as there are not too many facts, the facts decide and not the sets by kind.
  Observation known_by_kind = observations(1, "003")[0];
  known_by_kind.facts = real.facts;
  CHECK(compare_worlds(two(), many(kObservationsMax, 30), known_by_kind).what ==
        Agreement::divergent);
  const auto result = compare_worlds(two(), many(kObservationsMax + 1, 30), real);
  CHECK(result.what == Agreement::not_compared);
  CHECK(result.reason.find("65") != std::string::npos);
  CHECK(compare_worlds(two(), many(kObservationsMax + 1, 30), observations(1, "003")[0]).what ==
        Agreement::not_compared);
}

TEST_CASE("run: agreement: while schedules tell stories of their own, a new one is unknown") {
  const Observation real = observations(1, "worker_died")[0];
  const auto heard = observations(19, "ok");
  CHECK(compare_worlds(two(), together(heard, observations(1, "cancelled")), real).what ==
        Agreement::divergent);
  const auto early = together(observations(18, "ok"), observations(1, "cancelled"));
  const auto result = compare_worlds(two(), early, real);
  CHECK(result.what == Agreement::unknown);
  CHECK(result.reason.find("not all has been heard") != std::string::npos);
  CHECK(compare_worlds(two(), early, observations(1, "cancelled")[0]).what == Agreement::agree);
}

TEST_CASE("run: agreement: where the facts are too many, the outlines decide") {
  const auto with = [](std::size_t number, const std::set<std::string>& calls) {
    Observation observation;
    observation.facts["the order of things"] = std::to_string(number);
    observation.by_kind["client a, step 1 (call)"] = calls;
    return observation;
  };
  std::vector<Observation> simulated;
  for (std::size_t i = 0; i < 200; ++i) {
    simulated.push_back(with(
        i, i % 2 == 0 ? std::set<std::string>{"ok"} : std::set<std::string>{"ok", "worker_died"}));
  }
  CHECK(compare_worlds(two(), simulated, with(999, {"ok", "worker_died"})).what ==
        Agreement::agree);
  const auto unheard = compare_worlds(two(), simulated, with(999, {"cancelled", "ok"}));
  CHECK(unheard.what == Agreement::divergent);
  CHECK(unheard.reason ==
        "client a, step 1 (call): \"cancelled or ok\" on real processes, \"ok or worker_died\" in "
        "200 simulated schedules");
  // In every schedule some call ends with ok.
  CHECK(compare_worlds(two(), simulated, with(999, {"worker_died"})).what == Agreement::divergent);
  CHECK(compare_worlds(two(), simulated, Observation{}).what == Agreement::divergent);
}

TEST_CASE("run: agreement: what is not compared, and why") {
  CHECK(why_not_compared(two()).empty());
  CHECK(why_not_compared(scenario_of(client("a"), R"(,"worlds":["host"])")) ==
        "it does not run in the simulator");
  CHECK(why_not_compared(scenario_of(client("a"), R"(,"worlds":["sim"])")) ==
        "it does not run on real processes");
  const auto timed = scenario_of(client("a"), R"(,"tags":["time"])");
  CHECK_FALSE(why_not_compared(timed).empty());
  auto command = two();
  command.workers.push_back({scenario::WorkerKind::command, {"cat"}, "", {}});
  CHECK_FALSE(why_not_compared(command).empty());
  command.workers.back().kind = scenario::WorkerKind::wrapped;
  CHECK_FALSE(why_not_compared(command).empty());
  const auto result = compare_worlds(timed, observations(9, "ok"), observations(1, "cancelled")[0]);
  CHECK(result.what == Agreement::not_compared);
  CHECK(result.reason == why_not_compared(timed));
}

TEST_CASE(
    "run: agreement: where close timers may decide, agreement counts and difference does not") {
  const auto hasty =
      scenario_of(client("a") +
                  R"(,{"name":"b","steps":[{"pause":{"span_ms":1}},{"close":{"timeout_ms":0}}]})");
  const auto ok = observations(1, "ok")[0];
  CHECK(compare_worlds(hasty, observations(9, "ok"), ok).what == Agreement::agree);
  const auto closed = compare_worlds(hasty, observations(9, "pool_closed"), ok);
  CHECK(closed.what == Agreement::not_compared);
  CHECK(closed.reason.find("real time decided (the pause of client b, step 0 (1 ms) and ") == 0);
  CHECK(closed.reason.find("\"ok\" on real processes") != std::string::npos);
}
