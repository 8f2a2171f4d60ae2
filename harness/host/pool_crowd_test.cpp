#include <atomic>
#include <malloc.h>
#include <stop_token>
#include <thread>
#include <vector>

#include "harness/host/pool_testing.hpp"

using namespace poolproof;
using namespace poolproof::host;
using namespace poolproof::host::testing;

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kHeapIsCounted = false;
#else
constexpr bool kHeapIsCounted = true;
#endif

std::size_t heap_in_use() {
  return ::mallinfo2().uordblks;
}

/// A pool that nobody observes, as a user has it.
Options unobserved(Options options, std::uint32_t size) {
  options.observer = nullptr;
  options.core.size = size;
  options.core.start = pool::StartMode::eager;
  return options;
}

}  // namespace

TEST_CASE_METHOD(PoolFixture, "host: crowd: every client is answered, however it leaves") {
  constexpr int kClients = 48;
  constexpr int kRounds = 40;
  Options options = unobserved(cat(), 2);
  options.core.waiters_max = kClients;
  const auto pool = open(options);
  std::atomic<int> answered{0};
  const auto client = [&](int number) {
    for (int round = 0; round < kRounds; ++round) {
      std::stop_source stop;
      const int kind = (number + round) % 4;
      const Timeout timeout = kind == 0   ? Timeout(Duration(0))
                              : kind == 1 ? Timeout(300us)
                                          : Timeout();
      std::jthread stopper;
      if (kind == 2) stopper = std::jthread([&stop] { stop.request_stop(); });
      const auto lease = pool->checkout(timeout, stop.get_token());
      const Outcome outcome = outcome_of(lease);
      answered += outcome == Outcome::ok || (kind < 2 && outcome == Outcome::checkout_timeout) ||
                  (kind == 2 && outcome == Outcome::cancelled);
    }
  };
  std::vector<std::jthread> clients;
  for (int i = 0; i < kClients; ++i) clients.emplace_back(client, i);
  clients.clear();
  CHECK(answered == kClients * kRounds);
  const Statistics after = pool->statistics();
  CHECK(after.counters.requested == kClients * kRounds);
  CHECK(after.gauges.waiting == 0);
  CHECK(after.gauges.leased == 0);
  CHECK(adds_up(after));
}

TEST_CASE_METHOD(PoolFixture, "host: crowd: those who wait are refused at the close, all of them") {
  constexpr std::size_t kClients = 64;
  Options options = unobserved(cat(), 1);
  const auto pool = open(options);
  Lease held = leased(*pool);
  std::atomic<std::size_t> refused{0};
  std::vector<std::jthread> clients;
  for (std::size_t i = 0; i < kClients; ++i) {
    clients.emplace_back([&] { refused += outcome_of(pool->checkout()) == Outcome::pool_closed; });
  }
  REQUIRE(comes_true([&] { return pool->statistics().gauges.waiting == kClients; }));
  std::jthread closing([&] { pool->close(kHang); });
  clients.clear();
  CHECK(refused == kClients);
  held.checkin();
}

TEST_CASE_METHOD(PoolFixture, "host: crowd: an idle worker costs the pool at most 16 KiB") {
  if (!kHeapIsCounted) return;
  constexpr std::uint32_t kFew = 2;
  constexpr std::uint32_t kMany = 34;
  const auto heap_of = [this](std::uint32_t size) {
    const std::size_t before = heap_in_use();
    const auto pool = open(unobserved(fake(), size));
    REQUIRE(pool->wait_until_quiescent(kHang));
    return heap_in_use() - before;
  };
  heap_of(kFew);  // what is allocated once
  const std::size_t few = heap_of(kFew);
  const std::size_t many = heap_of(kMany);
  const std::size_t each = (many - few) / (kMany - kFew);
  INFO("each: " << each << " bytes");
  CHECK(each > 0);
  CHECK(each <= std::size_t{16} << 10U);
}
