#include "harness/bench/pool_bench.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <sched.h>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "harness/base/assert.hpp"
#include "harness/bench/reference_pools.hpp"
#include "harness/host/arguments.hpp"
#include "harness/host/pool_types.hpp"
#include "harness/host/system.hpp"
#include "harness/wire/envelope.hpp"
#include "harness/wire/framing.hpp"
#include "harness/worlds/host_world.hpp"

/// What the pool costs, beside the least that a pool can be and beside no pool at all.
///
/// Read the rows as ratios within one run: `checkout/POOL/WxC` is a checkout and a check-in by C
/// clients on W workers, `echo/POOL/WxC` the same with an echo of 100 bytes in between. All rows
/// talk to the same worker (echo_worker) and wait for it with the same poll set. Where a client
/// waits, for others or for a worker, `longest_us` is the longest operation of all. POOL is
///   raw         no pool: each client has a worker of its own, and as many clients as workers
///   fifo        a mutex, a queue, and a condition for each who waits: strict order, timed
///   fifo2       the same, but who was granted is woken after the mutex is free
///   overtaking  a mutex and one condition, no order
///   pool        checkout of Poolproof's pool
///   call_bytes  echo of Poolproof's pool, opaque
///   call        echo of Poolproof's pool, JSON
/// One client alone is pinned to one core with its worker: to wake a process on another, idle core
/// costs ten times as much.
namespace poolproof::bench {
namespace {

using nlohmann::json;
using namespace std::chrono_literals;

constexpr Duration kLong = 60s;
constexpr std::size_t kEchoed = 100;

/// So many workers and clients.
struct Mix {
  std::uint32_t workers;
  int clients;
};
bool crowded(Mix mix) {
  return static_cast<int>(mix.workers) < mix.clients;
}

constexpr std::array kMixes{Mix{1, 1}, Mix{4, 4}, Mix{4, 16}, Mix{8, 64}};
/// A checkout among so many may cost at most twice of what it costs among few. Of many waiters the
/// rows `core/turn` tell.
constexpr std::array kCrowds{Mix{10, 1}, Mix{1000, 1}, Mix{10, 100}};

enum class Program : std::uint8_t { echo_worker, fake_worker, python };

host::Command command_of(Program program, bool pinned) {
  const auto programs = worlds::find_programs();
  host::Command command;
  command.env = {"PATH=/usr/bin:/bin", "LANG=C.UTF-8", "PYTHONPATH=" + programs.python_path};
  if (pinned) command.argv = {"/usr/bin/taskset", "-c", "0"};
  if (program == Program::echo_worker) {
    command.argv.push_back(POOLPROOF_ECHO_WORKER);
  } else if (program == Program::fake_worker) {
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

/// A worker without a pool.
class BareWorker {
 public:
  BareWorker(Program program, bool pinned) {
    auto child = host::launch(command_of(program, pinned));
    POOLPROOF_ASSERT(child.has_value());
    child_ = std::move(*child);
  }
  ~BareWorker() {
    child_.stdin_end.reset();
    (void)host::sys::reap(child_.pidfd.get());
  }
  BareWorker(const BareWorker&) = delete;
  BareWorker& operator=(const BareWorker&) = delete;

  bool exchange(std::string_view frame) {
    std::array<char, 4096> reply;  // NOLINT(*-member-init): what was read is not looked at
    std::array<pollfd, 2> fds{
        {{child_.stdout_end.get(), POLLIN, 0}, {child_.pidfd.get(), POLLIN, 0}}};
    return host::sys::write(child_.stdin_end.get(), frame) == frame.size() &&
           host::sys::poll(fds, kLong).value_or(0) > 0 &&
           host::sys::read(child_.stdout_end.get(), reply).value_or(0) > 0;
  }

 private:
  host::Child child_;
};

/// Of the row that runs: of all its threads.
std::unique_ptr<host::Pool> the_pool;
std::unique_ptr<ReferencePool> the_reference;
std::vector<std::unique_ptr<BareWorker>> the_workers;

/// What nobody gets before all clients ask for it.
std::vector<host::Lease> the_held_leases;
std::vector<int> the_held_numbers;

/// The longest operation of each client, where it is measured.
struct alignas(64) Longest {
  std::chrono::steady_clock::duration time{};
};
std::vector<Longest> the_longest;

void let_go() {
  the_held_leases.clear();
  for (const int number : the_held_numbers) the_reference->checkin(number);
  the_held_numbers.clear();
}

void close_all() {
  let_go();
  the_pool.reset();
  the_reference.reset();
  the_workers.clear();
}

std::size_t waiting() {
  return the_pool ? the_pool->statistics().gauges.waiting : the_reference->waiting();
}

/// Where there are more clients than workers the first thread waits until all the others wait: who
/// came first would do its part alone otherwise, and wait for nobody.
void gather(const benchmark::State& state) {
  if (state.thread_index() != 0 || (the_held_leases.empty() && the_held_numbers.empty())) return;
  const auto others = static_cast<std::size_t>(state.threads()) - 1;
  while (waiting() < others) std::this_thread::yield();
  let_go();
}

/// The operation, and where it is wanted its time. To look at the clock twice costs as much as a
/// checkout that waits for nobody.
template <class Operation>
bool timed(std::size_t thread, bool wanted, const Operation& operation) {
  if (!wanted) return operation(thread);
  const auto begun = std::chrono::steady_clock::now();
  const bool done = operation(thread);
  auto& longest = the_longest[thread].time;
  longest = std::max(longest, std::chrono::steady_clock::now() - begun);
  return done;
}

void report_longest(benchmark::State& state) {
  const auto least = [](const Longest& one, const Longest& other) { return one.time < other.time; };
  const auto longest = std::ranges::max(the_longest, least).time;
  if (longest == longest.zero()) return;  // nobody did more than one
  state.counters["longest_us"] = std::chrono::duration<double, std::micro>(longest).count();
}

/// One row: the first thread, which is the program's and outlives its workers, prepares and cleans
/// up beside the clock. `waits`: an operation waits, for other clients or for a worker.
template <class Prepare, class Operation>
void measure(benchmark::State& state, bool waits, Prepare prepare, Operation operation) {
  if (state.thread_index() == 0) {
    the_longest.assign(static_cast<std::size_t>(state.threads()), {});
    prepare();
  }
  const Pinned pinned(state.threads() == 1);
  bool begun = false;
  for ([[maybe_unused]] auto _ : state) {
    const bool first = !std::exchange(begun, true);
    if (first) gather(state);
    // The first one also waits until all clients are there.
    if (timed(static_cast<std::size_t>(state.thread_index()), waits && !first, operation)) continue;
    state.SkipWithError("a checkout or a call failed");
    break;
  }
  state.SetItemsProcessed(state.iterations());
  if (state.thread_index() != 0) return;
  if (waits) report_longest(state);
  close_all();
}

// ---- references ---------------------------------------------------------------------------------

enum class Reference : std::uint8_t { fifo, fifo2, overtaking };
constexpr std::array kReferenceNames{"fifo", "fifo2", "overtaking"};

void open_reference(Reference which, Mix mix) {
  const std::uint32_t size = mix.workers;
  if (which == Reference::overtaking) {
    the_reference = std::make_unique<OvertakingPool>(size);
  } else {
    const bool under_mutex = which == Reference::fifo;
    the_reference = std::make_unique<FifoPool>(
        size, under_mutex ? FifoPool::Wake::under_mutex : FifoPool::Wake::after_mutex);
  }
  if (!crowded(mix)) return;
  while (the_held_numbers.size() < size) {
    the_held_numbers.push_back(the_reference->checkout(kLong));
  }
}

std::string opaque_frame() {
  return *wire::encode_frame(wire::Framing{}, std::string(kEchoed, 'x'));
}

/// Greeted: the first reply pays the start.
void start_workers(Mix mix) {
  for (std::uint32_t i = 0; i < mix.workers; ++i) {
    the_workers.push_back(std::make_unique<BareWorker>(Program::echo_worker, mix.clients == 1));
    POOLPROOF_ASSERT(the_workers.back()->exchange(opaque_frame()));
  }
}

void checkout_reference(benchmark::State& state, Reference which, Mix mix) {
  measure(
      state, crowded(mix), [&] { open_reference(which, mix); },
      [](std::size_t) {
        const int number = the_reference->checkout(kLong);
        if (number >= 0) the_reference->checkin(number);
        return number >= 0;
      });
}

void echo_reference(benchmark::State& state, Reference which, Mix mix) {
  const auto prepare = [&] {
    open_reference(which, mix);
    start_workers(mix);
  };
  measure(state, true, prepare, [frame = opaque_frame()](std::size_t) {
    const int number = the_reference->checkout(kLong);
    if (number < 0) return false;
    const bool answered = the_workers[static_cast<std::size_t>(number)]->exchange(frame);
    the_reference->checkin(number);
    return answered;
  });
}

void echo_raw(benchmark::State& state, Mix mix) {
  measure(
      state, true, [&] { start_workers(mix); },
      [frame = opaque_frame()](std::size_t thread) {
        return the_workers[thread]->exchange(frame);
      });
}

// ---- Poolproof's pool ---------------------------------------------------------------------------

enum class Payloads : std::uint8_t { opaque, envelopes };

/// Full and greeted.
void open_pool(Program program, Payloads payloads, Mix mix) {
  host::Options options;
  options.core.size = mix.workers;
  options.core.start = pool::StartMode::eager;
  options.core.startup_budget = kLong;
  options.core.starts_max = mix.workers;
  options.core.shutdown_grace = 1ms;  // the echo worker knows no request but the echo
  options.core.waiters_max = static_cast<std::uint32_t>(mix.clients);
  options.opaque = payloads == Payloads::opaque;
  options.command = command_of(program, mix.clients == 1);
  auto opened = host::Pool::open(std::move(options));
  POOLPROOF_ASSERT(opened.has_value());
  the_pool = std::move(*opened);
  std::vector<host::Lease> all;
  for (std::uint32_t i = 0; i < mix.workers; ++i) {
    auto lease = the_pool->checkout(kLong);
    POOLPROOF_ASSERT(lease.has_value());
    // An opaque worker is greeted by nobody else.
    if (payloads == Payloads::opaque) POOLPROOF_ASSERT(lease->call_bytes("a", kLong).has_value());
    all.push_back(std::move(*lease));
  }
  if (crowded(mix)) the_held_leases = std::move(all);
}

void checkout_pool(benchmark::State& state, Mix mix) {
  measure(
      state, crowded(mix), [&] { open_pool(Program::echo_worker, Payloads::opaque, mix); },
      [](std::size_t) { return the_pool->checkout(kLong).has_value(); });
}

void echo_call_bytes(benchmark::State& state, Mix mix) {
  measure(
      state, true, [&] { open_pool(Program::echo_worker, Payloads::opaque, mix); },
      [payload = std::string(kEchoed, 'x')](std::size_t) {
        auto lease = the_pool->checkout(kLong);
        return lease && lease->call_bytes(payload, kLong);
      });
}

void echo_call(benchmark::State& state, Program program, Mix mix) {
  constexpr std::string_view kAround = R"({"text":""})";
  measure(
      state, true, [&] { open_pool(program, Payloads::envelopes, mix); },
      [args = json{{"text", std::string(kEchoed - kAround.size(), 'x')}}](std::size_t) {
        auto lease = the_pool->checkout(kLong);
        return lease && lease->call("echo", args, kLong);
      });
}

// ---- rows ---------------------------------------------------------------------------------------

template <class Row, class... Parts>
benchmark::internal::Benchmark* add(const std::string& name, Mix mix, int threads, Row row,
                                    Parts... parts) {
  const std::string full = fmt::format("{}/{}x{}", name, mix.workers, mix.clients);
  const auto measured = [=](benchmark::State& state) { row(state, parts..., mix); };
  auto* const added = benchmark::RegisterBenchmark(full.c_str(), measured);
  return added->Threads(threads)->UseRealTime();
}

}  // namespace

void register_pools() {
  for (const Mix mix : kMixes) {
    add("checkout/pool", mix, mix.clients, checkout_pool);
    add("echo/call_bytes", mix, mix.clients, echo_call_bytes);
    add("echo/call", mix, mix.clients, echo_call, Program::echo_worker);
    add("echo/raw", mix, std::min(mix.clients, static_cast<int>(mix.workers)), echo_raw);
    for (const auto which : {Reference::fifo, Reference::fifo2, Reference::overtaking}) {
      const std::string name = kReferenceNames[static_cast<std::size_t>(which)];
      add("checkout/" + name, mix, mix.clients, checkout_reference, which);
      add("echo/" + name, mix, mix.clients, echo_reference, which);
    }
  }
  for (const Mix mix : kCrowds) {
    // So many in all: to find a number out would mean to start the workers again and again.
    constexpr int kCheckouts = 200'000;
    add("crowd/pool", mix, mix.clients, checkout_pool)->Iterations(kCheckouts / mix.clients);
  }
  add("echo/fake_worker", {1, 1}, 1, echo_call, Program::fake_worker);
  add("echo/python", {1, 1}, 1, echo_call, Program::python);
}

}  // namespace poolproof::bench
