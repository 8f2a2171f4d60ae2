#include "harness/host/session_pool.hpp"

#include <csignal>
#include <thread>

#include "harness/host/pool_testing.hpp"

using namespace poolproof;
using namespace poolproof::host;
using namespace poolproof::host::testing;

namespace {

const json kPut = {{"session", "alice"}, {"key", "k"}, {"value", 47}};
const json kGet = {{"session", "alice"}, {"key", "k"}};

std::unique_ptr<SessionPool> open_sessions(Options options) {
  auto pool = SessionPool::open(std::move(options));
  REQUIRE(pool);
  return std::move(*pool);
}

/// Two workers are up, and the one that served nobody is the next one.
void warm(SessionPool& pool) {
  auto first = pool.pool().checkout();
  auto second = pool.pool().checkout();
  REQUIRE((first && second));
}

}  // namespace

TEST_CASE_METHOD(PoolFixture,
                 "host: session pool: what a worker remembers is there the next time") {
  Options options = fake();
  options.core.size = 2;
  options.core.reuse = pool::Reuse::first_in_first_out;
  const auto pool = open_sessions(options);
  warm(*pool);
  const auto put = pool->execute_in_session("alice", "session_put", kPut);
  REQUIRE(put);
  for (int i = 0; i < 4; ++i) {
    const auto other = pool->execute_anonymous("echo", {{"n", i}});
    REQUIRE(other);
    const auto got = pool->execute_in_session("alice", "session_get", kGet);
    REQUIRE(got);
    CHECK(got->worker == put->worker);
    CHECK((*got->reply.result)["value"] == 47);
  }
  CHECK(pool->pool().statistics().gauges.sessions == 1);
  CHECK(pool->end_session("alice"));
  CHECK_FALSE(pool->end_session("alice"));
}

TEST_CASE_METHOD(PoolFixture, "host: session pool: a strict one is told that its worker is gone") {
  Options options = fake();
  options.core.size = 2;
  const auto pool = open_sessions(options);
  const auto put = pool->execute_in_session("alice", "session_put", kPut);
  REQUIRE(put);
  REQUIRE(pool->pool().signal(put->worker, SIGKILL));
  // It may be found dead by this very call, before a byte is written.
  (void)pool->execute_in_session("alice", "session_get", kGet);
  for (int i = 0; i < 2; ++i) {
    const auto got = pool->execute_in_session("alice", "session_get", kGet);
    REQUIRE_FALSE(got);
    CHECK(got.error().kind == Outcome::worker_gone);
    CHECK(got.error().worker == put->worker);
    CHECK(contains(got.error().message, "what it knew of the session with it"));
  }
  CHECK(pool->end_session("alice"));
  const auto anew = pool->execute_in_session("alice", "session_get", kGet);
  REQUIRE(anew);
  CHECK((*anew->reply.result)["found"] == false);
}

TEST_CASE_METHOD(PoolFixture,
                 "host: session pool: a busy worker is waited for, or told of at once") {
  Options options = fake();
  options.core.size = 2;
  const auto pool = open_sessions(options);
  auto held = pool->pool().checkout_in({"alice"});
  REQUIRE(held);
  ExecuteOptions at_once;
  at_once.when_busy = WhenBusy::fail;
  const auto refused = pool->execute_in_session("alice", "echo", json::object(), at_once);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind == Outcome::worker_busy);
  ExecuteOptions endless;
  endless.timeout = endless.try_timeout = std::chrono::seconds::max();
  CHECK(pool->execute_anonymous("echo", json::object(), endless));
  ExecuteOptions brief;
  brief.timeout = 1ms;
  const auto late = pool->execute_in_session("alice", "echo", json::object(), brief);
  REQUIRE_FALSE(late);
  CHECK(late.error().kind == Outcome::worker_busy);
  std::thread waits([&] {
    const auto served = pool->execute_in_session("alice", "echo", {{"n", 1}});
    CHECK(served);
    if (served) CHECK(served->worker == WorkerId{0, 0});
  });
  CHECK(comes_true([&] { return pool->pool().statistics().gauges.waiting == 1; }));
  held->checkin();
  waits.join();
}

TEST_CASE_METHOD(PoolFixture,
                 "host: session pool: an idempotent command is tried on another worker") {
  Options options = fake();
  options.core.size = 2;
  options.command_for = [usual = options.command](WorkerId worker) {
    Command command = usual;
    if (worker == WorkerId{0, 0}) {
      command.argv.insert(command.argv.end(), {"--fault", "exit_mid_call", "--at", "request=1"});
    }
    return command;
  };
  const auto pool = open_sessions(options);
  ExecuteOptions again;
  again.retry = Retry::idempotent;
  const auto done = pool->execute_anonymous("echo", {{"n", 1}}, again);
  if (!done) FAIL(done.error().message);
  CHECK(done->tries == 2);
  const auto once = pool->execute_anonymous("no_such_command", json::object(), again);
  REQUIRE_FALSE(once);
  CHECK(once.error().kind == Outcome::worker_error);
}
