#include "harness/host/guardian.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <set>
#include <signal.h>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

#include <catch2/catch.hpp>

#include "harness/host/census.hpp"
#include "harness/host/child_testing.hpp"

using namespace poolproof;
using namespace poolproof::host;
using testing::finish;
using testing::read_text;
using testing::shell;

namespace {

const std::string kProbe = POOLPROOF_GUARDIAN_PROBE;

Child start_guardian(const std::string& token) {
  return launch({{kProbe, "guardian", "--token", token}, {}, {}}, {.outlives_us = true}).value();
}

/// A process tree that leaves its parents, groups and sessions, one deaf to TERM; says "up"
/// when all are there.
std::string escaping_tree(int leaves) {
  return "i=0; while [ $i -lt " + std::to_string(leaves) +
         " ]; do /usr/bin/setsid /bin/sh -c '(trap \"\" TERM HUP; exec /bin/sleep 1000) & exit 0'; "
         "i=$((i+1)); done; echo up; exec /bin/sleep 1000";
}

/// Pidfds of all that carry the token now.
std::vector<Descriptor> hold_marked(const std::string& token) {
  std::vector<Descriptor> held;
  for (const Marked& marked : processes_marked(token)) {
    auto pidfd = sys::pidfd_open(marked.pid);
    if (pidfd && alive(marked.pid, marked.started)) held.push_back(std::move(*pidfd));
  }
  return held;
}

std::string file_text(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

/// Waits until a guardian's program is loaded and ignores the signals that it must ignore.
bool wait_until_settled(const Child& guardian) {
  constexpr std::uint64_t kHupIntQuitPipeTerm = 0x5007;
  const std::string status = "/proc/" + std::to_string(guardian.pid) + "/status";
  for (const Time limit = sys::now() + testing::kHang; sys::now() < limit;) {
    const std::string text = file_text(status);
    const std::size_t at = text.find("SigIgn:\t");
    const auto mask = at == std::string::npos ? 0 : std::stoull(text.substr(at + 8), nullptr, 16);
    if ((mask & kHupIntQuitPipeTerm) == kHupIntQuitPipeTerm) return true;
    std::this_thread::yield();
  }
  return false;
}

}  // namespace

TEST_CASE("host: guardian: a runner killed in the middle leaves nobody behind") {
  const std::string token = new_token();
  // The tree says "up" into a pipe that the runner holds, so the test looks for the leaves itself.
  const Child runner = launch({{kProbe, "runner", token, escaping_tree(4)}, {}, {}}).value();
  REQUIRE(read_text(runner.stdout_end, 6) == "ready\n");
  const Time limit = sys::now() + testing::kHang;
  const auto sleepers = [&] {
    const auto all = processes_marked(token);
    return std::count_if(all.begin(), all.end(),
                         [](const Marked& marked) { return marked.command == "/bin/sleep 1000"; });
  };
  while (sleepers() < 5 && sys::now() < limit) std::this_thread::yield();
  REQUIRE(sleepers() == 5);
  const std::vector<Descriptor> held = hold_marked(token);
  REQUIRE(held.size() >= 5);
  REQUIRE(sys::signal_process(runner.pidfd.get(), SIGKILL));
  for (const Descriptor& pidfd : held) CHECK(testing::wait_readable(pidfd));
  CHECK(finish(runner) == ExitStatus{0, SIGKILL});
  CHECK(processes_marked(token).empty());
}

TEST_CASE("host: guardian: destroying it sweeps, waits and reaps it") {
  const std::string token = new_token();
  const Census before = take_census();
  {
    auto guardian = Guardian::start(kProbe, token);
    REQUIRE(guardian);
    CHECK(take_census().children == before.children + 1);
    CHECK(take_census().descriptors == before.descriptors + 2);
    CHECK(processes_marked(token).empty());  // it does not carry the token itself
    const Child tree = launch(shell(escaping_tree(8), {"POOLPROOF_TOKEN=" + token})).value();
    REQUIRE(read_text(tree.stdout_end, 3) == "up\n");
    CHECK(testing::marked_reach(token, 9));
    guardian = unexpected(LaunchError{});
    CHECK(processes_marked(token).empty());
    CHECK(finish(tree) == ExitStatus{0, SIGKILL});
    CHECK(read_text(tree.stdout_end).empty());
  }
  CHECK(before == take_census());
}

TEST_CASE("host: guardian: it does nothing while its runner lives, whatever asks it to end") {
  const std::string token = new_token();
  Child guardian = start_guardian(token);
  const Child worker = launch(shell("read x", {"POOLPROOF_TOKEN=" + token})).value();
  REQUIRE(wait_until_settled(guardian));
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    REQUIRE(sys::signal_process(guardian.pidfd.get(), signal));
  }
  CHECK(sys::peek_exit(guardian.pidfd.get()).value() == std::nullopt);
  CHECK(sys::peek_exit(worker.pidfd.get()).value() == std::nullopt);
  guardian.stdin_end.reset();
  CHECK(finish(guardian) == ExitStatus{});
  CHECK(finish(worker) == ExitStatus{0, SIGKILL});
}

TEST_CASE("host: guardian: it holds no other descriptor and has a session of its own") {
  const std::string token = new_token();
  Child guardian = start_guardian(token);
  REQUIRE(wait_until_settled(guardian));
  const std::string folder = "/proc/" + std::to_string(guardian.pid);
  CHECK(::getsid(guardian.pid) == guardian.pid);
  std::set<std::string> open;
  for (const auto& entry : std::filesystem::directory_iterator(folder + "/fd")) {
    open.insert(entry.path().filename().string());
  }
  CHECK(open == std::set<std::string>{"0", "1", "2"});
  guardian.stdin_end.reset();
  CHECK(finish(guardian) == ExitStatus{});
}

TEST_CASE("host: guardian: putting another one in its place sweeps for it, moving it does not") {
  const std::string first = new_token();
  const std::string second = new_token();
  const Child worker = launch(shell("read x", {"POOLPROOF_TOKEN=" + first})).value();
  const Child other = launch(shell("read x", {"POOLPROOF_TOKEN=" + second})).value();
  {
    std::optional guardian(std::move(Guardian::start(kProbe, first).value()));
    guardian.emplace(std::move(Guardian::start(kProbe, second).value()));
    CHECK(finish(worker) == ExitStatus{0, SIGKILL});
    const Guardian moved = std::move(*guardian);
    CHECK(sys::peek_exit(other.pidfd.get()).value() == std::nullopt);
  }
  CHECK(finish(other) == ExitStatus{0, SIGKILL});
}

TEST_CASE("host: guardian: a program that is not there is an error value") {
  const Census before = take_census();
  const auto guardian = Guardian::start("/nowhere/poolproof", "t");
  REQUIRE_FALSE(guardian);
  CHECK(guardian.error().message ==
        "cannot start \"/nowhere/poolproof\": No such file or directory");
  CHECK(before == take_census());
}

TEST_CASE("host: guardian: tokens never repeat") {
  std::set<std::string> tokens;
  for (int i = 0; i < 1000; ++i) tokens.insert(new_token());
  CHECK(tokens.size() == 1000);
  for (const std::string& token : tokens) {
    CHECK(token.find_first_of("/ \n") == std::string::npos);
  }
}
