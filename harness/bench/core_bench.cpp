#include <cstdint>
#include <variant>
#include <vector>

#include <benchmark/benchmark.h>

#include "harness/bench/pool_bench.hpp"
#include "harness/pool/core.hpp"

/// What the Core alone costs, without threads and processes.
namespace poolproof::bench {
namespace {

using namespace std::chrono_literals;

/// A client who comes and gives up at once, beside so many who wait on.
void come_and_go(benchmark::State& state) {
  const auto waiting = static_cast<std::uint64_t>(state.range(0));
  pool::Config config;
  config.size = 1;
  config.waiters_max = static_cast<std::uint32_t>(waiting) + 1;
  pool::Core core(config);
  std::vector<pool::Effect> effects;
  constexpr Time kNow{1s};  // it stands: no start comes to its end
  std::uint64_t last = 0;
  const auto come = [&] {
    core.step(kNow, pool::CheckoutRequested{CheckoutId{++last}, after(kNow, 1h)}, effects);
  };
  while (last < waiting) come();
  for ([[maybe_unused]] auto _ : state) {
    effects.clear();
    come();
    core.step(kNow, pool::CheckoutCancelled{CheckoutId{last}}, effects);
  }
  if (core.gauges().waiting != waiting) state.SkipWithError("they did not wait on");
  state.SetItemsProcessed(state.iterations());
}

/// A worker comes back, the first of so many waiters gets it, and its client asks again.
void turn(benchmark::State& state) {
  const auto waiting = static_cast<std::uint64_t>(state.range(0));
  pool::Config config;
  config.size = 1;
  config.waiters_max = static_cast<std::uint32_t>(waiting) + 1;
  pool::Core core(config);
  std::vector<pool::Effect> effects;
  constexpr Time kNow{1s};
  std::uint64_t last = 0;
  const auto step = [&](const pool::Event& event) { core.step(kNow, event, effects); };
  const auto come = [&] { step(pool::CheckoutRequested{CheckoutId{++last}, after(kNow, 1h)}); };
  come();
  step(pool::Started{{0, 0}});
  step(pool::HandshakeEnded{{0, 0}, {}});
  const pool::Effect first = effects.back();
  while (last <= waiting) come();
  effects.assign(1, first);
  for ([[maybe_unused]] auto _ : state) {
    const auto* const granted = std::get_if<pool::Grant>(&effects.back());
    if (granted == nullptr) {
      state.SkipWithError("nobody was granted");
      break;
    }
    const LeaseId lease = granted->lease;
    effects.clear();
    come();
    step(pool::CheckedIn{lease, true});
  }
  state.SetItemsProcessed(state.iterations());
}

}  // namespace

void register_core() {
  benchmark::RegisterBenchmark("core/turn", turn)->Arg(10)->Arg(1000)->Arg(10'000);
  benchmark::RegisterBenchmark("core/come_and_go", come_and_go)->Arg(1)->Arg(1000)->Arg(100'000);
}

}  // namespace poolproof::bench
