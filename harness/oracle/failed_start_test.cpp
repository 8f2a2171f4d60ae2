#include "harness/oracle/oracle_testing.hpp"
#include "harness/oracle/view.hpp"

/// A start that failed is no worker that lived: what the rules make of its receipt.
namespace poolproof::oracle {
namespace {

using namespace std::chrono_literals;
using Names = std::set<std::string>;
using Kind = faults::JournalRecord::Kind;
using scenario::Fate;

constexpr WorkerId kUnborn{0, 0};
constexpr WorkerId kSecond{0, 1};

/// The good story of another worker, the one before which could not be started; the second start
/// comes `pause_us` later.
Story after_failed_start(int pause_us = 200) {
  Story story = told("good");
  story.scenario.pool.core.backoff_initial = 200us;
  story.scenario.pool.core.backoff_jitter_percent = 0;
  const auto plan = faults::read_plan(
      R"({"plan_version":1,"faults":[{"fault":"start_fails","at":{"slot":0,"generation":0}}]})",
      "p.json");
  REQUIRE(plan);
  story.scenario.faults = *plan;

  for (auto& step : story.trace.clients) {
    if (step.worker) step.worker = kSecond;
  }
  for (auto& record : story.trace.workers) record.worker = kSecond;
  auto& records = story.trace.pool;
  const auto now_second = [](WorkerId& worker) { worker = kSecond; };
  const Time begun = ms(1.2) + Duration(pause_us);
  for (auto& record : records) {
    if (auto* started = std::get_if<pool::Started>(&record.event)) now_second(started->worker);
    if (auto* greeted = std::get_if<pool::HandshakeEnded>(&record.event))
      now_second(greeted->worker);
    if (auto* exited = std::get_if<pool::Exited>(&record.event)) now_second(exited->worker);
    for (auto& effect : record.effects) {
      if (auto* handshake = std::get_if<pool::BeginHandshake>(&effect)) {
        *handshake = {kSecond, after(begun, story.scenario.pool.core.startup_budget)};
      }
      if (auto* grant = std::get_if<pool::Grant>(&effect)) now_second(grant->worker);
      if (auto* stop = std::get_if<pool::Stop>(&effect)) now_second(stop->worker);
      if (auto* forget = std::get_if<pool::Forget>(&effect)) now_second(forget->worker);
    }
  }
  records.insert(records.begin() + 1,
                 {{ms(1.2), pool::StartFailed{kUnborn, 2}, {pool::Forget{kUnborn}}},
                  {begun, pool::Tick{}, {pool::Start{kSecond}}}});
  trace::WorkerRecord receipt;
  receipt.at = ms(1.15);
  receipt.worker = kUnborn;
  receipt.record.kind = Kind::receipt;
  receipt.record.fault = "start_fails";
  receipt.record.plan_id = "f0";
  story.trace.workers.insert(story.trace.workers.begin(), receipt);
  return story;
}

trace::WorkerRecord& receipt_of(Story& story) {
  return story.trace.workers.front();
}

TEST_CASE("oracle: failed start: it breaks no promise, with and without the pool's word") {
  Story story = after_failed_start();
  CHECK(broken(story).empty());
  story.trace.pool.clear();
  CHECK(broken(story).empty());
}

TEST_CASE("oracle: failed start: who never ran is unborn, and the next one is not") {
  Story story = after_failed_start();
  const auto fate = [&story](WorkerId worker) {
    return fate_of(story.evidence(), View(story.evidence()), worker);
  };
  CHECK(fate(kUnborn) == Fate::unborn);
  CHECK(fate(kSecond) == Fate::closed);
  const auto records = story.trace.pool;
  story.trace.pool.clear();
  CHECK(fate(kUnborn) == Fate::unborn);
  CHECK(fate(kSecond) == Fate::closed);
  story.trace.pool = records;
  story.trace.workers.erase(story.trace.workers.begin());
  CHECK(fate(kUnborn) == Fate::unborn);
}

TEST_CASE("oracle: failed start: it is followed by a pause and counts for the breaker") {
  CHECK(broken(after_failed_start(199)) == Names{"bounded_starts"});
  Story story = after_failed_start();
  story.scenario.pool.core.breaker_failures = 1;
  CHECK(broken(story).contains("bounded_starts"));
}

TEST_CASE(
    "oracle: failed start: it is no worker that was lost, and none that counts when all is "
    "quiescent") {
  const auto calm_with = [](std::uint32_t workers) {
    Story story = after_failed_start();
    story.scenario.pool.core.start = pool::StartMode::eager;
    trace::OsRecord quiescent = story.trace.os.front();
    quiescent.at = ms(8.9);
    quiescent.when = "quiescent";
    quiescent.children += workers;
    story.trace.os.insert(story.trace.os.begin() + 1, quiescent);
    return broken(story);
  };
  CHECK(calm_with(1).empty());
  CHECK(calm_with(0) == Names{"full_size"});
  CHECK(calm_with(2) == Names{"full_size"});
  // Its receipt is the reason why another one stands in its place.
  Story told_to_go = after_failed_start();
  told_to_go.trace.pool.clear();
  CHECK_FALSE(broken(told_to_go).contains("no_overkill"));
}

TEST_CASE("oracle: failed start: nobody tells another story of it") {
  const auto breaks_witnesses = [](const Story& story) {
    return broken(story).contains("witnesses");
  };
  Story ran = after_failed_start();
  trace::WorkerRecord started = receipt_of(ran);
  started.record = faults::record_of(Kind::started);
  ran.trace.workers.insert(ran.trace.workers.begin() + 1, started);
  CHECK(breaks_witnesses(ran));

  Story given = after_failed_start();
  given.trace.pool.clear();
  for (std::uint32_t i : {0U, 1U, 2U}) step(given, "b", i).worker = kUnborn;
  CHECK(breaks_witnesses(given));

  Story believed = after_failed_start();
  believed.trace.pool.insert(believed.trace.pool.begin() + 1,
                             {ms(1.16), pool::Started{kUnborn}, {}});
  CHECK(breaks_witnesses(believed));
}

/// b is refused after that time because starts fail, with these words.
Story refused(double after_ms, const std::string& message) {
  Story story = after_failed_start();
  story.trace.pool.clear();
  auto& checkout = step(story, "b", 0);
  checkout.outcome = Outcome::start_failed;
  checkout.cause = StartCause::exec_failed;
  checkout.retryable = true;
  checkout.message = message;
  checkout.worker.reset();
  checkout.limit = 20s;
  checkout.ended = checkout.begun + Duration(static_cast<std::int64_t>(after_ms * 1000));
  for (std::uint32_t i : {1U, 2U}) {
    step(story, "b", i).skipped = true;
    step(story, "b", i).worker.reset();
    step(story, "b", i).begun = step(story, "b", i).ended = checkout.ended;
  }
  const Duration later = checkout.ended - ms(6.2);
  auto& close = step(story, "", 0);
  close.begun += later;
  close.ended += later;
  for (auto& record : story.trace.workers) {
    if (record.at > ms(9)) record.at += later;
  }
  for (auto& record : story.trace.os) {
    if (record.at > ms(9)) record.at += later;
  }
  std::erase_if(story.trace.workers,
                [](const auto& record) { return record.record.request == 2U; });
  return story;
}

TEST_CASE("oracle: failed start: its error says what exec said") {
  CHECK(broken(refused(0.2, "could not be started: No such file or directory")).empty());
  CHECK(broken(refused(0.2, "could not be started")) == Names{"diagnosis"});
  CHECK(broken(refused(0.2, "could not be started: Permission denied")) == Names{"diagnosis"});
  Story unplanned = refused(0.2, "could not be started: Cannot allocate memory");
  unplanned.scenario.faults.clear();
  CHECK(broken(unplanned).count("diagnosis") == 0);
}

TEST_CASE("oracle: failed start: the pool may pause after it, but not for ever") {
  const auto after_pause = [](double after_ms) {
    Story story = refused(after_ms, "could not be started: No such file or directory");
    auto& core = story.scenario.pool.core;
    core.startup_budget = 50ms;
    core.postmortem_budget = core.silence_max = 50ms;
    core.breaker_open = core.backoff_max = 100ms;
    return broken(story);
  };
  CHECK(after_pause(300).empty());
  CHECK(after_pause(400) == Names{"recovery"});
}

TEST_CASE("oracle: failed start: a small budget may not hold all those that start side by side") {
  const auto judged = [](Duration budget, std::uint32_t starts_max) {
    Story story = refused(900, "could not be started: No such file or directory");
    auto& core = story.scenario.pool.core;
    core.size = 4;
    core.starts_max = starts_max;
    core.startup_budget = budget;
    core.postmortem_budget = core.silence_max = 50ms;
    core.breaker_open = core.backoff_max = 100ms;
    return broken(story).contains("recovery");
  };
  CHECK(judged(200ms, 4));
  CHECK_FALSE(judged(199ms, 4));
  CHECK(judged(199ms, 3));
}

TEST_CASE("oracle: failed start: it is felt where its incarnation left no work") {
  const Story story = after_failed_start();
  const trace::Trace control = told("good").trace;
  CHECK(strikes(story.scenario, story.trace) == std::vector<std::size_t>{1});
  CHECK(ineffective_faults(story.scenario, story.trace, control).empty());
  CHECK(ineffective_faults(story.scenario, control, control).size() == 1);
}

}  // namespace
}  // namespace poolproof::oracle
