#include "harness/host/spawner.hpp"

#include <cerrno>
#include <condition_variable>
#include <optional>
#include <signal.h>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "harness/host/census.hpp"
#include "harness/host/child_testing.hpp"

using namespace poolproof;
using namespace poolproof::host;
using testing::finish;
using testing::shell;

namespace {

/// Collects what the spawner reports and lets a test wait for it.
class Reports {
 public:
  struct Report {
    WorkerId worker;
    Expected<Child, LaunchError> child;
    std::thread::id thread;
  };

  Spawner::Done collector() {
    return [this](WorkerId worker, Expected<Child, LaunchError> child) {
      const std::lock_guard lock(mutex_);
      reports_.push_back({worker, std::move(child), std::this_thread::get_id()});
      arrived_.notify_all();
    };
  }

  /// The reports, once there are so many.
  std::vector<Report>& wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    arrived_.wait_for(lock, testing::kHang, [&] { return reports_.size() >= count; });
    REQUIRE(reports_.size() == count);
    return reports_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::vector<Report> reports_;
};

}  // namespace

TEST_CASE("host: spawner: starts come in the order of the orders, all from one other thread") {
  Reports reports;
  Spawner spawner(reports.collector());
  for (std::uint32_t slot = 0; slot < 8; ++slot) {
    const bool good = slot != 3;
    spawner.start({{slot, slot + 1}, good ? shell("read x") : Command{{"/nope"}, {}, {}}});
  }
  const auto& all = reports.wait_for(8);
  for (std::uint32_t slot = 0; slot < 8; ++slot) {
    CHECK(all[slot].worker == WorkerId{slot, slot + 1});
    CHECK(all[slot].child.has_value() == (slot != 3));
    CHECK(all[slot].thread == all[0].thread);
    CHECK(all[slot].thread != std::this_thread::get_id());
    if (all[slot].child) {
      REQUIRE(sys::write(all[slot].child->stdin_end.get(), "\n"));
      CHECK(finish(*all[slot].child) == ExitStatus{});
    }
  }
  CHECK(all[3].child.error().errno_value == ENOENT);
}

TEST_CASE("host: spawner: its end is the end of the processes it started") {
  Reports reports;
  std::optional<Spawner> spawner(std::in_place, reports.collector());
  spawner->start({{0, 0}, shell("read x")});
  const auto& all = reports.wait_for(1);
  REQUIRE(all[0].child);
  CHECK(sys::peek_exit(all[0].child->pidfd.get()).value() == std::nullopt);
  spawner.reset();
  CHECK(finish(*all[0].child) == ExitStatus{0, SIGKILL});
}

TEST_CASE("host: spawner: orders not begun are dropped, the one in hand is reported") {
  const Census before = testing::census_before_threads();
  std::mutex mutex;
  std::condition_variable changed;
  bool begun = false;
  bool may_go_on = false;
  std::vector<std::uint32_t> reported;
  std::optional<Spawner> spawner;
  spawner.emplace([&](WorkerId worker, const Expected<Child, LaunchError>& child) {
    if (child) finish(*child);
    std::unique_lock lock(mutex);
    reported.push_back(worker.slot);
    begun = true;
    changed.notify_all();
    changed.wait(lock, [&] { return may_go_on; });
  });
  for (std::uint32_t slot = 0; slot < 5; ++slot) spawner->start({{slot, 0}, shell("exit 0")});
  {
    std::unique_lock lock(mutex);
    REQUIRE(changed.wait_for(lock, testing::kHang, [&] { return begun; }));
  }
  std::thread closer([&] { spawner.reset(); });
  {
    // The destructor may come before or after this: only the first order is certain to be done.
    const std::lock_guard lock(mutex);
    may_go_on = true;
    changed.notify_all();
  }
  closer.join();
  REQUIRE_FALSE(reported.empty());
  for (std::uint32_t i = 0; i < reported.size(); ++i) CHECK(reported[i] == i);
  CHECK(before == take_census());
}

TEST_CASE("host: spawner: one without work ends at once") {
  const Census before = testing::census_before_threads();
  {
    const Spawner spawner([](WorkerId, const Expected<Child, LaunchError>&) {});
  }
  CHECK(before == take_census());
}
