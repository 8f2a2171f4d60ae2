#include <csignal>

#include "harness/host/pool_testing.hpp"

using namespace poolproof;
using namespace poolproof::host;
using namespace poolproof::host::testing;

TEST_CASE_METHOD(PoolFixture, "host: idle: a worker that died idle is replaced unseen") {
  const auto pool = open(fake());
  leased(*pool).checkin();
  CHECK(pool->signal({0, 0}, SIGKILL));
  REQUIRE(log.wait_for_events<pool::Exited>());
  CHECK_FALSE(pool->signal({0, 0}, SIGKILL));
  Lease lease = leased(*pool);
  CHECK(lease.worker() == WorkerId{0, 1});
  CHECK(echoes(lease, 1));
}

TEST_CASE_METHOD(PoolFixture,
                 "host: idle: a worker found dead is stale, and it is safe to ask again") {
  const auto pool = open(fake());
  Lease lease = leased(*pool);
  CHECK(echoes(lease, 1));
  REQUIRE(pool->signal({0, 0}, SIGKILL));
  REQUIRE(log.wait_for_events<pool::Exited>());
  const auto reply = echo(lease, 2);
  REQUIRE_FALSE(reply);
  CHECK(reply.error().kind == Outcome::stale_worker);
  CHECK(reply.error().retryable);
  CHECK(lease.written_bytes() == 0);
  CHECK(lease.in_doubt());
  CHECK(pool->statistics().counters.lost == 1);
  CHECK_FALSE(lease.checkin());
  Lease next = leased(*pool);
  CHECK(echoes(next, 3));
  CHECK(adds_up(pool->statistics()));
}

TEST_CASE_METHOD(PoolFixture, "host: idle: text before a request is stale, not its reply") {
  const Folder folder;
  const std::string spoken = folder.file("spoken");
  Options options = script("[ $POOLPROOF_GENERATION = 0 ] || exec cat; printf 'stray'; : > '" +
                           spoken + "'; exec cat");
  options.opaque = true;
  const auto pool = open(options);
  Lease lease = leased(*pool);
  REQUIRE(appears(spoken));
  const auto reply = lease.call_bytes("hello");
  REQUIRE_FALSE(reply);
  CHECK(reply.error().kind == Outcome::stale_worker);
  CHECK(reply.error().first_bytes == "stray");
  CHECK(contains(reply.error().message, "had written unasked: 73 74 72 61 79 (\"stray\")"));
  CHECK(reply.error().retryable);
  CHECK(lease.in_doubt());
  Lease next = leased(*pool);
  CHECK(next.worker() == WorkerId{0, 1});
  CHECK(next.call_bytes("hello").value_or("") == "hello");
}

TEST_CASE_METHOD(PoolFixture,
                 "host: idle: an idle worker that speaks is put away before anyone comes") {
  Options options = fake(once({"text_while_idle", "--delay-ms", "200"}));
  // Somebody's far deadline must not keep the pool from looking.
  const bool waiting_for_a_start = GENERATE(false, true);
  options.core.size = 2;
  options.core.startup_budget = kHang * 10;
  options.command_for = [sound = options.command](WorkerId worker) {
    Command never = sound;
    never.argv = {"/bin/sh", "-c", "exec sleep 1000"};
    return worker.slot == 0 ? sound : never;
  };
  const auto pool = open(options);
  std::optional<Lease> lease = leased(*pool);
  if (waiting_for_a_start) {
    CHECK(outcome_of(pool->checkout(1ms)) == Outcome::checkout_timeout);
  }
  CHECK(echoes(*lease, 1));
  falls_asleep();
  lease.reset();
  REQUIRE(log.wait_for_events<pool::UnsolicitedOutput>());
  CHECK(log.effects<pool::Stop>().at(0).why == pool::RemovalReason::unsolicited);
  if (waiting_for_a_start) return;
  Lease next = leased(*pool);
  CHECK(next.worker() == WorkerId{0, 1});
  CHECK(echoes(next, 2));
}

TEST_CASE_METHOD(PoolFixture,
                 "host: idle: an idle worker that speaks late is noticed in its second idleness") {
  Options options =
      fake({"--fault", "text_while_idle", "--at", "generation=0,request=2", "--delay-ms", "200"});
  const auto pool = open(options);
  for (int round = 0; round < 2; ++round) {
    Lease lease = leased(*pool);
    // So large that the watch sees some of it before its client has read all.
    CHECK(lease.call("echo", {{"text", std::string(1'000'000, 'x')}}));
    lease.checkin();
    // Idle for so long that it is watched, and then leased while it is.
    if (round == 0) falls_asleep();
  }
  REQUIRE(log.wait_for_events<pool::UnsolicitedOutput>());
}

TEST_CASE_METHOD(PoolFixture, "host: idle: an idle worker that closes its stdout is put away") {
  Options options = script("[ $POOLPROOF_GENERATION = 0 ] || exec cat; exec 1>&-; exec sleep 1000");
  options.opaque = true;
  options.core.start = pool::StartMode::eager;
  const auto pool = open(options);
  REQUIRE(log.wait_for_events<pool::UnsolicitedOutput>());
  Lease lease = leased(*pool);
  CHECK(lease.worker() == WorkerId{0, 1});
  CHECK(lease.call_bytes("x").value_or("") == "x");
}
