#include <cerrno>
#include <csignal>

#include <sys/wait.h>

#include "harness/host/pool_testing.hpp"
#include "harness/host/worker.hpp"

using namespace poolproof;
using namespace poolproof::host;
using namespace poolproof::host::testing;

namespace {

/// While it lives, the system itself reaps our children.
class ChildrenIgnored {
 public:
  ChildrenIgnored() : before_(std::signal(SIGCHLD, SIG_IGN)) {}
  ~ChildrenIgnored() { std::signal(SIGCHLD, before_); }
  ChildrenIgnored(const ChildrenIgnored&) = delete;
  ChildrenIgnored& operator=(const ChildrenIgnored&) = delete;

 private:
  void (*before_)(int);
};

}  // namespace

TEST_CASE_METHOD(PoolFixture,
                 "host: reaped: of whom somebody else has reaped the end is not known") {
  const ChildrenIgnored ignored;
  Options options = script("dd of=/dev/null bs=4096 count=1 2>/dev/null; exit 7");
  options.opaque = true;
  const auto pool = open(options);
  Lease lease = leased(*pool);
  const auto reply = lease.call_bytes("hello");
  REQUIRE_FALSE(reply);
  CHECK(reply.error().kind == Outcome::worker_died);
  CHECK(reply.error().exit == pool::kEndUnknown);
  CHECK(
      contains(reply.error().message, "ended, and how is not known: somebody else has reaped it"));
  REQUIRE(log.wait_for_events<pool::Exited>());
  CHECK(log.events<pool::Exited>().at(0).status == pool::kEndUnknown);
}

TEST_CASE("host: reaped: the group of whom somebody else has reaped is left alone") {
  const FailuresEnd over;
  Worker worker({0, 0}, launch(shell("read x")).value(), 100);
  sys::fail_next(sys::Call::kill, 0, EPERM);
  worker.signal_group(SIGTERM);
  CHECK(sys::failures_struck() == 1);
  REQUIRE(worker.write("\n"));
  REQUIRE(::waitpid(worker.pid(), nullptr, 0) == worker.pid());
  sys::fail_next(sys::Call::kill, 0, EPERM);
  worker.signal_group(SIGKILL);
  CHECK(sys::failures_struck() == 1);
}
