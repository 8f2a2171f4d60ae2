// Checkout concurrency, and what the pool costs on top of the bare pipe.
//
// Read the rows as ratios within one run:
//   checkout/pool against checkout/free_list   the pool's bookkeeping against the least that can be
//   done echo/pool     against echo/raw             a whole call against the same bytes with the
//   same poll set
// Single pairs are pinned to one core: waking a process on another, idle core costs ten times as
// much.

#include <array>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <sched.h>
#include <vector>

#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "harness/base/assert.hpp"
#include "harness/bench/sweep_bench.hpp"
#include "harness/host/arguments.hpp"
#include "harness/host/pool_types.hpp"
#include "harness/host/system.hpp"
#include "harness/pool/core.hpp"
#include "harness/wire/envelope.hpp"
#include "harness/wire/framing.hpp"
#include "harness/worlds/host_world.hpp"

namespace poolproof::bench {
namespace {

using nlohmann::json;
using namespace std::chrono_literals;

enum Worker : std::int64_t { fake, python };
constexpr std::uint32_t kWorkers = 4;

host::Command command_of(std::int64_t worker, bool pinned) {
  const auto programs = worlds::find_programs();
  host::Command command;
  command.env = {"PATH=/usr/bin:/bin", "LANG=C.UTF-8", "PYTHONPATH=" + programs.python_path};
  if (pinned) command.argv = {"/usr/bin/taskset", "-c", "0"};
  if (worker == fake) {
    command.argv.push_back(programs.fake_worker);
  } else {
    command.argv.insert(command.argv.end(), {programs.python, "-m", "poolproof_worker"});
  }
  return command;
}

/// Keeps the calling thread on core 0 while it lives.
class Pinned {
 public:
  explicit Pinned(bool wanted) : wanted_(wanted) {
    if (!wanted_) return;
    sched_getaffinity(0, sizeof before_, &before_);
    cpu_set_t first;
    CPU_ZERO(&first);
    CPU_SET(0, &first);
    sched_setaffinity(0, sizeof first, &first);
  }
  ~Pinned() {
    if (wanted_) sched_setaffinity(0, sizeof before_, &before_);
  }
  Pinned(const Pinned&) = delete;
  Pinned& operator=(const Pinned&) = delete;

 private:
  bool wanted_;
  cpu_set_t before_{};
};

/// One pool for all threads of a benchmark, full and greeted before the clock starts.
std::unique_ptr<host::Pool> the_pool;

void open_pool(std::int64_t worker, std::uint32_t size, bool pinned) {
  host::Options options;
  options.core.size = size;
  options.core.start = pool::StartMode::eager;
  options.core.startup_budget = std::chrono::seconds(60);
  options.command = command_of(worker, pinned);
  auto opened = host::Pool::open(std::move(options));
  POOLPROOF_ASSERT(opened.has_value());
  the_pool = std::move(*opened);
  std::vector<host::Lease> all;
  for (std::uint32_t i = 0; i < size; ++i) {
    auto lease = the_pool->checkout(std::chrono::seconds(60));
    POOLPROOF_ASSERT(lease.has_value());
    all.push_back(std::move(*lease));
  }
}

void close_pool(const benchmark::State&) {
  the_pool.reset();
}

// ---- checkout -----------------------------------------------------------------------------------

/// The least a pool can do: a mutex, a stack of free workers, a condition.
struct FreeList {
  std::mutex mutex;
  std::condition_variable returned;
  std::vector<int> free{0, 1, 2, 3};
};
FreeList the_list;

void checkout_free_list(benchmark::State& state) {
  for (auto _ : state) {
    int worker = -1;
    {
      std::unique_lock lock(the_list.mutex);
      the_list.returned.wait(lock, [] { return !the_list.free.empty(); });
      worker = the_list.free.back();
      the_list.free.pop_back();
    }
    benchmark::DoNotOptimize(worker);
    {
      const std::lock_guard lock(the_list.mutex);
      the_list.free.push_back(worker);
    }
    the_list.returned.notify_one();
  }
}

void checkout_pool(benchmark::State& state) {
  for (auto _ : state) {
    auto lease = the_pool->checkout(std::chrono::seconds(60));
    if (!lease) state.SkipWithError(lease.error().message.c_str());
  }
}

// ---- echo ---------------------------------------------------------------------------------------

/// The same bytes over the same pipes with the same poll set, and nothing else.
void echo_raw(benchmark::State& state) {
  const Pinned pinned(true);
  auto child = host::launch(command_of(state.range(0), true));
  POOLPROOF_ASSERT(child.has_value());
  const wire::Framing framing;
  const auto frame = wire::encode_frame(
      framing, wire::encode_request(1, "echo", json{{"n", 1}}, "2026-01-01T00:00:00.000Z"));
  POOLPROOF_ASSERT(frame.has_value());
  std::array<char, 4096> reply{};
  const auto exchange = [&] {
    POOLPROOF_ASSERT(host::sys::write(child->stdin_end.get(), *frame) == frame->size());
    std::array<pollfd, 2> fds{
        {{child->stdout_end.get(), POLLIN, 0}, {child->pidfd.get(), POLLIN, 0}}};
    POOLPROOF_ASSERT(host::sys::poll(fds, std::chrono::seconds(60)).value_or(0) > 0);
    POOLPROOF_ASSERT(host::sys::read(child->stdout_end.get(), reply).value_or(0) > 4);
  };
  exchange();  // the first reply also pays for the start
  for (auto _ : state) exchange();
  child->stdin_end.reset();
  (void)host::sys::reap(child->pidfd.get());
}

void echo_pool(benchmark::State& state) {
  const Pinned pinned(state.threads() == 1);
  const json args{{"n", 1}};
  for (auto _ : state) {
    auto lease = the_pool->checkout(std::chrono::seconds(60));
    if (!lease) {
      state.SkipWithError(lease.error().message.c_str());
      break;
    }
    const auto reply = lease->call("echo", args, std::chrono::seconds(60));
    if (!reply) state.SkipWithError(reply.error().message.c_str());
  }
}

/// A client who comes and gives up at once, beside so many who wait on: the Core alone.
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

void open_one_pinned(const benchmark::State& state) {
  open_pool(state.range(0), 1, true);
}
void open_four(const benchmark::State& state) {
  open_pool(state.range(0), kWorkers, false);
}
void open_four_fake(const benchmark::State&) {
  open_pool(fake, kWorkers, false);
}

void register_all() {
  benchmark::RegisterBenchmark("checkout/free_list", checkout_free_list)
      ->Threads(1)
      ->Threads(4)
      ->Threads(16)
      ->UseRealTime();
  benchmark::RegisterBenchmark("checkout/pool", checkout_pool)
      ->Setup(open_four_fake)
      ->Teardown(close_pool)
      ->Threads(1)
      ->Threads(4)
      ->Threads(16)
      ->UseRealTime();
  benchmark::RegisterBenchmark("core/come_and_go", come_and_go)->Arg(1)->Arg(1000)->Arg(100'000);
  for (const auto& [worker, name] : {std::pair{fake, "fake"}, std::pair{python, "python"}}) {
    benchmark::RegisterBenchmark(fmt::format("echo/raw/{}", name).c_str(), echo_raw)
        ->Arg(worker)
        ->UseRealTime();
    benchmark::RegisterBenchmark(fmt::format("echo/pool/{}", name).c_str(), echo_pool)
        ->Arg(worker)
        ->Setup(open_one_pinned)
        ->Teardown(close_pool)
        ->Threads(1)
        ->UseRealTime();
    benchmark::RegisterBenchmark(fmt::format("echo/pool_of_4/{}", name).c_str(), echo_pool)
        ->Arg(worker)
        ->Setup(open_four)
        ->Teardown(close_pool)
        ->Threads(4)
        ->Threads(16)
        ->UseRealTime();
  }
}

}  // namespace
}  // namespace poolproof::bench

int main(int argc, char** argv) {
  poolproof::bench::register_all();
  poolproof::bench::register_sweep();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 64;
  return benchmark::RunSpecifiedBenchmarks() > 0 ? 0 : 2;
}
