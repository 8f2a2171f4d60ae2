#include "harness/sim/world.hpp"

#include <algorithm>
#include <cerrno>
#include <set>

#include <catch2/catch.hpp>
#include <fmt/format.h>

#include "harness/oracle/descriptors.hpp"
#include "harness/oracle/oracle.hpp"

using namespace poolproof;
using namespace poolproof::sim;
using namespace std::chrono_literals;

namespace {

using Kind = faults::JournalRecord::Kind;

scenario::Scenario read(const std::string& parts) {
  const auto scenario = scenario::read_scenario(
      R"({"schema_version": 1, "name": "x", "why": "one thing that the simulated system does",
          "workers": [{"kind": "fake"}], "expect": {"any_success": true}, )" +
          parts + "}",
      "x.json");
  INFO((scenario ? "" : scenario.error().line()));
  REQUIRE(scenario);
  return *scenario;
}

/// One scenario, carried out in the natural order; whatever it is, no promise may break.
class Run {
 public:
  explicit Run(const std::string& parts) : scenario_(read(parts)) {
    auto schedule = Schedule::replayed({});
    carried_ = world_.carry_out(scenario_, 1, schedule);
    CHECK(carried_.trouble.empty());
    CHECK_FALSE(carried_.overran);
    for (const auto& finding : oracle::judge({scenario_, world_.trace(), {Duration::zero()}})) {
      FAIL_CHECK(finding.invariant << ": " << finding.what);
    }
  }

  [[nodiscard]] const trace::Trace& trace() const { return world_.trace(); }
  [[nodiscard]] const trace::ClientStep& step(const std::string& client,
                                              std::uint32_t number) const {
    const auto& steps = trace().clients;
    const auto found = std::find_if(steps.begin(), steps.end(), [&](const auto& step) {
      return step.client == client && step.step == number;
    });
    REQUIRE(found != steps.end());
    return *found;
  }
  [[nodiscard]] std::int64_t took_ms(const std::string& client, std::uint32_t number) const {
    return to_ms(step(client, number).ended - step(client, number).begun);
  }
  [[nodiscard]] std::ptrdiff_t count(Kind kind) const {
    const auto& records = trace().workers;
    return std::count_if(records.begin(), records.end(),
                         [kind](const auto& record) { return record.record.kind == kind; });
  }
  [[nodiscard]] const trace::OsRecord* census(const std::string& when) const {
    for (const auto& record : trace().os) {
      if (record.when == when) return &record;
    }
    return nullptr;
  }

 private:
  scenario::Scenario scenario_;
  World world_;
  Carried carried_;
};

constexpr const char* kOneCall =
    R"("clients": [{"name": "a", "steps": [{"checkout": {}},
       {"call": {"command": "echo", "timeout_ms": 1000}}, {"checkin": {}}]}])";

std::string one_call(const std::string& fault) {
  return fmt::format(R"({}, "faults": [{}])", kOneCall, fault);
}

}  // namespace

TEST_CASE("sim: world: a sound call takes no time, and all is tidy afterwards") {
  const Run run(kOneCall);
  CHECK(run.step("a", 1).outcome == Outcome::ok);
  CHECK(run.step("a", 1).reply_nonce == "a:1");
  CHECK(run.took_ms("a", 1) == 0);
  REQUIRE(run.census("quiescent") != nullptr);
  CHECK(run.census("quiescent")->children == 1);
  CHECK(run.census("quiescent")->descriptors == oracle::kSimNeed.pool + oracle::kSimNeed.worker);
  REQUIRE(run.census("after") != nullptr);
  CHECK(run.census("after")->children == 0);
  CHECK(run.census("after")->descriptors == 0);
}

TEST_CASE("sim: world: a sound worker takes its time to leave, in natural order none") {
  const auto leaves_after = [](Schedule schedule) {
    World world;
    (void)world.carry_out(read(kOneCall), 1, schedule);
    Time told{};
    Time gone{};
    for (const auto& [at, worker, pid, record] : world.trace().workers) {
      if (record.command == "shutdown") told = at;
      if (record.kind == Kind::exiting) gone = at;
    }
    return gone - told;
  };
  CHECK(leaves_after(Schedule::replayed({})) == Duration::zero());
  std::set<Duration> times;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    Schedule drawn = Schedule::random(seed);
    times.insert(leaves_after(std::move(drawn)));
  }
  CHECK(times == std::set<Duration>{0ms, 1ms, 5ms});
}

TEST_CASE("sim: world: an eager pool may begin to start before its first client asks, or after") {
  const auto scenario = read(std::string(R"("pool": {"size": 1, "start": "eager"}, )") + kOneCall);
  World world;
  std::set<bool> asked_first;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    auto schedule = Schedule::random(seed);
    (void)world.carry_out(scenario, 1, schedule);
    asked_first.insert(
        std::holds_alternative<pool::CheckoutRequested>(world.trace().pool.front().event));
  }
  CHECK(asked_first.size() == 2);
}

TEST_CASE("sim: world: a start that fails leaves a receipt and nothing else, and is tried again") {
  const Run run(R"("pool": {"size": 1, "backoff_initial_ms": 50, "backoff_jitter_percent": 0}, )" +
                one_call(R"({"fault": "start_fails", "at": {"slot": 0, "generation": 0},
                             "errno": "EACCES"})"));
  CHECK(run.step("a", 1).outcome == Outcome::ok);
  CHECK(run.step("a", 0).worker == WorkerId{0, 1});
  CHECK(run.took_ms("a", 0) >= 50);
  CHECK(run.count(Kind::receipt) == 1);
  CHECK(run.count(Kind::started) == 1);
  const auto& unborn = run.trace().workers.front();
  CHECK(unborn.worker == WorkerId{0, 0});
  CHECK(unborn.pid == 0);
  REQUIRE(run.census("quiescent") != nullptr);
  CHECK(run.census("quiescent")->children == 1);
  const auto& records = run.trace().pool;
  const auto failed = std::find_if(records.begin(), records.end(), [](const auto& record) {
    return std::holds_alternative<pool::StartFailed>(record.event);
  });
  REQUIRE(failed != records.end());
  CHECK(std::get<pool::StartFailed>(failed->event).errno_value == EACCES);
  CHECK(failed->at == unborn.at);
}

TEST_CASE("sim: world: what exec said is in the error of those who waited for the start") {
  const Run run(R"("pool": {"size": 1, "breaker_failures": 1}, )" +
                one_call(R"({"fault": "start_fails", "at": {"slot": 0}, "errno": "ENOEXEC"})"));
  CHECK(run.step("a", 0).outcome == Outcome::start_failed);
  CHECK(run.step("a", 0).cause == StartCause::exec_failed);
  CHECK(run.step("a", 0).message.find("worker 0.0 could not be started: Exec format error") !=
        std::string::npos);
  CHECK(run.count(Kind::started) == 0);
}

TEST_CASE("sim: world: a start that fails after it was given up is over as well") {
  // The second start waits for the first; both budgets are spent by then.
  const Run run(R"("pool": {"size": 2, "start": "eager", "startup_budget_ms": 1,
                            "breaker_failures": 0}, "clients": [{"name": "a", "steps": [
       {"checkout": {"timeout_ms": 100}}]}], "faults": [
       {"fault": "start_fails", "at": {"slot": 1, "generation": 0}}])");
  const auto& records = run.trace().pool;
  CHECK(std::any_of(records.begin(), records.end(), [](const auto& record) {
    const auto* failed = std::get_if<pool::StartFailed>(&record.event);
    return failed != nullptr && failed->worker == WorkerId{1, 0} && record.effects.size() == 1;
  }));
}

TEST_CASE("sim: world: what a worker wrote before its end is still read") {
  const Run run(one_call(R"({"fault": "exit_while_idle", "at": {"client": "a", "call": 1}})"));
  CHECK(run.step("a", 1).outcome == Outcome::ok);
}

TEST_CASE("sim: world: a death ends a call at once, though a grandchild holds the pipe") {
  const Run run(one_call(R"({"fault": "grandchild_left", "at": {"client": "a", "call": 1},
                             "lifetime_ms": 60000},
                            {"fault": "exit_mid_call", "at": {"client": "a", "call": 1}})"));
  CHECK(run.step("a", 1).outcome == Outcome::worker_died);
  CHECK(run.took_ms("a", 1) == 0);
  CHECK(run.count(Kind::grandchild) == 1);
  CHECK(run.census("after")->survivors.empty());
}

TEST_CASE("sim: world: a closed stdout is waited for, in case the process is just ending") {
  const Run run(one_call(R"({"fault": "stdout_closed", "at": {"client": "a", "call": 1}})"));
  CHECK(run.step("a", 1).outcome == Outcome::stdout_closed);
  CHECK(run.took_ms("a", 1) == 250);
}

TEST_CASE("sim: world: a worker that reads nothing takes one pipe full, and no more") {
  const Run run(R"("clients": [{"name": "a", "steps": [{"checkout": {}},
      {"call": {"command": "echo", "timeout_ms": 100, "pad_bytes": 200000}}]}],
      "faults": [{"fault": "reading_stopped", "at": {"slot": 0, "generation": 0, "request": 1}}])");
  CHECK(run.step("a", 1).outcome == Outcome::call_timeout);
  CHECK(run.step("a", 1).phase == Phase::writing_request);
  CHECK(run.step("a", 1).written_bytes == Pipe::kCapacity);
}

TEST_CASE("sim: world: a stopped worker's stdin takes a pipe full; KILL ends it all the same") {
  const Run run(R"("pool": {"size": 1}, "clients": [{"name": "a", "steps": [{"checkout": {}},
      {"signal_worker": {"slot": 0, "generation": 0, "signal": "STOP"}},
      {"call": {"command": "echo", "timeout_ms": 100, "pad_bytes": 200000}},
      {"checkout": {}}, {"call": {"command": "echo"}}]}])");
  CHECK(run.step("a", 2).written_bytes == Pipe::kCapacity);
  CHECK(run.step("a", 2).outcome == Outcome::call_timeout);
  CHECK(run.step("a", 4).outcome == Outcome::ok);
  const auto& pool = run.trace().pool;
  CHECK(std::any_of(pool.begin(), pool.end(), [](const trace::PoolRecord& record) {
    const auto* exited = std::get_if<pool::Exited>(&record.event);
    return exited != nullptr && exited->worker == WorkerId{0, 0} && exited->status.signal == 9;
  }));
}

TEST_CASE("sim: world: a stopped worker that is continued answers") {
  const Run run(R"("clients": [{"name": "a", "steps": [{"checkout": {}},
      {"signal_worker": {"slot": 0, "generation": 0, "signal": "STOP"}},
      {"call": {"command": "echo", "timeout_ms": 900}}]},
      {"name": "b", "steps": [{"await": {"client": "a", "step": 2, "moment": "begun"}},
      {"pause": {"span_ms": 300}},
      {"signal_worker": {"slot": 0, "generation": 0, "signal": "CONT"}}]}])");
  CHECK(run.step("a", 2).outcome == Outcome::ok);
  CHECK(run.took_ms("a", 2) == 300);
}

TEST_CASE("sim: world: stderr is drained, so that its flood holds nobody up") {
  const Run run(one_call(R"({"fault": "stderr_flood", "at": {"client": "a", "call": 1},
                             "text_bytes": 1000000})"));
  CHECK(run.step("a", 1).outcome == Outcome::ok);
}

TEST_CASE("sim: world: a long reply is read while a long request is written") {
  const Run run(R"("clients": [{"name": "a", "steps": [{"checkout": {}},
      {"call": {"command": "echo", "pad_bytes": 1000000}}]}])");
  CHECK(run.step("a", 1).outcome == Outcome::ok);
  CHECK(run.step("a", 1).written_bytes > 1'000'000);
}

TEST_CASE("sim: world: who is deaf to everything is killed when its graces are over") {
  const Run run(R"("pool": {"shutdown_grace_ms": 100, "stdin_grace_ms": 200, "term_grace_ms": 400},
      "clients": [{"name": "a", "steps": [{"checkout": {}}, {"checkin": {}}, {"close": {}}]}],
      "faults": [{"fault": "stdin_end_ignored", "at": {"slot": 0}},
                 {"fault": "term_ignored", "at": {"slot": 0}}])");
  CHECK(run.took_ms("a", 2) == 700);
  CHECK(run.census("quiescent") == nullptr);
}

TEST_CASE("sim: world: an eager pool is at full size when all is quiescent") {
  const Run run(R"("pool": {"size": 3, "start": "eager"}, )" +
                one_call(R"({"fault": "exit_mid_call", "at": {"client": "a", "call": 1}})"));
  REQUIRE(run.census("quiescent") != nullptr);
  CHECK(run.census("quiescent")->children == 3);
}

TEST_CASE("sim: world: a run that never ends is given up") {
  const auto scenario = read(R"("clients": [{"name": "a", "repeat": 1000,
      "steps": [{"checkout": {}}, {"checkin": {}}]}])");
  World world;
  auto schedule = Schedule::replayed({});
  CHECK(world.carry_out(scenario, 1, schedule, {500}).overran);
  CHECK_FALSE(world.carry_out(scenario, 1, schedule, {500'000}).overran);
}

TEST_CASE("sim: world: what is awaited in vain is said") {
  const auto scenario = read(R"("clients": [{"name": "a", "steps": [{"checkout": {}},
      {"await": {"worker": {"slot": 0, "generation": 1}, "moment": "ready"}}, {"checkin": {}}]}])");
  World world;
  auto schedule = Schedule::replayed({});
  CHECK(world.carry_out(scenario, 1, schedule).trouble == "client a waited in vain in step 1");
}

TEST_CASE("sim: world: two who come to an empty pool of two may be served side by side") {
  const auto scenario = read(
      R"("pool": {"size": 2}, "clients": [{"name": "q", "count": 2, "steps": [
          {"checkout": {}}, {"call": {"command": "echo"}}, {"checkin": {}}]}])");
  World world;
  std::set<bool> shared;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    auto schedule = Schedule::random(seed);
    world.carry_out(scenario, 1, schedule);
    std::set<WorkerId> workers;
    for (const auto& step : world.trace().clients) {
      if (step.worker) workers.insert(*step.worker);
    }
    shared.insert(workers.size() == 1);
  }
  CHECK(shared == std::set<bool>{false, true});
}
