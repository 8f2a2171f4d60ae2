#include <atomic>
#include <future>
#include <vector>

#include "harness/host/pool_testing.hpp"

using namespace poolproof;
using namespace poolproof::host;
using namespace poolproof::host::testing;

namespace {

/// Lets somebody through once it is opened.
class Gate {
 public:
  ~Gate() { open(); }
  void pass() { opened_.wait(); }
  void open() {
    if (!std::exchange(is_open_, true)) promise_.set_value();
  }

 private:
  bool is_open_ = false;
  std::promise<void> promise_;
  std::shared_future<void> opened_{promise_.get_future()};
};

using Checkout = std::future<Result<Lease>>;

Checkout checkout_aside(Pool& pool, std::stop_token stop = {}, Duration timeout = kHang) {
  return std::async(std::launch::async,
                    [&pool, stop, timeout] { return pool.checkout(timeout, stop); });
}

}  // namespace

TEST_CASE_METHOD(PoolFixture,
                 "host: pool: a lazy pool starts a worker only when one is asked for") {
  Options options = fake();
  options.core.size = 2;
  const auto pool = open(options);
  CHECK(pool->statistics().counters.starts == 0);
  {
    Lease lease = leased(*pool);
    CHECK(echoes(lease, 1));
    CHECK(lease.worker() == WorkerId{0, 0});
  }
  Lease again = leased(*pool);
  CHECK(again.worker() == WorkerId{0, 0});
  CHECK(echoes(again, 2));
  CHECK(pool->statistics().counters.starts == 1);
}

TEST_CASE_METHOD(PoolFixture, "host: pool: an eager pool fills itself and stays full") {
  Options options = fake();
  options.core.size = 3;
  options.core.start = pool::StartMode::eager;
  const auto pool = open(options);
  REQUIRE(log.wait_until_ready(3));
  CHECK(pool->statistics().gauges.idle == 3);
  leased(*pool).discard();
  REQUIRE(log.wait_until_ready(4));
  CHECK(pool->statistics().gauges.idle == 3);
  CHECK(adds_up(pool->statistics()));
}

TEST_CASE_METHOD(PoolFixture, "host: pool: bad options are an error that names the option") {
  Options options = fake();
  options.core.size = 0;
  auto refused = Pool::open(options);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().where == "size");
  options = fake();
  options.framing.prefix_bytes = 3;
  CHECK(Pool::open(options).error().where == "prefix_bytes");
  options = fake();
  options.framing.max_frame_bytes = 0;
  CHECK(Pool::open(options).error().where == "max_frame_bytes");
  options.framing.max_frame_bytes = 100;
  CHECK(Pool::open(options).error().line() ==
        "max_frame_bytes: allows frames of 100 bytes, and the pool's own requests in the speech "
        "bridge take 120; at least 120");
  options.opaque = true;
  CHECK(Pool::open(options));
  options.opaque = false;
  options.framing.max_frame_bytes = 1000;
  options.framing.prefix_bytes = 1;
  options.speech = wire::Speech::lsp;
  CHECK(Pool::open(options));
  options = fake();
  options.core.idle_ping_interval = 1s;
  CHECK(Pool::open(options));
  options.speech = wire::Speech::json_rpc;
  CHECK(Pool::open(options).error().line() ==
        "idle_ping_interval_ms: is said of the speech json_rpc, which has no ping; the speech "
        "bridge or mcp, or 0");
  options.speech = wire::Speech::bridge;
  options.opaque = true;
  CHECK(Pool::open(options).error().line() ==
        "idle_ping_interval_ms: is said of opaque payloads, which have no ping; the speech bridge "
        "or mcp, or 0");
  options = fake();
  options.command.argv.clear();
  CHECK(Pool::open(options).error().where == "command");
}

TEST_CASE_METHOD(PoolFixture, "host: pool: whatever its options hold, one out of bounds is named") {
  const auto [spoil, line] = GENERATE(table<std::function<void(Options&)>, std::string>({
      {[](Options& o) { o.framing.wire = static_cast<wire::Wire>(77); }, "wire: is 77; 0 to 4"},
      {[](Options& o) { o.speech = static_cast<wire::Speech>(4); }, "speech: is 4; 0 to 3"},
      {[](Options& o) { o.on_exception = static_cast<pool::OnException>(7); },
       "on_exception: is 7; 0 to 1"},
      {[](Options& o) { o.framing.prefix_bytes = 3; }, "prefix_bytes: is 3; 1, 2, 4 or 8"},
      {[](Options& o) { o.checkout_timeout = -1us; },
       "checkout_timeout_ms: is -0.001 ms; at least 0 ms"},
      {[](Options& o) { o.call_timeout = -1s; }, "call_timeout_ms: is -1000 ms; at least 0 ms"},
      {[](Options& o) { o.close_timeout = -1s; }, "close_timeout_ms: is -1000 ms; at least 0 ms"},
      {[](Options& o) { o.leak_after = Duration::min(); },
       "leak_after_ms: is -9223372036854775.808 ms; at least 0 ms"},
  }));
  Options options = fake();
  spoil(options);
  const auto refused = Pool::open(options);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().line() == line);
}

TEST_CASE_METHOD(PoolFixture, "host: pool: who came first is served first") {
  const auto pool = open(fake());
  std::optional<Lease> held = leased(*pool);
  std::vector<std::future<bool>> clients;
  for (std::size_t i = 0; i < 5; ++i) {
    clients.push_back(std::async(std::launch::async, [&pool] {
      auto lease = pool->checkout();
      return lease && lease->call("echo", json::object()).has_value();
    }));
    REQUIRE(log.wait_for_events<pool::CheckoutRequested>(i + 2));
  }
  CHECK(pool->statistics().gauges.waiting == 5);
  held.reset();
  for (auto& client : clients) CHECK(client.get());
  const auto grants = log.effects<pool::Grant>();
  REQUIRE(grants.size() == 6);
  for (std::size_t i = 0; i < grants.size(); ++i) CHECK(grants[i].checkout == CheckoutId{i + 1});
}

TEST_CASE_METHOD(PoolFixture,
                 "host: pool: a checkout without patience takes an idle worker or none") {
  Options options = fake();
  const auto pool = open(options);
  auto none = pool->checkout(0ms);
  REQUIRE_FALSE(none);
  CHECK(none.error().kind == Outcome::checkout_timeout);
  std::optional<Lease> held = leased(*pool);
  none = pool->checkout(0ms);
  REQUIRE_FALSE(none);
  CHECK(none.error().kind == Outcome::checkout_timeout);
  CHECK(none.error().phase == Phase::queued);
  CHECK(contains(none.error().message, "all workers are busy: 1 leased"));
  CHECK(none.error().retryable);
  held.reset();
  CHECK(pool->checkout(0ms).has_value());
  CHECK(pool->checkout(-1s).has_value());
}

TEST_CASE_METHOD(PoolFixture, "host: pool: one client too many is refused at once") {
  Options options = fake();
  options.core.waiters_max = 1;
  const auto pool = open(options);
  std::optional<Lease> held = leased(*pool);
  auto waiting = checkout_aside(*pool);
  REQUIRE(log.wait_for_events<pool::CheckoutRequested>(2));
  const auto refused = pool->checkout();
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind == Outcome::queue_full);
  CHECK(contains(refused.error().message, "waiters_max 1"));
  held.reset();
  CHECK(waiting.get().has_value());
  CHECK(adds_up(pool->statistics()));
}

TEST_CASE_METHOD(PoolFixture, "host: pool: a waiting client can be called off") {
  const auto pool = open(fake());
  std::optional<Lease> held = leased(*pool);
  std::stop_source stop;
  auto waiting = checkout_aside(*pool, stop.get_token());
  REQUIRE(log.wait_for_events<pool::CheckoutRequested>(2));
  stop.request_stop();
  CHECK(outcome_of(waiting.get()) == Outcome::cancelled);
  SECTION("also before it begins to wait") {
    CHECK(outcome_of(pool->checkout({}, stop.get_token())) == Outcome::cancelled);
  }
  CHECK(pool->statistics().gauges.waiting == 0);
  held.reset();
  CHECK(pool->checkout(0ms).has_value());
}

TEST_CASE_METHOD(PoolFixture, "host: pool: a stop that comes as the lease does loses no worker") {
  const auto pool = open(fake());
  for (int round = 0; round < 30; ++round) {
    std::optional<Lease> held = leased(*pool);
    std::stop_source stop;
    auto waiting = checkout_aside(*pool, stop.get_token());
    REQUIRE(log.wait_for_events<pool::CheckoutRequested>(static_cast<std::size_t>(2 * round + 2)));
    std::thread stopper([&] { stop.request_stop(); });
    held.reset();
    stopper.join();
    const auto outcome = outcome_of(waiting.get());
    CHECK((outcome == Outcome::ok || outcome == Outcome::cancelled));
  }
  const auto statistics = pool->statistics();
  CHECK(statistics.gauges.idle == 1);
  CHECK(statistics.counters.starts == 1);
  CHECK(adds_up(statistics));
}

TEST_CASE_METHOD(PoolFixture, "host: pool: a checkout ends at its deadline and costs no worker") {
  const auto pool = open(fake());
  std::optional<Lease> held = leased(*pool);
  const Time before = sys::now();
  const auto late = pool->checkout(50ms);
  const Duration waited = sys::now() - before;
  REQUIRE_FALSE(late);
  CHECK(late.error().kind == Outcome::checkout_timeout);
  CHECK(waited >= 50ms);
  CHECK(waited < 20s);
  CHECK(echoes(*held, 1));
  held.reset();
  Lease lease = leased(*pool);
  CHECK(lease.worker() == WorkerId{0, 0});
}

TEST_CASE_METHOD(PoolFixture, "host: pool: a deadline holds while no thread of the pool can move") {
  Gate gate;  // in the reactor's way
  Options options = fake();
  options.command_for = [&, command = options.command](WorkerId) {
    gate.pass();
    return command;
  };
  const auto pool = open(options);
  const auto late = pool->checkout(20ms);
  REQUIRE_FALSE(late);
  CHECK(late.error().kind == Outcome::checkout_timeout);
  CHECK(late.error().phase == Phase::starting);
  CHECK(contains(late.error().message, "slot 0 is still starting (no process yet after"));
  SECTION("and the worker that comes after its client has left is kept") {
    gate.open();
    REQUIRE(log.wait_until_ready());
    CHECK(pool->checkout(0ms).has_value());
    CHECK(pool->statistics().counters.starts == 1);
  }
  gate.open();
}

TEST_CASE_METHOD(PoolFixture, "host: pool: a late checkout says whether the ping has been read") {
  const Folder folder;
  const std::string read = folder.file("read");
  std::stop_source stop;
  SECTION("unread") {
    const auto pool = open(script("exec sleep 1000"));
    auto waiting = checkout_aside(*pool, stop.get_token());
    REQUIRE(log.wait_for_effects<pool::BeginHandshake>());
    std::string message;
    const bool told = comes_true([&] {
      message = pool->checkout(1ms).error().message;
      return contains(message, "its ping is unread (") || contains(message, "has read its ping");
    });
    CHECK(told);
    CHECK(contains(message, "its ping is unread ("));
    CHECK(contains(message, "pid "));
    CHECK(contains(message, "The start-up budget (60000 ms) is longer than the checkout timeout"));
    stop.request_stop();
    CHECK(outcome_of(waiting.get()) == Outcome::cancelled);
  }
  SECTION("read") {
    const auto pool = open(
        script("dd of=/dev/null bs=4096 count=1 2>/dev/null; : > '" + read + "'; exec sleep 1000"));
    auto waiting = checkout_aside(*pool, stop.get_token());
    REQUIRE(appears(read));
    const auto late = pool->checkout(1ms);
    REQUIRE_FALSE(late);
    CHECK(late.error().phase == Phase::handshake);
    CHECK(contains(late.error().message, "it has read its ping and not answered yet"));
    stop.request_stop();
    CHECK(outcome_of(waiting.get()) == Outcome::cancelled);
  }
}

TEST_CASE_METHOD(PoolFixture,
                 "host: pool: init mode blocking serves nobody while a worker greets") {
  const bool blocking = GENERATE(false, true);
  Options options = fake();
  options.core.size = 2;
  options.core.init_mode = blocking ? pool::InitMode::blocking : pool::InitMode::async;
  Command never = options.command;
  never.argv = {"/bin/sh", "-c", "exec sleep 1000"};
  options.command_for = [sound = options.command, never](WorkerId worker) {
    return worker.slot == 0 ? sound : never;
  };
  const auto pool = open(options);
  std::optional<Lease> held = leased(*pool);
  std::stop_source stop;
  auto waiting = checkout_aside(*pool, stop.get_token());
  REQUIRE(log.wait_for_events<pool::Started>(2));
  held.reset();
  if (!blocking) {
    auto lease = waiting.get();
    REQUIRE(lease);
    CHECK(lease->worker().slot == 0);
    return;
  }
  CHECK(pool->statistics().gauges.idle == 1);
  const auto refused = pool->checkout(0ms);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind == Outcome::checkout_timeout);
  CHECK(refused.error().cause == StartCause::behind_another_start);
  CHECK(contains(refused.error().message, "init_mode is blocking"));
  stop.request_stop();
  CHECK(outcome_of(waiting.get()) == Outcome::cancelled);
}

TEST_CASE_METHOD(PoolFixture, "host: pool: idle workers are leased in the order that was chosen") {
  const bool first_in = GENERATE(false, true);
  Options options = fake();
  options.core.size = 2;
  options.core.reuse = first_in ? pool::Reuse::first_in_first_out : pool::Reuse::last_in_first_out;
  const auto pool = open(options);
  Lease a = leased(*pool);
  Lease b = leased(*pool);
  const WorkerId first = a.worker();
  const WorkerId last = b.worker();
  CHECK(first != last);
  a.checkin();
  b.checkin();
  CHECK(leased(*pool).worker() == (first_in ? first : last));
}

TEST_CASE_METHOD(PoolFixture, "host: pool: 256 clients share 64 workers") {
  constexpr int kClients = 256;
  constexpr int kCalls = 4;
  Options options = fake();
  options.core.size = 64;
  options.core.starts_max = 16;
  const auto pool = open(options);
  std::atomic<int> good{0};
  {
    std::vector<std::jthread> clients;
    for (int client = 0; client < kClients; ++client) {
      clients.emplace_back([&, client] {
        for (int call = 0; call < kCalls; ++call) {
          auto lease = pool->checkout();
          if (!lease) continue;
          const int number = client * kCalls + call;
          const auto reply = lease->call("echo", {{"n", number}});
          good += reply && reply->result->value("n", -1) == number ? 1 : 0;
        }
      });
    }
  }
  CHECK(good == kClients * kCalls);
  const auto statistics = pool->statistics();
  CHECK(statistics.counters.granted == kClients * kCalls);
  CHECK(statistics.counters.returned_clean == kClients * kCalls);
  CHECK(statistics.counters.starts <= 64);
  CHECK(adds_up(statistics));
  CHECK(pool->close(kHang));
}

TEST_CASE_METHOD(PoolFixture, "host: checkout: an endless timeout is none") {
  const auto pool = open(fake());
  auto lease = pool->checkout(std::chrono::seconds::max());
  REQUIRE(lease);
  CHECK(lease->call("echo", {{"n", 1}}, std::chrono::hours::max()));
}

TEST_CASE_METHOD(PoolFixture,
                 "host: pool: it is not at rest before it has the workers that it keeps") {
  Options options = fake();
  options.core.size = 2;
  SECTION("an eager one that lets idle workers go") {
    options.core.start = pool::StartMode::eager;
    options.core.idle_timeout = kHang;
  }
  SECTION("a lazy one that keeps some idle") {
    options.core.min_idle = 2;
  }
  const auto pool = open(options);
  CHECK(pool->wait_until_quiescent(kHang));
  CHECK(pool->statistics().gauges.idle == 2);
}

TEST_CASE_METHOD(PoolFixture,
                 "host: pool: while a failure holds its starts back it is not at rest") {
  Options options = program({"/no/such/program"});
  options.core.start = pool::StartMode::eager;
  options.core.idle_timeout = kHang;
  options.core.backoff_initial = options.core.backoff_max = kHang;
  options.core.breaker_open = kHang;
  options.core.breaker_failures = GENERATE(0U, 1U);
  const auto pool = open(options);
  REQUIRE(log.wait_for_events<pool::StartFailed>());
  CHECK_FALSE(pool->wait_until_quiescent(50ms));
}
