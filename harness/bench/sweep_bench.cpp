#include "harness/bench/sweep_bench.hpp"

#include <cstdint>

#include <benchmark/benchmark.h>

#include "harness/oracle/coverage.hpp"
#include "harness/oracle/oracle.hpp"
#include "harness/run/case.hpp"
#include "harness/scenario/generate.hpp"
#include "harness/sim/world.hpp"

/// What generated scenarios cost, stage by stage, always the same thousand of them: `sweep/case` is
/// all stages together. The rate `events` is that of the Core's events.
namespace poolproof::bench {
namespace {

constexpr std::uint64_t kSeed = 1;
constexpr std::uint64_t kCases = 1000;

template <class Work>
void each_case(benchmark::State& state, Work work) {
  run::CaseRunner runner;
  std::uint64_t events = 0;
  for ([[maybe_unused]] auto _ : state) {
    for (std::uint64_t number = 0; number < kCases; ++number) {
      const auto& scenario = runner.make(run::case_seed(kSeed, number));
      events += work(runner, scenario);
    }
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * kCases));
  state.counters["events"] =
      benchmark::Counter(static_cast<double>(events), benchmark::Counter::kIsRate);
}

void generate(benchmark::State& state) {
  each_case(state, [](run::CaseRunner&, const scenario::Scenario& scenario) {
    return scenario.clients.size();
  });
}

void carry_out(benchmark::State& state, wire::Codec codec) {
  sim::World world;
  auto schedule = sim::Schedule::random(0);
  each_case(state, [&](run::CaseRunner&, const scenario::Scenario& scenario) {
    schedule.restart(scenario.seed);
    return world.carry_out(scenario, scenario.seed, schedule, {}, codec).core_events;
  });
}

void judged_case(benchmark::State& state, wire::Codec codec) {
  each_case(state, [codec](run::CaseRunner& runner, const scenario::Scenario& scenario) {
    const auto result = runner.run_made(codec);
    benchmark::DoNotOptimize(
        oracle::coverage({scenario, runner.trace(), {Duration::zero()}}).count());
    return result.core_events;
  });
}

}  // namespace

void register_sweep() {
  benchmark::RegisterBenchmark("sweep/generate", generate);
  benchmark::RegisterBenchmark("sweep/carry_out/terse", carry_out, wire::Codec::terse);
  benchmark::RegisterBenchmark("sweep/carry_out/json", carry_out, wire::Codec::json);
  benchmark::RegisterBenchmark("sweep/case/terse", judged_case, wire::Codec::terse);
  benchmark::RegisterBenchmark("sweep/case/json", judged_case, wire::Codec::json);
}

}  // namespace poolproof::bench
