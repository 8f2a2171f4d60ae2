#include <csignal>
#include <stdexcept>

#include "harness/host/pool_testing.hpp"

using namespace poolproof;
using namespace poolproof::host;
using namespace poolproof::host::testing;

TEST_CASE_METHOD(PoolFixture, "host: lease: it ends once") {
  const auto pool = open(fake());
  Lease lease = leased(*pool);
  SECTION("by a check-in") {
    CHECK(lease.checkin());
    CHECK_FALSE(lease.checkin());
    CHECK_FALSE(lease.discard());
  }
  SECTION("by a discard") {
    CHECK(lease.discard());
    CHECK_FALSE(lease.checkin());
    CHECK(leased(*pool).worker() == WorkerId{0, 1});
  }
  const auto over = echo(lease, 1);
  REQUIRE_FALSE(over);
  CHECK(over.error().kind == Outcome::lease_over);
  CHECK(over.error().retryable);
  CHECK(lease.written_bytes() == 0);
}

TEST_CASE_METHOD(PoolFixture,
                 "host: lease: a second check-in does not end the next client's lease") {
  const auto pool = open(fake());
  Lease first = leased(*pool);
  CHECK(first.checkin());
  Lease second = leased(*pool);
  CHECK(second.id() != first.id());
  CHECK_FALSE(first.checkin());
  CHECK(echoes(second, 1));
  CHECK(pool->statistics().gauges.leased == 1);
  CHECK(second.checkin());
}

TEST_CASE_METHOD(PoolFixture, "host: lease: a worker that is gone costs no descriptor any more") {
  const auto pool = open(fake());
  const auto before = take_census().descriptors;
  for (int round = 0; round < 5; ++round) leased(*pool).discard();
  CHECK(comes_true([&] { return take_census().descriptors == before; }));
  CHECK(take_census().zombies == 0);
}

TEST_CASE_METHOD(PoolFixture,
                 "host: lease: once the pool rests, of a worker just used nothing is kept") {
  const auto pool = open(fake());
  REQUIRE(pool->wait_until_quiescent(kHang));
  const auto before = take_census().descriptors;
  for (std::size_t round = 1; round <= 5; ++round) {
    // It has been idle for too short a time to be watched: it is still on the list for that.
    const WorkerId worker = leased(*pool).worker();
    REQUIRE(pool->signal(worker, SIGKILL));
    REQUIRE(log.wait_for_events<pool::Exited>(round));
    REQUIRE(pool->wait_until_quiescent(kHang));
    CHECK(take_census().descriptors == before);
  }
}

TEST_CASE_METHOD(PoolFixture,
                 "host: lease: a pool with a lease does not rest, nor does a closed one") {
  const auto pool = open(fake());
  Lease lease = leased(*pool);
  CHECK_FALSE(pool->wait_until_quiescent(0ms));
  std::thread holder([&] { lease.checkin(); });
  CHECK(pool->wait_until_quiescent(kHang));
  holder.join();
  CHECK(pool->close(kHang));
  CHECK_FALSE(pool->wait_until_quiescent(kHang));
}

TEST_CASE_METHOD(PoolFixture, "host: lease: an eager pool rests when it has all its workers") {
  Options options = fake();
  options.core.size = 3;
  options.core.start = pool::StartMode::eager;
  const auto pool = open(std::move(options));
  REQUIRE(pool->wait_until_quiescent(kHang));
  CHECK(pool->statistics().gauges.idle == 3);
}

TEST_CASE_METHOD(PoolFixture, "host: lease: it ends with its worker") {
  const auto pool = open(fake());
  Lease lease = leased(*pool);
  REQUIRE(pool->signal(lease.worker(), SIGKILL));
  REQUIRE(log.wait_for_events<pool::Exited>());
  CHECK_FALSE(lease.checkin());
  CHECK(pool->statistics().counters.lost == 1);
  CHECK(pool->statistics().counters.returned_clean == 0);
}

TEST_CASE_METHOD(PoolFixture, "host: lease: moved, it is still one lease") {
  Options options = fake();
  options.core.size = 2;
  const auto pool = open(options);
  Lease lease = leased(*pool);
  const LeaseId id = lease.id();
  Lease moved(std::move(lease));
  CHECK(moved.id() == id);
  CHECK_FALSE(lease.checkin());  // NOLINT(bugprone-use-after-move)
  CHECK(outcome_of(echo(lease, 1)) == Outcome::lease_over);
  Lease& self = moved;
  moved = std::move(self);
  CHECK(echoes(moved, 1));
  Lease other = leased(*pool);
  other = std::move(moved);
  CHECK(pool->statistics().gauges.leased == 1);
  CHECK(other.id() == id);
  CHECK(echoes(other, 2));
  CHECK(other.checkin());
  CHECK(pool->statistics().counters.returned_clean == 2);
}

TEST_CASE_METHOD(PoolFixture,
                 "host: lease: an exception in its holder keeps or discards the worker") {
  const bool discards = GENERATE(false, true);
  Options options = fake();
  options.on_exception = discards ? pool::OnException::discard : pool::OnException::keep;
  const auto pool = open(options);
  try {
    Lease lease = leased(*pool);
    CHECK(echoes(lease, 1));
    throw std::runtime_error("the holder's own trouble");
  } catch (const std::runtime_error&) {
    // A lease taken while one passes is not touched by it.
    CHECK(leased(*pool).worker().generation == (discards ? 1 : 0));
  }
  CHECK(leased(*pool).worker().generation == (discards ? 1 : 0));
  CHECK(pool->statistics().counters.returned_dirty == (discards ? 1 : 0));
}

TEST_CASE_METHOD(PoolFixture, "host: lease: it may outlive its pool") {
  std::optional<Lease> lease;
  {
    Options options = fake();
    options.close_timeout = 50ms;
    const auto pool = open(options);
    lease = leased(*pool);
    CHECK(echoes(*lease, 1));
  }
  CHECK(take_census().children == 0);
  const auto reply = echo(*lease, 2);
  REQUIRE_FALSE(reply);
  CHECK(reply.error().kind == Outcome::lease_over);
  CHECK_FALSE(lease->checkin());
}
