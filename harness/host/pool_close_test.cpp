#include <array>
#include <csignal>
#include <future>
#include <vector>

#include "harness/host/pool_testing.hpp"

using namespace poolproof;
using namespace poolproof::host;
using namespace poolproof::host::testing;

namespace {

/// The rungs of the ladder that were stood on, in order.
std::string rungs(const EventLog& log) {
  std::string text;
  for (const auto& entry : log.entries()) {
    for (const auto& effect : entry.effects) {
      if (const auto* stop = std::get_if<pool::Stop>(&effect)) {
        text +=
            std::array{"ask ", "stdin ", "TERM ", "KILL "}.at(static_cast<std::size_t>(stop->step));
      }
    }
  }
  return text;
}

}  // namespace

TEST_CASE_METHOD(PoolFixture, "host: close: it can be asked for again, and nobody is let in") {
  const auto pool = open(fake());
  leased(*pool).checkin();
  CHECK(pool->close(kHang));
  CHECK(take_census().children == 0);
  CHECK(pool->close(kHang));
  CHECK(pool->close(0ms));
  const auto late = pool->checkout();
  REQUIRE_FALSE(late);
  CHECK(late.error().kind == Outcome::pool_closed);
  CHECK_FALSE(late.error().retryable);
  CHECK(contains(late.error().message, "the pool is closing or closed"));
  CHECK(rungs(log) == "ask ");
  CHECK(log.effects<pool::Closed>().size() == 1);
  CHECK(adds_up(pool->statistics()));
}

TEST_CASE_METHOD(PoolFixture, "host: close: a pool that never began closes too") {
  const auto pool = open(fake());
  CHECK(pool->close(0ms));
}

TEST_CASE_METHOD(PoolFixture, "host: close: pools come and go without a trace") {
  // The last wake-up of a pool's thread is where it could be lost.
  for (int round = 0; round < 200; ++round) {
    const auto pool = open(program({"/no/such/program"}));
    if (round % 2 == 0) CHECK(pool->close(kHang));
  }
}

TEST_CASE_METHOD(PoolFixture, "host: close: several threads may close at once") {
  Options options = fake();
  options.core.size = 4;
  options.core.start = pool::StartMode::eager;
  const auto pool = open(options);
  REQUIRE(log.wait_until_ready(4));
  std::vector<std::future<bool>> closers;
  for (int i = 0; i < 4; ++i)
    closers.push_back(std::async(std::launch::async, [&] { return pool->close(kHang); }));
  for (auto& closer : closers) CHECK(closer.get());
  CHECK(take_census().children == 0);
  CHECK(adds_up(pool->statistics()));
}

TEST_CASE_METHOD(PoolFixture,
                 "host: close: who waits is turned away at once, who holds may finish") {
  const auto pool = open(fake());
  Lease lease = leased(*pool);
  auto waiting = std::async(std::launch::async, [&] { return outcome_of(pool->checkout()); });
  REQUIRE(log.wait_for_events<pool::CheckoutRequested>(2));
  auto closing = std::async(std::launch::async, [&] { return pool->close(kHang); });
  CHECK(waiting.get() == Outcome::pool_closed);
  CHECK(echoes(lease, 1));
  CHECK(lease.checkin());
  CHECK(closing.get());
  CHECK(rungs(log) == "ask ");
  CHECK(pool->statistics().counters.revoked == 0);
}

TEST_CASE_METHOD(PoolFixture, "host: close: a call that does not end is ended") {
  const auto pool = open(fake());
  Lease lease = leased(*pool);
  auto call = std::async(std::launch::async, [&] {
    return lease.call("sleep", {{"ms", 600'000}}, kHang * 2);
  });
  falls_asleep();
  auto closing = std::async(std::launch::async, [&] { return pool->close(200ms); });
  const auto reply = call.get();
  REQUIRE_FALSE(reply);
  CHECK(reply.error().kind == Outcome::pool_closed);
  CHECK(contains(reply.error().message, "the pool closed and put worker 0.0 (pid"));
  CHECK(closing.get());
  CHECK_FALSE(lease.checkin());
  CHECK(pool->statistics().counters.revoked == 1);
  CHECK(adds_up(pool->statistics()));
}

TEST_CASE_METHOD(PoolFixture, "host: close: the ladder goes up only as far as it must") {
  struct Deaf {
    std::vector<std::string> faults;
    std::string rungs;
  };
  const Deaf deaf = GENERATE(Deaf{{}, "ask "}, Deaf{{"shutdown_not_obeyed"}, "ask stdin "},
                             Deaf{{"stdin_end_ignored"}, "ask stdin TERM "},
                             Deaf{{"stdin_end_ignored", "term_ignored"}, "ask stdin TERM KILL "});
  std::vector<std::string> args;
  for (const auto& fault : deaf.faults) args.insert(args.end(), {"--fault", fault});
  Options options = fake(args);
  options.core.shutdown_grace = deaf.faults.empty() ? Duration(kHang) : 50ms;
  options.core.stdin_grace =
      deaf.faults.size() > 1 || deaf.rungs.ends_with("TERM ") ? Duration(50ms) : Duration(kHang);
  options.core.term_grace = deaf.faults.size() > 1 ? Duration(50ms) : Duration(kHang);
  const auto pool = open(options);
  leased(*pool).checkin();
  CHECK(pool->close(kHang * 4));
  CHECK(rungs(log) == deaf.rungs);
}

TEST_CASE_METHOD(PoolFixture, "host: close: without time everything is killed, and all is reaped") {
  Options options = fake({"--fault", "stdin_end_ignored", "--fault", "term_ignored"});
  options.core.size = 8;
  options.core.start = pool::StartMode::eager;
  const auto pool = open(options);
  REQUIRE(log.wait_until_ready(8));
  CHECK(pool->close(0ms));
  CHECK(take_census().children == 0);
  CHECK(take_census().zombies == 0);
}

TEST_CASE_METHOD(PoolFixture, "host: close: the destructor closes") {
  Options options = fake();
  options.core.size = 2;
  options.core.start = pool::StartMode::eager;
  auto pool = open(options);
  REQUIRE(log.wait_until_ready(2));
  pool.reset();
  CHECK(take_census().children == 0);
  CHECK(log.effects<pool::Closed>().size() == 1);
}

TEST_CASE_METHOD(PoolFixture, "host: close: a worker in the middle of its start is killed") {
  Options options = script("exec sleep 1000");
  options.core.start = pool::StartMode::eager;
  options.core.size = 3;
  const auto pool = open(options);
  SECTION("handshake") {
    REQUIRE(log.wait_for_events<pool::Started>(3));
  }
  SECTION("perhaps not even started") {}
  CHECK(pool->close(kHang));
  CHECK(take_census().children == 0);
  CHECK(adds_up(pool->statistics()));
}

TEST_CASE_METHOD(PoolFixture,
                 "host: close: a deaf worker put away for a dirty stream is gone after it") {
  Options options = fake({"--fault", "reply_dropped", "--at", "request=1", "--fault",
                          "stdin_end_ignored", "--fault", "term_ignored"});
  options.core.term_grace = 1h;
  const auto pool = open(options);
  {
    Lease lease = leased(*pool);
    CHECK(outcome_of(lease.call("echo", {{"n", 1}}, 20ms)) == Outcome::call_timeout);
  }
  CHECK(pool->statistics().gauges.leaving == 1);
  Lease next = leased(*pool);  // one that is deaf blocks nobody
  next.checkin();
  CHECK(pool->close(100ms));
  CHECK(take_census().children == 0);
  CHECK(adds_up(pool->statistics()));
}

TEST_CASE_METHOD(PoolFixture, "host: close: it is in time while the world is on fire") {
  Options options = fake();
  options.core.size = 4;
  const auto pool = open(options);
  std::stop_source stop;
  std::vector<std::future<int>> clients;
  for (int client = 0; client < 16; ++client) {
    clients.push_back(std::async(std::launch::async, [&, client] {
      int ended = 0;
      while (!stop.stop_requested()) {
        auto lease = pool->checkout(client % 4 == 0 ? 1ms : Duration(kHang));
        ++ended;
        if (!lease && lease.error().kind == Outcome::pool_closed) break;
        if (!lease) continue;
        const auto reply = lease->call("sleep", {{"ms", client}}, client % 3 == 0 ? 2ms : 20s);
        if (client % 5 == 0) lease->discard();
        if (!reply && reply.error().kind == Outcome::pool_closed) break;
      }
      return ended;
    }));
  }
  REQUIRE(log.wait_for_effects<pool::Grant>(100));
  CHECK(pool->close(kHang));
  stop.request_stop();
  for (auto& client : clients) CHECK(client.get() > 0);
  CHECK(pool->statistics().gauges.leased == 0);
  CHECK(take_census().children == 0);
  CHECK(adds_up(pool->statistics()));
}

TEST_CASE_METHOD(PoolFixture, "host: close: a lease that it ended is over for a later call") {
  const auto pool = open(fake());
  Lease lease = leased(*pool);
  CHECK(pool->close(100ms));
  for (int call = 0; call < 2; ++call) {
    const auto reply = echo(lease, call);
    REQUIRE_FALSE(reply);
    CHECK(reply.error().kind == Outcome::lease_over);
    CHECK(contains(reply.error().message, "since the pool closed") == (call == 0));
  }
  CHECK(lease.written_bytes() == 0);
  CHECK_FALSE(lease.checkin());
}
