#include "harness/host/insight.hpp"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <future>
#include <optional>

#include "harness/host/pool_testing.hpp"

using namespace poolproof;
using namespace poolproof::host;
using namespace poolproof::host::testing;
using Kind = PoolEvent::Kind;
using pool::RemovalReason;

namespace {

/// What a pool has told its user.
class Told {
 public:
  [[nodiscard]] std::function<void(const PoolEvent&)> hook() {
    return [this](const PoolEvent& event) {
      const std::lock_guard lock(mutex_);
      events_.push_back(event);
      changed_.notify_all();
    };
  }
  [[nodiscard]] std::vector<PoolEvent> events() const {
    const std::lock_guard lock(mutex_);
    return events_;
  }
  [[nodiscard]] std::vector<Kind> kinds() const {
    std::vector<Kind> kinds;
    for (const auto& event : events()) kinds.push_back(event.kind);
    return kinds;
  }
  bool wait_for(Kind kind) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kHang, [&] {
      return std::any_of(events_.begin(), events_.end(),
                         [&](const PoolEvent& event) { return event.kind == kind; });
    });
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<PoolEvent> events_;
};

}  // namespace

TEST_CASE_METHOD(PoolFixture, "host: insight: the life of a worker is told in its order") {
  Told told;
  Options options = fake();
  options.on_event = told.hook();
  auto pool = open(options);
  std::optional<Lease> lease = leased(*pool);
  const LeaseId id = lease->id();
  CHECK(echoes(*lease, 1));
  lease.reset();
  CHECK(pool->wait_until_quiescent({}));
  const std::vector so_far{Kind::started, Kind::ready, Kind::waited, Kind::leased, Kind::returned};
  CHECK(told.kinds() == so_far);
  pool.reset();
  const auto events = told.events();
  REQUIRE(events.size() == 6);
  CHECK(events[0].pid > 0);
  CHECK(events[0].took <= events[1].took);
  CHECK(events[2].outcome == Outcome::ok);
  CHECK(events[2].took == events[3].took);
  CHECK(events[3].lease == id);
  CHECK(events[4].lease == id);
  CHECK(events[4].at == events[3].at + events[4].took);
  CHECK(events[5].kind == Kind::left);
  CHECK(events[5].why == RemovalReason::closing);
  CHECK(events[5].exit == ExitStatus{0, 0});
}

TEST_CASE_METHOD(PoolFixture, "host: insight: it is told why a worker has left") {
  Told told;
  Options options = fake();
  options.on_event = told.hook();
  SECTION("by itself") {
    const auto pool = open(options);
    leased(*pool).checkin();
    REQUIRE(pool->signal({0, 0}, SIGKILL));
    REQUIRE(told.wait_for(Kind::left));
    CHECK(told.events().back().why == RemovalReason::none);
    CHECK(told.events().back().exit == ExitStatus{0, SIGKILL});
  }
  SECTION("for what its holder said") {
    const auto pool = open(options);
    leased(*pool).discard();
    REQUIRE(told.wait_for(Kind::left));
    CHECK(told.events().back().why == RemovalReason::dirty);
  }
  SECTION("for its memory, when it has come back") {
    options.core.max_rss_bytes = 64'000'000;
    const auto pool = open(options);
    REQUIRE(leased(*pool).call("echo", {{"n", 1}}));
    REQUIRE(leased(*pool).call("grow", {{"bytes", 70'000'000}}));
    REQUIRE(told.wait_for(Kind::left));
    CHECK(told.events().back().why == RemovalReason::rss_exceeded);
    CHECK(pool->statistics().counters.granted == 2);
  }
  SECTION("for its memory, while it idles") {
    options.core.start = pool::StartMode::eager;
    options.core.max_rss_bytes = 1;
    options.core.rss_interval = 10ms;
    const auto pool = open(options);
    REQUIRE(told.wait_for(Kind::left));
    const auto events = told.events();
    const auto left = std::ranges::find(events, Kind::left, &PoolEvent::kind);
    CHECK(left->why == RemovalReason::rss_exceeded);
  }
  SECTION("before it came") {
    options.command.argv = {"/nonexistent"};
    options.core.breaker_failures = 1;
    const auto pool = open(options);
    CHECK(outcome_of(pool->checkout()) == Outcome::start_failed);
    REQUIRE(told.wait_for(Kind::waited));
    const auto events = told.events();
    REQUIRE(events.size() == 2);
    CHECK(events[0].kind == Kind::left);
    CHECK(events[0].why == RemovalReason::start_failed);
    CHECK(events[1].outcome == Outcome::start_failed);
  }
}

TEST_CASE_METHOD(PoolFixture, "host: insight: who is told may ask the pool how it stands") {
  std::atomic<const Pool*> asked = nullptr;
  std::promise<pool::Gauges> answer;
  Options options = fake();
  options.on_event = [&](const PoolEvent& event) {
    if (event.kind == Kind::returned) answer.set_value(asked.load()->statistics().gauges);
  };
  const auto pool = open(options);
  asked = pool.get();
  leased(*pool).checkin();
  auto gauges = answer.get_future();
  REQUIRE(gauges.wait_for(kHang) == std::future_status::ready);
  CHECK(gauges.get().idle == 1);
}

TEST_CASE_METHOD(PoolFixture, "host: insight: a lease held for too long is told and listed") {
  Told told;
  Options options = fake();
  options.core.size = 2;
  options.leak_after = 50ms;
  options.on_event = told.hook();
  const auto pool = open(options);
  Lease lease = leased(*pool);
  lease.set_holder("nightly import");
  REQUIRE(told.wait_for(Kind::leak));  // though nobody asks the pool for anything
  const PoolEvent leak = told.events().back();
  CHECK(leak.worker == lease.worker());
  CHECK(leak.lease == lease.id());
  CHECK(leak.holder == "nightly import");
  CHECK(leak.took >= 50ms);
  const auto leaks = pool->statistics().leaks;
  REQUIRE(leaks.size() == 1);
  CHECK(leaks[0].lease == lease.id());
  CHECK(leaks[0].worker == lease.worker());
  CHECK(leaks[0].holder == "nightly import");
  CHECK(leaks[0].held >= leak.took);
  CHECK(leaks[0].since + leak.took == leak.at);
  // It goes on.
  CHECK(echoes(lease, 1));
  CHECK(lease.checkin());
  CHECK(pool->statistics().leaks.empty());
}

TEST_CASE_METHOD(PoolFixture, "host: insight: leaks are listed without anybody being told") {
  Options options = cat();
  options.leak_after = 1ms;
  const auto pool = open(options);
  Lease first = leased(*pool);
  first.set_holder(std::string(1000, 'x'));
  const auto leaks = [&] { return pool->statistics().leaks; };
  REQUIRE(comes_true([&] { return leaks().size() == 1; }));
  CHECK(leaks()[0].holder == std::string(200, 'x'));
  first.checkin();
  // The next holder of the same worker is somebody else.
  Lease second = leased(*pool);
  CHECK(second.worker() == first.worker());
  first.set_holder("gone");
  REQUIRE(comes_true([&] { return leaks().size() == 1; }));
  CHECK(leaks()[0].holder.empty());
}

TEST_CASE_METHOD(PoolFixture, "host: insight: no lease is a leak when none is to be") {
  const auto pool = open(cat());
  const Lease lease = leased(*pool);
  REQUIRE(comes_true([until = after(sys::now(), 5ms)] { return sys::now() >= until; }));
  CHECK(pool->statistics().leaks.empty());
}

TEST_CASE_METHOD(PoolFixture, "host: insight: events for one who is slow are lost and counted") {
  std::promise<void> busy;
  std::promise<void> go_on;
  auto gone_on = go_on.get_future();
  std::atomic<std::uint64_t> told = 0;
  Options options = cat();
  options.on_event = [&](const PoolEvent& /*event*/) {
    // It was started and is ready, its client has waited, and has it.
    if (++told != 4) return;
    busy.set_value();
    (void)gone_on.wait_for(kHang);
  };
  const auto pool = open(options);
  Lease first = leased(*pool);
  REQUIRE(busy.get_future().wait_for(kHang) == std::future_status::ready);
  first.checkin();
  for (int i = 0; i < 6000; ++i) leased(*pool).checkin();
  CHECK(pool->statistics().events_lost == 2001);
  go_on.set_value();
  CHECK(pool->wait_until_quiescent({}));
  CHECK(told == 10'004);
  CHECK(pool->statistics().events_lost == 2001);
  CHECK(adds_up(pool->statistics()));
}

TEST_CASE_METHOD(PoolFixture, "host: insight: a lease that outlives its pool tells nobody") {
  Told told;
  Options options = fake();
  options.on_event = told.hook();
  auto pool = open(options);
  Lease lease = leased(*pool);
  pool->close(0ms);
  pool.reset();
  const std::size_t before = told.events().size();
  CHECK(told.events().back().kind == Kind::left);
  lease.set_holder("nobody");
  CHECK_FALSE(lease.checkin());
  CHECK(told.events().size() == before);
}

TEST_CASE_METHOD(PoolFixture, "host: insight: waits, uses and starts are measured") {
  Options options = fake();
  const auto pool = open(options);
  for (int i = 0; i < 3; ++i) leased(*pool).checkin();
  const Lease held = leased(*pool);
  const auto refused = pool->checkout(0ms);
  CHECK(outcome_of(refused) == Outcome::checkout_timeout);
  const auto statistics = pool->statistics();
  CHECK(adds_up(statistics));
  CHECK(statistics.timings.start.count() == 1);
  CHECK(statistics.timings.start.sum() > 0us);
  CHECK(statistics.timings.wait.count() == 4);
  // The first one waited for the start, and a moment before the order to start was given.
  CHECK(statistics.timings.wait.sum() >= statistics.timings.start.sum());
  CHECK(statistics.timings.use.count() == 3);
}
