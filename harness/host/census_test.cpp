#include "harness/host/census.hpp"

#include <algorithm>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <signal.h>
#include <string>
#include <thread>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <sys/types.h>

#include "harness/host/child_testing.hpp"
#include "harness/host/guardian.hpp"
#include "harness/host/proc_fs.hpp"
#include "harness/host/system_below.hpp"

using namespace poolproof;
using namespace poolproof::host;
using testing::finish;
using testing::read_text;
using testing::shell;

namespace {

#if defined(__SANITIZE_THREAD__)
constexpr std::uint64_t kThreadsOfSanitizer = 1;
#else
constexpr std::uint64_t kThreadsOfSanitizer = 0;
#endif

std::vector<std::string> with_token(const std::string& token) {
  return {"POOLPROOF_TOKEN=" + token};
}

void end(const Child& child) {
  REQUIRE(sys::signal_group(child.pid, SIGKILL));
  finish(child);
}

}  // namespace

TEST_CASE("host: census: a child is counted while it lives, as a zombie until it is reaped") {
  const Census before = take_census();
  const Child child = launch(shell("read x")).value();
  const Census during = take_census();
  CHECK(during.children == before.children + 1);
  CHECK(during.zombies == before.zombies);
  CHECK(during.descriptors == before.descriptors + 4);
  REQUIRE(sys::write(child.stdin_end.get(), "\n"));
  REQUIRE(testing::wait_readable(child.pidfd));
  CHECK(take_census().children == before.children);
  CHECK(take_census().zombies == before.zombies + 1);
  REQUIRE(sys::reap(child.pidfd.get()));
  CHECK(take_census().zombies == before.zombies);
}

TEST_CASE("host: census: descriptors and threads are counted, the look itself is not") {
  const Census before = testing::census_before_threads();
  CHECK(before == take_census());
  std::uint32_t open = 0;
  for (int fd = 0; fd < 1024; ++fd) open += ::fcntl(fd, F_GETFD) >= 0 ? 1U : 0U;
  CHECK(before.descriptors == open);
  {
    const Descriptor extra = std::move(*sys::event_fd());
    CHECK(take_census().descriptors == before.descriptors + 1);
  }
  CHECK(take_census().descriptors == before.descriptors);
  const sys::Pipe gate = std::move(sys::pipe().value());
  std::thread thread([&] { static_cast<void>(testing::wait_readable(gate.read_end)); });
  CHECK(take_census().threads == before.threads + 1);
  REQUIRE(sys::write(gate.write_end.get(), "x"));
  thread.join();
}

TEST_CASE("host: census: a thread that was joined does not count any more") {
  std::thread([] {}).join();  // with a sanitizer's own
  const std::uint32_t before = proc_fs::own_threads();
  std::uint32_t most = before;
  for (int i = 0; i < 10'000; ++i) {
    std::thread([] {}).join();
    most = std::max(most, proc_fs::own_threads());
  }
  CHECK(most == before);
}

TEST_CASE("host: census: what a process holds in memory grows, and none has nothing") {
  const std::uint64_t before = proc_fs::resident_bytes(::getpid());
  CHECK(before > 100'000);
  const std::string held(50'000'000, 'x');
  CHECK(proc_fs::resident_bytes(::getpid()) >= before + held.size() / 2);
  const Child child = launch(shell("read x")).value();
  CHECK(proc_fs::resident_bytes(child.pid) > 0);
  REQUIRE(sys::signal_process(child.pidfd.get(), SIGKILL));
  REQUIRE(testing::wait_readable(child.pidfd));
  CHECK(proc_fs::resident_bytes(child.pid) == 0);
  CHECK(finish(child) == ExitStatus{0, SIGKILL});
  CHECK(proc_fs::resident_bytes(child.pid) == 0);
}

TEST_CASE("host: census: who has lost its main thread lives while another thread runs") {
  const std::string token = new_token();
  const Census before = take_census();
  const Child child =
      launch({{POOLPROOF_GUARDIAN_PROBE, "headless"}, with_token(token), {}}).value();
  const auto main_thread_is_dead = [&] {
    std::ifstream file("/proc/" + std::to_string(child.pid) + "/stat");
    std::string line;
    std::getline(file, line);
    return line.find(") Z ") != std::string::npos;
  };
  for (const Time end = after(sys::now(), testing::kHang); !main_thread_is_dead();)
    REQUIRE(sys::now() < end);
  const auto stat = proc_fs::read_stat(child.pid);
  REQUIRE(stat);
  CHECK_FALSE(stat->dead());
  CHECK_FALSE(stat->exiting());
  CHECK(stat->threads == 2 + kThreadsOfSanitizer);
  CHECK(alive(child.pid, stat->started));
  CHECK(take_census().children == before.children + 1);
  CHECK(take_census().zombies == before.zombies);
  CHECK(proc_fs::resident_bytes(child.pid) > 0);
  CHECK(std::filesystem::exists(proc_fs::living_folder(child.pid) + "fd/1"));
  const auto marked = processes_marked(token);
  REQUIRE(marked.size() == 1);
  CHECK(marked[0].command == std::string(POOLPROOF_GUARDIAN_PROBE) + " headless");
  const auto below = descendants(0);
  CHECK(std::ranges::count(below, child.pid, &Marked::pid) == 1);
  CHECK(kill_marked(token) == 1);
  CHECK(finish(child) == ExitStatus{0, SIGKILL});
  CHECK_FALSE(proc_fs::read_stat(child.pid));
}

TEST_CASE("host: census: a grandchild is not counted") {
  const Census before = take_census();
  const Child child = launch(shell("/bin/sleep 1000 & echo up; wait")).value();
  REQUIRE(read_text(child.stdout_end, 3) == "up\n");
  CHECK(take_census().children == before.children + 1);
  end(child);
}

TEST_CASE("host: census: command names with spaces and parentheses do not confuse it") {
  const std::string token = new_token();
  const auto path = std::filesystem::temp_directory_path() / (") Z (" + token.substr(0, 6));
  std::filesystem::remove(path);
  std::filesystem::create_symlink("/bin/cat", path);
  const Census before = take_census();
  const Child child = launch({{path.string()}, with_token(token), {}}).value();
  std::filesystem::remove(path);
  CHECK(take_census().children == before.children + 1);
  CHECK(take_census().zombies == before.zombies);
  REQUIRE(testing::marked_reach(token, 1));
  const auto marked = processes_marked(token);
  REQUIRE(marked.size() == 1);
  CHECK(marked[0].pid == child.pid);
  CHECK(marked[0].state != 'Z');
  CHECK(marked[0].command == path.string());
  CHECK(marked[0].started == proc_fs::read_stat(child.pid)->started);
  CHECK(alive(child.pid, marked[0].started));
  end(child);
}

TEST_CASE("host: census: the mark is the token or what begins with it and a slash") {
  const std::string token = new_token();
  const Child exact = launch(shell("read x", with_token(token))).value();
  const Child below = launch(shell("read x", {"A=1", "POOLPROOF_TOKEN=" + token + "/s/1"})).value();
  const Child longer = launch(shell("read x", with_token(token + "1"))).value();
  const Child shorter = launch(shell("read x", with_token(token.substr(1)))).value();
  const Child elsewhere = launch(shell("read x", {"XPOOLPROOF_TOKEN=" + token})).value();
  REQUIRE(testing::marked_reach(token, 2));
  const auto marked = processes_marked(token);
  REQUIRE(marked.size() == 2);
  CHECK(std::min(marked[0].pid, marked[1].pid) == std::min(exact.pid, below.pid));
  CHECK(std::max(marked[0].pid, marked[1].pid) == std::max(exact.pid, below.pid));
  CHECK(marked[0].pid < marked[1].pid);
  CHECK(kill_marked(token) == 2);
  CHECK(finish(exact) == ExitStatus{0, SIGKILL});
  CHECK(finish(below) == ExitStatus{0, SIGKILL});
  CHECK(processes_marked(token).empty());
  for (const Child* spared : {&longer, &shorter, &elsewhere}) {
    CHECK(sys::peek_exit(spared->pidfd.get()).value() == std::nullopt);
    end(*spared);
  }
}

TEST_CASE("host: census: who has no environment to see may be ours, but not the kernel's own") {
  const std::string token = new_token();
  const Child child = launch(shell("read x", with_token(token))).value();
  REQUIRE(testing::marked_reach(token, 1));
  CHECK(proc_fs::mark_of(child.pid, token) == proc_fs::TokenMark::carried);
  REQUIRE(sys::signal_process(child.pidfd.get(), SIGKILL));
  REQUIRE(testing::wait_readable(child.pidfd));
  CHECK(proc_fs::mark_of(child.pid, token) == proc_fs::TokenMark::blank);
  finish(child);
  CHECK(proc_fs::mark_of(child.pid, token) == proc_fs::TokenMark::gone);
  CHECK(proc_fs::mark_of(::getpid(), token) == proc_fs::TokenMark::none);
  // In a container there are none to see. Where there are, a look at all is sure in spite of them.
  for (const pid_t pid : proc_fs::all_pids()) {
    const auto stat = proc_fs::read_stat(pid);
    if (!stat || !stat->of_kernel()) continue;
    CAPTURE(pid, stat->name);
    CHECK(proc_fs::mark_of(pid, token) == proc_fs::TokenMark::none);
  }
}

TEST_CASE("host: census: marked commands are printable") {
  const std::string token = new_token();
  const Child child = launch(shell("read x # \x1b[31m\xff", with_token(token))).value();
  REQUIRE(testing::marked_reach(token, 1));
  const auto marked = processes_marked(token);
  REQUIRE(marked.size() == 1);
  CHECK(marked[0].command == "/bin/sh -c read x # \\x1b[31m\\xff");
  end(child);
}

TEST_CASE("host: census: nobody marked, nobody killed") {
  const std::string token = new_token();
  CHECK(processes_marked(token).empty());
  CHECK(kill_marked(token) == 0);
}

TEST_CASE("host: census: those killed are dead when kill_marked returns") {
  const std::string token = new_token();
  const std::string script =
      "for i in 1 2 3 4 5 6 7 8; do /bin/sleep 1000 & done; echo up; exec /bin/sleep 1000";
  const Child child = launch(shell(script, with_token(token))).value();
  REQUIRE(read_text(child.stdout_end, 3) == "up\n");
  // All nine are past their exec: from here on each look sees every one of them.
  REQUIRE(testing::marked_reach(token, 9, "/bin/sleep"));
  CHECK(kill_marked(token) >= 8);
  CHECK(processes_marked(token).empty());
  CHECK(sys::peek_exit(child.pidfd.get()).value() == ExitStatus{0, SIGKILL});
  CHECK(read_text(child.stdout_end).empty());
  finish(child);
}

TEST_CASE("host: census: processes that fork and exit all the time are caught") {
  const std::string token = new_token();
  // Each one starts its successor and is gone; after 20000 of them they give up by themselves and
  // say so, so that a test that is killed here leaves nothing behind for ever.
  const std::string script =
      "N=$((N+1)); export N; if [ $N -lt 20000 ]; then /bin/sh -c \"$LINE\" & "
      "else echo gave up; fi; exit 0";
  const std::vector<std::string> env{"POOLPROOF_TOKEN=" + token, "LINE=" + script, "N=0"};
  const Child child = launch(shell(script, env)).value();
  CHECK(finish(child) == ExitStatus{});
  kill_marked(token, 5000);
  CHECK(processes_marked(token).empty());
  CHECK(read_text(child.stdout_end).empty());  // end of file: the last one that held it is dead
}

TEST_CASE("host: census: who forks and ends all the time is never taken for nobody") {
  sys::adopt_orphans();
  const std::string script =
      "/bin/sleep 0.01; N=$((N+1)); export N; if [ $N -lt 3000 ]; then /bin/sh -c \"$LINE\" & fi";
  const Child child = launch(shell(script, {"LINE=" + script, "N=0"})).value();
  CHECK(finish(child) == ExitStatus{});
  int missed = 0;
  for (int looks = 0; looks < 50; ++looks) missed += descendants(0).empty() ? 1 : 0;
  CHECK(missed == 0);
  CHECK(sys::has_children());
  const auto ended = end_descendants(0);
  CHECK_FALSE(ended.empty());
  for (const Marked& one : ended) CHECK_FALSE(alive(one.pid, one.started));
  CHECK_FALSE(sys::has_children());
  CHECK(descendants(0).empty());
  CHECK(read_text(child.stdout_end).empty());  // end of file: the last one that held it is dead
  sys::adopt_orphans(false);
}

TEST_CASE("host: census: a process is told from another one with its number and from its zombie") {
  const Child child = launch(shell("read x")).value();
  const std::uint64_t started = proc_fs::read_stat(child.pid)->started;
  CHECK(started > 0);
  CHECK(alive(child.pid, started));
  CHECK_FALSE(alive(child.pid, started + 1));
  REQUIRE(sys::signal_process(child.pidfd.get(), SIGKILL));
  REQUIRE(testing::wait_readable(child.pidfd));
  CHECK_FALSE(alive(child.pid, started));
  CHECK(proc_fs::read_stat(child.pid)->started == started);
  finish(child);
  CHECK_FALSE(proc_fs::read_stat(child.pid));
}
