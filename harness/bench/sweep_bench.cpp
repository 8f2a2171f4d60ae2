#include "harness/bench/sweep_bench.hpp"

#include <cstdint>

#include <benchmark/benchmark.h>

#include "harness/oracle/judge.hpp"
#include "harness/scenario/generate.hpp"
#include "harness/search/case.hpp"
#include "harness/sim/world.hpp"

/// What generated scenarios cost, stage by stage, always the same thousand of them: `sweep/case` is
/// all stages together. The rate `events` is that of the Core's events. `sweep/waiters` and
/// `sweep/workers` hold what an event costs (the inverse of items per second) against how many wait
/// or live.
namespace poolproof::bench {
namespace {

constexpr std::uint64_t kSeed = 1;
constexpr std::uint64_t kCases = 1000;

template <class Work>
void each_case(benchmark::State& state, Work work) {
  search::CaseRunner runner;
  std::uint64_t events = 0;
  for ([[maybe_unused]] auto _ : state) {
    for (std::uint64_t number = 0; number < kCases; ++number) {
      const auto& scenario = runner.make(search::case_seed(kSeed, number));
      events += work(runner, scenario);
    }
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kCases));
  state.counters["events"] =
      benchmark::Counter(static_cast<double>(events), benchmark::Counter::kIsRate);
}

void generate(benchmark::State& state) {
  each_case(state, [](search::CaseRunner&, const scenario::Scenario& scenario) {
    return scenario.clients.size();
  });
}

void carry_out(benchmark::State& state, wire::Codec codec) {
  sim::World world;
  auto schedule = sim::Schedule::random(0);
  each_case(state, [&](search::CaseRunner&, const scenario::Scenario& scenario) {
    schedule.restart(scenario.seed);
    return world.carry_out(scenario, scenario.seed, schedule, {}, codec).core_events;
  });
}

void judged_case(benchmark::State& state, wire::Codec codec) {
  each_case(state, [codec](search::CaseRunner& runner, const scenario::Scenario&) {
    const auto result = runner.run_made(codec);
    benchmark::DoNotOptimize(runner.coverage().count());
    return result.core_events;
  });
}

/// Many clients on few workers, or one on each of many workers: each takes a worker, holds it so
/// long and gives it back.
scenario::Scenario crowd(std::uint32_t clients, std::uint32_t workers, Duration hold) {
  scenario::Scenario scenario;
  scenario.name = "crowd";
  scenario.workers.emplace_back();
  scenario.pool.opaque = true;
  scenario.pool.core.size = workers;
  scenario.pool.core.waiters_max = clients;
  scenario.pool.core.starts_max = workers;
  // Starts come one after the other, at a millisecond or so each: nothing is cut off meanwhile.
  constexpr Duration kAll = std::chrono::hours(1);
  scenario.pool.core.startup_budget = kAll;
  scenario.pool.checkout_timeout = kAll;
  scenario.pool.close_timeout = kAll;
  scenario::Client& client = scenario.clients.emplace_back();
  client.name.assign(1, 'a');
  client.count = clients;
  client.steps.emplace_back(scenario::Checkout{});
  client.steps.emplace_back(scenario::Pause{hold});
  client.steps.emplace_back(scenario::Checkin{});
  return scenario;
}

/// The cost of one event of the Core, with its share of the world's and the oracle's work. Both
/// have grown to their size before: the largest crowds go round too seldom to share that out.
void each_event(benchmark::State& state, const scenario::Scenario& scenario) {
  constexpr sim::Limits kNone{UINT64_MAX};
  sim::World world;
  auto schedule = sim::Schedule::random(0);
  oracle::Judge judge;
  const auto once = [&] {
    schedule.restart(kSeed);
    const auto carried = world.carry_out(scenario, kSeed, schedule, kNone, wire::Codec::terse);
    const auto findings = judge.judge({scenario, world.trace(), {Duration::zero()}});
    if (!findings.empty()) state.SkipWithError(findings.front().what.c_str());
    return carried.core_events;
  };
  once();  // as in a sweep, the memory is there
  std::uint64_t events = 0;
  for ([[maybe_unused]] auto _ : state) events += once();
  state.SetItemsProcessed(static_cast<std::int64_t>(events));
}

void waiters(benchmark::State& state) {
  const auto clients = static_cast<std::uint32_t>(state.range(0));
  each_event(state, crowd(clients, 4, std::chrono::milliseconds(1)));
}

/// All of them live at once: nobody gives one back before the last has been started.
void workers(benchmark::State& state) {
  const auto workers = static_cast<std::uint32_t>(state.range(0));
  each_event(state, crowd(workers, workers, std::chrono::minutes(10)));
}

}  // namespace

void register_sweep() {
  benchmark::RegisterBenchmark("sweep/generate", generate);
  benchmark::RegisterBenchmark("sweep/carry_out/terse", carry_out, wire::Codec::terse);
  benchmark::RegisterBenchmark("sweep/carry_out/json", carry_out, wire::Codec::json);
  benchmark::RegisterBenchmark("sweep/case/terse", judged_case, wire::Codec::terse);
  benchmark::RegisterBenchmark("sweep/case/json", judged_case, wire::Codec::json);
  constexpr std::int64_t kMost = 100'000;
  benchmark::RegisterBenchmark("sweep/waiters", waiters)->RangeMultiplier(10)->Range(10, kMost);
  benchmark::RegisterBenchmark("sweep/workers", workers)->RangeMultiplier(10)->Range(10, kMost);
}

}  // namespace poolproof::bench
