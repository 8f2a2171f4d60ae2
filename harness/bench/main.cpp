// Runs the benchmarks. The files that add the rows say what is to be read from them.

#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <thread>

#include <benchmark/benchmark.h>

#include "harness/bench/pool_bench.hpp"
#include "harness/bench/sweep_bench.hpp"
#include "harness/bench/wire_bench.hpp"

namespace {

/// Keeps a thread alive: a mutex costs less in a process without threads, where its operations need
/// not be atomic, and every pool of workers has threads of its own.
void be_there(const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  never.wait(lock, stop, [] { return false; });
}

}  // namespace

int main(int argc, char** argv) {
  const std::jthread second(be_there);
  poolproof::bench::register_pools();
  poolproof::bench::register_core();
  poolproof::bench::register_sweep();
  poolproof::bench::register_wires();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 64;
  return benchmark::RunSpecifiedBenchmarks() > 0 ? 0 : 2;
}
