#include <csignal>
#include <string>

#include "harness/base/text.hpp"
#include "harness/host/pool_testing.hpp"
#include "harness/host/proc_fs.hpp"

using namespace poolproof;
using namespace poolproof::host;
using namespace poolproof::host::testing;

namespace {

/// While it lives, this process may adopt orphans; afterwards it does not.
struct Adopting {
  ~Adopting() { sys::adopt_orphans(false); }
};

/// A worker that starts a daemon, in a session of its own and without an environment, and answers
/// with what it is sent.
Options with_daemon(PoolFixture& fixture, const std::string& pid_file) {
  Options options = fixture.script(
      "/usr/bin/setsid /usr/bin/env -i /bin/sleep 1000 </dev/null >/dev/null 2>&1 & "
      "echo $! >" +
      pid_file + ".new; mv " + pid_file + ".new " + pid_file + "; exec cat");
  options.opaque = true;
  return options;
}

/// Waits until the daemon has left its worker's session.
proc_fs::Stat daemon_of(const std::string& pid_file, pid_t& pid) {
  REQUIRE(appears(pid_file));
  std::ifstream(pid_file) >> pid;
  REQUIRE(pid > 1);
  REQUIRE(PoolFixture::comes_true([pid] {
    const auto stat = proc_fs::read_stat(pid);
    return stat && stat->session == pid && stat->name == "sleep";
  }));
  return *proc_fs::read_stat(pid);
}

}  // namespace

TEST_CASE_METHOD(PoolFixture, "host: close: a daemon that left its session and environment goes") {
  const Folder folder;
  const Adopting adopting;
  Options options = with_daemon(*this, folder.file("pid"));
  options.adopt_orphans = true;
  const auto pool = open(std::move(options));
  Lease lease = leased(*pool);
  REQUIRE(lease.call_bytes("hello"));
  pid_t pid = 0;
  const auto daemon = daemon_of(folder.file("pid"), pid);
  lease.checkin();
  CHECK(pool->close(kHang));
  CHECK_FALSE(alive(pid, daemon.started));
  CHECK_FALSE(proc_fs::read_stat(pid));  // reaped, too
  CHECK(descendants(::getpid()).empty());
}

TEST_CASE_METHOD(PoolFixture, "host: close: a pool that was not told to adopt leaves a daemon be") {
  const Folder folder;
  const auto pool = open(with_daemon(*this, folder.file("pid")));
  Lease lease = leased(*pool);
  REQUIRE(lease.call_bytes("hello"));
  pid_t pid = 0;
  const auto daemon = daemon_of(folder.file("pid"), pid);
  lease.checkin();
  CHECK(pool->close(kHang));
  CHECK(alive(pid, daemon.started));
  ::kill(pid, SIGKILL);
}

TEST_CASE_METHOD(PoolFixture, "host: census: an adopted orphan is no child, and is reaped dead") {
  const Adopting adopting;
  sys::adopt_orphans();
  const Census before = take_census();
  const Child child = launch(shell("/bin/sleep 1000 </dev/null >/dev/null 2>&1 & echo $!")).value();
  const std::string text = read_text(child.stdout_end);
  CHECK(finish(child) == ExitStatus{});
  const auto pid = parse_number<pid_t>(text.substr(0, text.find('\n')));
  REQUIRE(pid);
  REQUIRE(proc_fs::read_stat(*pid)->parent == ::getpid());
  CHECK(take_census().children == before.children);
  CHECK(descendants(::getpid()).size() == 1);
  reap_dead_orphans();
  CHECK(proc_fs::read_stat(*pid));
  ::kill(*pid, SIGKILL);
  CHECK(comes_true([&] { return proc_fs::read_stat(*pid)->dead(); }));
  CHECK(take_census().zombies == before.zombies);
  reap_dead_orphans();
  CHECK_FALSE(proc_fs::read_stat(*pid));
}

TEST_CASE_METHOD(PoolFixture, "host: census: an orphan that leads a group passes for no worker") {
  const Adopting adopting;
  sys::adopt_orphans();
  const Census before = take_census();
  const Child worker = launch(shell("read x")).value();
  CHECK(take_census().children == before.children + 1);
  // timeout(1) makes a group of its own, in the session that it finds.
  const Child child =
      launch(shell("/usr/bin/timeout 1000 /bin/sleep 1000 </dev/null >/dev/null 2>&1 & echo $!"))
          .value();
  const std::string text = read_text(child.stdout_end);
  CHECK(finish(child) == ExitStatus{});
  const auto pid = parse_number<pid_t>(text.substr(0, text.find('\n')));
  REQUIRE(pid);
  REQUIRE(proc_fs::read_stat(*pid)->parent == ::getpid());
  REQUIRE(comes_true([&] { return proc_fs::read_stat(*pid)->group == *pid; }));
  REQUIRE(proc_fs::read_stat(*pid)->session == ::getsid(0));
  CHECK(take_census().children == before.children + 1);
  REQUIRE(sys::write(worker.stdin_end.get(), "\n"));
  CHECK(finish(worker) == ExitStatus{});
  end_descendants(::getpid());
  CHECK_FALSE(proc_fs::read_stat(*pid));
}
