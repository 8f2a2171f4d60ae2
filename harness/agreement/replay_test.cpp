#include "harness/agreement/replay.hpp"

#include <algorithm>
#include <set>

#include <catch2/catch.hpp>
#include <fmt/format.h>

#include "harness/base/random.hpp"
#include "harness/pool/core.hpp"
#include "harness/scenario/parsed_testing.hpp"
#include "harness/trace/history_testing.hpp"
#include "harness/trace/jsonl.hpp"

using namespace poolproof;
using namespace poolproof::agreement;
using trace::testing::ms;

namespace {

constexpr std::uint64_t kSeed = 0x5eed;

std::string pool_text(const std::string& pool) {
  return R"({"schema_version":1,"name":"replayed","why":"a pool whose every order is compared",)"
         R"("pool":)" +
         pool +
         R"(,"workers":[{"kind":"fake"}],"clients":[{"name":"a","steps":[{"checkout":{}},)"
         R"({"call":{"command":"echo"}},{"checkin":{}}]}]})";
}

/// A Core whose steps are recorded as a world records them.
class Recorded {
 public:
  explicit Recorded(const std::string& pool, std::uint64_t seed = kSeed)
      : core(config(pool, seed)) {
    trace.header.scenario = "replayed";
    trace.header.seed = seed;
    trace.header.world = "host";
    trace.header.version = "0";
    trace.header.scenario_json = pool_text(pool);
  }

  const trace::Effects& step(Time at, const pool::Event& event) {
    std::vector<pool::Effect> effects;
    core.step(at, event, effects);
    trace.pool.push_back({at, event, {effects.begin(), effects.end()}});
    return trace.pool.back().effects;
  }
  const trace::Effects& step(int at_ms, const pool::Event& event) { return step(ms(at_ms), event); }

  pool::Core core;
  trace::Trace trace;

 private:
  static pool::Config config(const std::string& pool, std::uint64_t seed) {
    pool::Config config = scenario::testing::parsed(pool_text(pool)).pool.core;
    config.seed = seed;
    return config;
  }
};

pool::StartEvidence bad_start() {
  pool::StartEvidence evidence;
  evidence.cause = StartCause::text_on_stdout;
  evidence.first_size = 4;
  evidence.first = {'W', 'a', 'r', 'n'};
  return evidence;
}

constexpr WorkerId kFirst{0, 0};
constexpr WorkerId kOther{1, 0};

/// Two workers are started and leased, both come back, one client is served, one is refused.
Recorded two_workers() {
  Recorded run(R"({"size":2})");
  run.step(1, pool::CheckoutRequested{CheckoutId{1}, kNever});
  run.step(2, pool::CheckoutRequested{CheckoutId{2}, ms(5000)});
  run.step(3, pool::Started{kFirst});
  run.step(4, pool::Started{kOther});
  run.step(5, pool::HandshakeEnded{kFirst, {}});
  run.step(6, pool::HandshakeEnded{kOther, {}});
  run.step(7, pool::CheckedIn{LeaseId{2}, true});
  run.step(8, pool::CheckedIn{LeaseId{5}, true});
  run.step(9, pool::CheckoutRequested{CheckoutId{3}, ms(5000)});
  run.step(10, pool::CheckoutRequested{CheckoutId{4}, ms(5000)});
  run.step(11, pool::CheckoutRequested{CheckoutId{5}, ms(20)});
  run.step(20, pool::Tick{});
  run.step(30, pool::CloseRequested{ms(1030)});
  return run;
}

Replay replayed(const trace::Trace& trace) {
  auto replay = agreement::replay(trace, "x.jsonl");
  if (!replay) FAIL(replay.error().line());
  return std::move(*replay);
}

/// The rows that differ, as `recorded | today`.
std::vector<std::string> differing(const Difference& difference) {
  std::vector<std::string> rows;
  for (const EffectRow& row : difference.rows) {
    if (row.recorded != row.today) rows.push_back(row.recorded + " | " + row.today);
  }
  return rows;
}

template <class Effect>
Effect& effect_of(trace::Trace& trace, std::size_t event, std::size_t place = 0) {
  return std::get<Effect>(trace.pool.at(event).effects.at(place));
}

/// A world that does whatever is possible, at any time, and records it.
class Storm {
 public:
  explicit Storm(std::uint64_t seed)
      : random_(seed, "storm"),
        run_(fmt::format(R"({{"size":{},"start":"{}","startup_budget_ms":40,)"
                         R"("breaker_failures":{},"breaker_open_ms":300,"starts_max":2,)"
                         R"("backoff_initial_ms":20,"backoff_max_ms":100,"reuse":"{}"}})",
                         1 + random_.below(3), random_.below(2) == 0 ? "lazy" : "eager",
                         random_.below(4), random_.below(2) == 0 ? "lifo" : "fifo"),
             seed) {}

  trace::Trace blow(int steps) {
    for (int i = 0; i < steps; ++i) {
      now_ += Duration(static_cast<Duration::rep>(random_.below(30'000)));
      // A world is usually punctual: the Tick comes soon after it is due.
      if (run_.core.next_deadline() <= now_) take(pool::Tick{});
      take(event(i + 1 == steps));
    }
    return std::move(run_.trace);
  }

 private:
  pool::Event event(bool last) {
    if (last) return pool::CloseRequested{now_ + Duration(100'000)};
    const auto kind = random_.below(10);
    if (kind < 2 && !starting_.empty()) return pool::Started{drawn(starting_)};
    if (kind == 2 && !starting_.empty()) return pool::StartFailed{drawn(starting_), 2};
    if (kind < 5 && !greeting_.empty()) {
      const bool good = random_.below(3) > 0;
      return pool::HandshakeEnded{drawn(greeting_), good ? pool::StartEvidence{} : bad_start()};
    }
    if (kind < 7 && !leases_.empty()) {
      const bool clean = random_.below(3) > 0;
      return pool::CheckedIn{drawn(leases_), clean};
    }
    if (kind == 7 && !alive_.empty()) return pool::Exited{drawn(alive_), {0, 9}};
    if (kind == 8) return pool::Tick{};
    const auto wait = random_.below(200'000);
    return pool::CheckoutRequested{CheckoutId{++checkouts_},
                                   now_ + Duration(static_cast<Duration::rep>(wait))};
  }

  void take(const pool::Event& event) {
    if (const auto* started = std::get_if<pool::Started>(&event)) alive_.insert(started->worker);
    for (const auto& effect : run_.step(now_, event)) {
      if (const auto* start = std::get_if<pool::Start>(&effect)) starting_.insert(start->worker);
      if (const auto* greet = std::get_if<pool::BeginHandshake>(&effect))
        greeting_.insert(greet->worker);
      if (const auto* grant = std::get_if<pool::Grant>(&effect)) leases_.insert(grant->lease);
    }
  }

  template <class Value>
  Value drawn(std::set<Value>& from) {
    const auto place =
        std::next(from.begin(), static_cast<std::ptrdiff_t>(random_.below(from.size())));
    const Value value = *place;
    from.erase(place);
    return value;
  }

  Random random_;
  Recorded run_;
  Time now_ = ms(1);
  std::uint64_t checkouts_ = 0;
  std::set<WorkerId> starting_, greeting_, alive_;
  std::set<LeaseId> leases_;
};

/// Removes the Ticks that ordered nothing, if no order to start was unanswered at that time.
std::size_t without_idle_ticks(trace::Trace& trace) {
  std::size_t left_out = 0;
  std::size_t unanswered = 0;
  std::vector<trace::PoolRecord> kept;
  for (const auto& record : trace.pool) {
    const bool idle = std::holds_alternative<pool::Tick>(record.event) && record.effects.empty();
    const bool answers = std::holds_alternative<pool::Started>(record.event) ||
                         std::holds_alternative<pool::StartFailed>(record.event);
    if (answers) --unanswered;
    for (const auto& effect : record.effects) {
      if (std::holds_alternative<pool::Start>(effect)) ++unanswered;
    }
    if (idle && unanswered == 0) {
      ++left_out;
    } else {
      kept.push_back(record);
    }
  }
  trace.pool = std::move(kept);
  return left_out;
}

}  // namespace

TEST_CASE("run: replay: the same Core orders the same") {
  const Replay replay = replayed(two_workers().trace);
  CHECK(replay.events == 13);
  CHECK_FALSE(replay.difference);
  CHECK(words(replay, "x.jsonl") == "replayed 13 events, the same effects\n");
}

TEST_CASE("run: replay: whatever happens, a trace that was written and read again is replayed") {
  std::size_t refusals = 0;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    const trace::Trace trace = Storm(seed).blow(80);
    for (const auto& record : trace.pool) {
      for (const auto& effect : record.effects) {
        if (std::holds_alternative<pool::Refuse>(effect)) ++refusals;
      }
    }
    const auto read = trace::read_trace(trace::write_trace(trace), "x.jsonl");
    REQUIRE(read);
    const Replay replay = replayed(*read);
    INFO("seed " << seed << "\n" << words(replay, "x.jsonl"));
    REQUIRE(replay.events == trace.pool.size());
    REQUIRE_FALSE(replay.difference);
  }
  CHECK(refusals > 100);
}

TEST_CASE("run: replay: a Tick that ordered nothing may be missing while no start is unanswered") {
  std::size_t left_out = 0;
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    trace::Trace trace = Storm(seed).blow(80);
    left_out += without_idle_ticks(trace);
    const Replay replay = replayed(trace);
    INFO("seed " << seed << "\n" << words(replay, "x.jsonl"));
    REQUIRE_FALSE(replay.difference);
  }
  CHECK(left_out > 1000);
}

TEST_CASE(
    "run: replay: the Tick in which an unanswered start's budget runs out may not be missing") {
  Recorded run(
      R"({"size":1,"startup_budget_ms":40,"backoff_initial_ms":20,"backoff_jitter_percent":0})");
  run.step(1, pool::CheckoutRequested{CheckoutId{1}, kNever});
  // The slot's pause counts from here. Nothing is ordered, because there is no process to kill yet.
  REQUIRE(run.step(41, pool::Tick{}).empty());
  run.step(50, pool::Started{kFirst});
  REQUIRE(run.step(61, pool::Tick{}).size() == 1);
  REQUIRE_FALSE(replayed(run.trace).difference);
  run.trace.pool.erase(run.trace.pool.begin() + 1);
  const Replay replay = replayed(run.trace);
  REQUIRE(replay.difference);
  CHECK(replay.difference->number == 3);
  CHECK(replay.difference->rows == std::vector<EffectRow>{{"start", ""}, {"  worker 0.1", ""}});
}

TEST_CASE("run: replay: one changed field is named, with the event and the line") {
  Recorded run = two_workers();
  effect_of<pool::Grant>(run.trace, 8).worker = kFirst;
  auto read = trace::read_trace(trace::write_trace(run.trace), "x.jsonl");
  REQUIRE(read);
  const Replay replay = replayed(*read);
  REQUIRE(replay.difference);
  CHECK(replay.difference->number == 9);
  CHECK(replay.difference->line == 10);  // the header is line 1
  CHECK(replay.difference->at == ms(9));
  CHECK(replay.difference->event == "checkout_requested, checkout 3, deadline_ms 5000.000");
  CHECK(differing(*replay.difference) == std::vector<std::string>{"  worker 0.0 |   worker 1.0"});
  CHECK(words(replay, "x.jsonl") ==
        "x.jsonl:10: event 9 of 13 has other effects than recorded\n"
        "  at 9.000 ms: checkout_requested, checkout 3, deadline_ms 5000.000\n"
        "    recorded       today\n"
        "    grant        | grant\n"
        "      checkout 3 |   checkout 3\n"
        "      lease 7    |   lease 7\n"
        "  !   worker 0.0 |   worker 1.0\n");
}

TEST_CASE("run: replay: every field of a refusal is compared") {
  using Change = void (*)(pool::Refuse&);
  const std::vector<std::pair<Change, std::string>> changes{
      {[](pool::Refuse& r) { r.checkout = CheckoutId{9}; }, "  checkout 9 |   checkout 5"},
      {[](pool::Refuse& r) { r.why = Outcome::queue_full; },
       "  why queue_full |   why checkout_timeout"},
      {[](pool::Refuse& r) { r.phase = Phase::cooling; }, "  phase cooling |   phase queued"},
      {[](pool::Refuse& r) { r.has_blocker = true; }, "  has_blocker true | "},
      {[](pool::Refuse& r) {
         r.blocker = {1, 2};
       },
       "  blocker 1.2 | "},
      {[](pool::Refuse& r) { r.since += Duration(1); }, "  since_ms 11.001 |   since_ms 11.000"},
      {[](pool::Refuse& r) { r.waiting_since = ms(12); },
       "  waiting_since_ms 12.000 |   waiting_since_ms 11.000"},
      {[](pool::Refuse& r) { r.cause.first_size = 2; }, "  cause.first_hex 0000 | "},
      {[](pool::Refuse& r) { r.cause.outlived_stdin = true; }, "  cause.outlived_stdin true | "},
      {[](pool::Refuse& r) {
         r.cause_worker = {0, 7};
       },
       "  cause_worker 0.7 | "},
      {[](pool::Refuse& r) { r.failures = 3; }, "  failures 3 | "},
  };
  for (const auto& [change, row] : changes) {
    Recorded run = two_workers();
    change(effect_of<pool::Refuse>(run.trace, 11));
    const Replay replay = replayed(run.trace);
    INFO(row);
    REQUIRE(replay.difference);
    CHECK(replay.difference->number == 12);
    CHECK(differing(*replay.difference) == std::vector<std::string>{row});
  }
}

TEST_CASE("run: replay: an effect too many, too few or of another kind is a difference") {
  Recorded more = two_workers();
  more.trace.pool[12].effects.emplace_back(pool::Closed{});
  auto difference = replayed(more.trace).difference;
  REQUIRE(difference);
  CHECK(difference->number == 13);
  CHECK(differing(*difference) == std::vector<std::string>{"closed | "});

  Recorded fewer = two_workers();
  fewer.trace.pool[2].effects.clear();
  difference = replayed(fewer.trace).difference;
  REQUIRE(difference);
  CHECK(difference->number == 3);
  CHECK(differing(*difference) ==
        std::vector<std::string>{" | handshake", " |   worker 0.0", " |   deadline_ms 5001.000"});

  Recorded other = two_workers();
  other.trace.pool[2].effects = {pool::Forget{kFirst}};
  difference = replayed(other.trace).difference;
  REQUIRE(difference);
  CHECK(differing(*difference) ==
        std::vector<std::string>{"forget | handshake", " |   deadline_ms 5001.000"});
}

TEST_CASE(
    "run: replay: a changed event shows where its effects differ, and nothing after it does") {
  Recorded run = two_workers();
  run.trace.pool[6].event = pool::CheckedIn{LeaseId{2}, false};
  effect_of<pool::Grant>(run.trace, 8).lease = LeaseId{99};
  const auto difference = replayed(run.trace).difference;
  REQUIRE(difference);
  CHECK(difference->number == 7);
  CHECK(difference->event == "checked_in, lease 2, clean false");
  CHECK(differing(*difference) ==
        std::vector<std::string>{" | stop", " |   worker 0.0", " |   step term", " |   why dirty"});
}

TEST_CASE("run: replay: the times are part of what happened") {
  Recorded run = two_workers();
  run.trace.pool[11].at = ms(19);
  const auto difference = replayed(run.trace).difference;
  REQUIRE(difference);
  CHECK(difference->number == 12);
}

TEST_CASE("run: replay: the Core gets the header's seed, not the scenario's") {
  Recorded run(R"({"size":1,"backoff_initial_ms":1000,"backoff_jitter_percent":100})");
  run.step(1, pool::CheckoutRequested{CheckoutId{1}, kNever});
  run.step(2, pool::StartFailed{kFirst, 2});
  const Time due = run.core.next_deadline();
  REQUIRE(run.step(due - Duration(1), pool::Tick{}).empty());
  REQUIRE(run.step(due, pool::Tick{}).size() == 1);
  CHECK_FALSE(replayed(run.trace).difference);
  run.trace.header.seed = 0;
  CHECK(replayed(run.trace).difference);
}

TEST_CASE("run: replay: what can't be replayed is said in one line") {
  trace::Trace trace = two_workers().trace;
  trace.header.scenario_json = R"({"schema_version":1,"nmae":"x"})";
  auto replay = agreement::replay(trace, "x.jsonl");
  REQUIRE_FALSE(replay);
  CHECK(replay.error().where.starts_with("x.jsonl:1#/scenario_json"));
  trace = two_workers().trace;
  trace.pool.clear();
  replay = agreement::replay(trace, "x.jsonl");
  REQUIRE_FALSE(replay);
  CHECK(replay.error().line() ==
        "x.jsonl: no record of a pool in it; the trace of a run with our own pool, whole");
}
