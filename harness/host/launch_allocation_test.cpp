#include <atomic>
#include <pthread.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "harness/base/watched_heap_testing.hpp"
#include "harness/host/child.hpp"
#include "harness/host/child_testing.hpp"

namespace {

/// The exit code of a child that allocated between fork and exec.
constexpr int kAllocated = 98;

std::atomic<bool> watched{false};
std::atomic<bool> in_child{false};

}  // namespace

/// What this test program allocates in a child, before exec, ends that child.
void poolproof::testing::on_allocation() noexcept {
  if (in_child) ::_exit(kAllocated);
}

namespace poolproof::host {
namespace {

TEST_CASE("host: launch: nothing is allocated between fork and exec") {
  // A thread that is not there any more may have held the allocator's lock.
  static const int registered =
      ::pthread_atfork(nullptr, nullptr, [] { in_child = watched.load(); });
  REQUIRE(registered == 0);
  watched = true;
  const auto child = launch(testing::shell("exit 7"));
  const auto missing = launch({{"/no/such/program"}, {}, "/"});
  watched = false;
  REQUIRE(child);
  CHECK(testing::finish(*child) == ExitStatus{7, 0});
  REQUIRE_FALSE(missing);
  CHECK(missing.error().errno_value == ENOENT);
}

}  // namespace
}  // namespace poolproof::host
