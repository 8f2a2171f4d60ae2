#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <signal.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include <catch2/catch.hpp>
#include <sys/resource.h>

#include "harness/host/census.hpp"
#include "harness/host/child.hpp"
#include "harness/host/child_testing.hpp"
#include "harness/host/system.hpp"

using namespace poolproof;
using namespace poolproof::host;
using testing::FailuresEnd;
using testing::finish;
using testing::read_text;
using testing::shell;

namespace {

namespace fs = std::filesystem;

/// A folder that goes with its test.
class Folder {
 public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "poolproof_launch_XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~Folder() { fs::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  [[nodiscard]] std::string file(const std::string& name, const std::string& text,
                                 bool runs) const {
    const fs::path path = path_ / name;
    std::ofstream(path) << text;
    fs::permissions(path, runs ? fs::perms(0755) : fs::perms(0644));
    return path.string();
  }
  [[nodiscard]] std::string text() const { return path_.string(); }

 private:
  fs::path path_;
};

std::string why_not(const Command& command) {
  const auto child = launch(command);
  return child ? "it started" : child.error().message;
}

std::string output_of(const Command& command) {
  const Child child = launch(command).value();
  std::string text = read_text(child.stdout_end);
  CHECK(finish(child) == ExitStatus{});
  return text;
}

rlim_t first_free_descriptor() {
  return static_cast<rlim_t>(sys::event_fd().value().get());
}

/// Runs without 0, 1 and 2, as in a pool that was started so.
template <class Body>
void without_standard_streams(Body body) {
  std::array<int, 3> kept{};
  for (int fd = 0; fd < 3; ++fd) {
    kept[static_cast<std::size_t>(fd)] = ::fcntl(fd, F_DUPFD_CLOEXEC, 10);
    ::close(fd);
  }
  body();
  for (int fd = 0; fd < 3; ++fd) {
    ::dup2(kept[static_cast<std::size_t>(fd)], fd);
    ::close(kept[static_cast<std::size_t>(fd)]);
  }
}

}  // namespace

TEST_CASE("host: launch: a process reads our bytes and we read its two streams") {
  const Child child = launch(shell("read x; echo out $x; echo err $x >&2; exit 3")).value();
  REQUIRE(sys::write(child.stdin_end.get(), "hello\n").value() == 6);
  CHECK(read_text(child.stdout_end) == "out hello\n");
  CHECK(read_text(child.stderr_end) == "err hello\n");
  CHECK(finish(child) == ExitStatus{3, 0});
}

TEST_CASE("host: launch: our ends do not block and are close-on-exec, the child's ends block") {
  Child child = launch({{"/bin/cat"}, {}, {}}).value();
  for (const Descriptor* ours : {&child.stdin_end, &child.stdout_end, &child.stderr_end}) {
    CHECK((::fcntl(ours->get(), F_GETFL) & O_NONBLOCK) != 0);
    CHECK((::fcntl(ours->get(), F_GETFD) & FD_CLOEXEC) != 0);
  }
  // A cat whose stdin did not block would end at once with an error.
  REQUIRE(sys::write(child.stdin_end.get(), "x"));
  CHECK(read_text(child.stdout_end, 1) == "x");
  CHECK(sys::peek_exit(child.pidfd.get()).value() == std::nullopt);
  child.stdin_end.reset();
  CHECK(finish(child) == ExitStatus{});
}

TEST_CASE("host: launch: the environment is exactly the list") {
  ::setenv("POOLPROOF_INHERITED", "1", 1);
  const std::string seen = output_of({{"/usr/bin/env"}, {"A=1", "B=two words", "C="}, {}});
  ::unsetenv("POOLPROOF_INHERITED");
  CHECK(seen == "A=1\nB=two words\nC=\n");
  CHECK(output_of({{"/usr/bin/env"}, {}, {}}).empty());
}

TEST_CASE("host: launch: arguments pass as they are") {
  Command command = shell("for a; do echo \"[$a]\"; done");
  for (const char* arg : {"zero", "", "two words", "*", "\xff"}) command.argv.emplace_back(arg);
  CHECK(output_of(command) == "[]\n[two words]\n[*]\n[\xff]\n");
}

TEST_CASE("host: launch: the working directory is the one asked for") {
  const Folder folder;
  Command command{{"/bin/sh", "-c", "pwd -P"}, {}, folder.text()};
  CHECK(output_of(command) == fs::canonical(folder.text()).string() + "\n");
}

TEST_CASE("host: launch: the child holds no descriptor but its three streams") {
  // Also one that was opened without close-on-exec, below and above gaps.
  std::array<int, 2> careless{};
  REQUIRE(::pipe(careless.data()) == 0);
  const int far = ::fcntl(careless[0], F_DUPFD, 200);
  const std::string listed = output_of({{"/bin/ls", "/proc/self/fd"}, {}, {}});
  for (const int fd : {careless[0], careless[1], far}) ::close(fd);
  CHECK(listed == "0\n1\n2\n3\n");  // 3 is the folder that ls looks into
}

TEST_CASE("host: launch: closed streams are seen at once, for nobody else holds a copy") {
  const Child child = launch(shell("exec >&-; read x")).value();
  CHECK(read_text(child.stdout_end).empty());
  CHECK(sys::peek_exit(child.pidfd.get()).value() == std::nullopt);
  REQUIRE(sys::write(child.stdin_end.get(), "\n"));
  CHECK(finish(child) == ExitStatus{});
}

TEST_CASE("host: launch: the child leads a group of its own") {
  const Child child = launch(shell("read x")).value();
  CHECK(::getpgid(child.pid) == child.pid);
  CHECK(::getsid(child.pid) == ::getsid(0));
  REQUIRE(sys::write(child.stdin_end.get(), "\n"));
  finish(child);
}

TEST_CASE("host: launch: the child begins with default signals and an empty mask") {
  sys::ignore_sigpipe();
  struct sigaction ignore {};
  struct sigaction before {};
  ignore.sa_handler = SIG_IGN;
  ::sigaction(SIGTERM, &ignore, &before);
  sigset_t blocked;
  sigset_t mask_before;
  ::sigfillset(&blocked);
  ::pthread_sigmask(SIG_SETMASK, &blocked, &mask_before);
  const auto child = launch({{"/bin/cat", "/proc/self/status"}, {}, {}});
  ::pthread_sigmask(SIG_SETMASK, &mask_before, nullptr);
  ::sigaction(SIGTERM, &before, nullptr);
  REQUIRE(child);
  const std::string status = read_text(child->stdout_end);
  CHECK_THAT(status, Catch::Contains("SigBlk:\t0000000000000000"));
  CHECK_THAT(status, Catch::Contains("SigIgn:\t0000000000000000"));
  finish(*child);
}

TEST_CASE("host: launch: the child dies with the thread that started it") {
  Expected<Child, LaunchError> child = unexpected(LaunchError{});
  std::thread starter([&] { child = launch(shell("trap '' TERM; read x")); });
  starter.join();
  REQUIRE(child);
  CHECK(finish(*child) == ExitStatus{0, SIGKILL});
}

TEST_CASE("host: launch: one that outlives us has a session of its own and only stdin as a pipe") {
  Expected<Child, LaunchError> child = unexpected(LaunchError{});
  std::thread starter([&] {
    child = launch(shell("echo text; echo text >&2; read x; exit 4"), {.outlives_us = true});
  });
  starter.join();
  REQUIRE(child);
  CHECK(::getsid(child->pid) == child->pid);
  CHECK_FALSE(child->stdout_end);
  CHECK_FALSE(child->stderr_end);
  CHECK(fs::read_symlink("/proc/" + std::to_string(child->pid) + "/fd/1") == "/dev/null");
  REQUIRE(sys::write(child->stdin_end.get(), "\n"));
  CHECK(finish(*child) == ExitStatus{4, 0});
}

TEST_CASE("host: launch: a pool without 0, 1 and 2 starts sound workers") {
  const Census before = take_census();
  std::string said;
  std::string complained;
  std::string refused;
  ExitStatus status;
  without_standard_streams([&] {
    const auto child = launch(shell("read x; echo out $x; echo err $x >&2"));
    if (!child) return;
    static_cast<void>(sys::write(child->stdin_end.get(), "v8\n"));
    said = read_text(child->stdout_end);
    complained = read_text(child->stderr_end);
    status = finish(*child);
    refused = why_not({{"/nowhere/nope"}, {}, {}});
  });
  CHECK(said == "out v8\n");
  CHECK(complained == "err v8\n");
  CHECK(status == ExitStatus{});
  CHECK(refused == "cannot start \"/nowhere/nope\": No such file or directory");
  CHECK(before == take_census());
}

TEST_CASE("host: launch: a program that can't be started is named with the reason") {
  const Folder folder;
  const Census before = take_census();
  const std::string plain = folder.file("plain", "echo hello\n", false);
  const std::string no_program = folder.file("no_program", "\x01\x02\x03\x04", true);
  const std::string orphan = folder.file("orphan", "#!/nowhere/python\n", true);
  CHECK(why_not({{orphan}, {}, {}}) ==
        "cannot start \"" + orphan + "\": No such file or directory (interpreter)");
  CHECK(why_not({{"nope"}, {}, {}}) == "cannot start \"nope\": No such file or directory");
  CHECK(why_not({{"./no\npe"}, {}, {}}) == "cannot start \"./no\\npe\": No such file or directory");
  CHECK(why_not({{plain}, {}, {}}) == "cannot start \"" + plain + "\": Permission denied");
  CHECK(why_not({{no_program}, {}, {}}) ==
        "cannot start \"" + no_program + "\": Exec format error");
  CHECK(why_not({{"/bin/cat"}, {}, "/nowhere"}) ==
        "cannot start \"/bin/cat\" in \"/nowhere\": No such file or directory");
  CHECK(why_not({{}, {}, {}}) == "cannot start \"\": Invalid argument");
  CHECK(why_not({{""}, {}, {}}) == "cannot start \"\": No such file or directory");
  CHECK(why_not({{"/bin/cat", std::string(std::size_t{1} << 22U, 'x')}, {}, {}}) ==
        "cannot start \"/bin/cat\": Argument list too long");
  CHECK(launch({{"nope"}, {}, {}}).error().errno_value == ENOENT);
  CHECK(before == take_census());
}

TEST_CASE("host: launch: a failed start does not write the pool's buffered output a second time") {
  const sys::Pipe pipe = std::move(sys::pipe().value());
  FILE* file = ::fdopen(::dup(pipe.write_end.get()), "w");
  std::fputs("once", file);
  // Many, for the child is also killed: what it did wrong it did only sometimes.
  for (int i = 0; i < 50; ++i) CHECK_FALSE(launch({{"/nowhere/nope"}, {}, {}}));
  std::fclose(file);
  CHECK(sys::unread_bytes(pipe.read_end.get()).value() == 4);
}

TEST_CASE("host: launch: whichever call fails, neither a process nor a descriptor is left") {
  const FailuresEnd end;
  const sys::Call call = GENERATE(sys::Call::pipe, sys::Call::open, sys::Call::fcntl,
                                  sys::Call::fork_exec, sys::Call::pidfd_open);
  const int error = GENERATE(EMFILE, EAGAIN, ENOMEM);
  const bool outlives_us = GENERATE(false, true);
  const Census before = take_census();
  std::uint32_t failed = 0;
  for (bool started = false; !started; ++failed) {
    sys::fail_none();
    sys::fail_next(call, failed, error);
    auto child = launch({{"/bin/cat"}, {}, {}}, {.outlives_us = outlives_us});
    started = sys::failures_struck() == 0;
    REQUIRE(child.has_value() == started);
    if (child) {
      child->stdin_end.reset();
      CHECK(finish(*child) == ExitStatus{});
    } else {
      CHECK(child.error().errno_value == error);
    }
    child = unexpected(LaunchError{});
    CHECK(before == take_census());
  }
  CHECK(failed >= 2);  // at least one call could fail, and the last round failed none
}

TEST_CASE("host: launch: with every number of free descriptors it starts or leaves nothing") {
  const Census before = take_census();
  rlimit all{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &all) == 0);
  std::size_t refused = 0;
  for (rlim_t free = 0; free < 24; ++free) {
    const rlimit few{first_free_descriptor() + free, all.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &few) == 0);
    auto child = launch({{"/bin/cat"}, {}, {}});
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &all) == 0);
    if (child) {
      child->stdin_end.reset();
      CHECK(finish(*child) == ExitStatus{});
      child = unexpected(LaunchError{});
    } else {
      CHECK(child.error().message == "cannot start \"/bin/cat\": Too many open files");
      ++refused;
    }
    CHECK(before == take_census());
  }
  CHECK(refused > 0);
  CHECK(refused < 24);
}

TEST_CASE("host: launch: a name is looked up in the absolute folders of the pool's PATH") {
  const Folder first;
  const Folder second;
  static_cast<void>(first.file("tool_x", "", false));
  const std::string right = second.file("tool_x", "#!/bin/sh\necho \"$0\"\n", true);
  static_cast<void>(first.file("tool_y", "", false));
  const std::string path_before = std::getenv("PATH");
  ::setenv("PATH", ("::.:" + first.text() + ":" + second.text()).c_str(), 1);
  const auto found = find_program("tool_x");
  const auto forbidden = find_program("tool_y");
  const auto missing = find_program("sh");
  const std::string said = output_of({{"tool_x"}, {"PATH=/nowhere"}, {}});
  ::unsetenv("PATH");
  const auto without_path = find_program("cat");
  ::setenv("PATH", path_before.c_str(), 1);
  CHECK(found.value() == right);
  CHECK(said == right + "\n");
  CHECK(forbidden.error().message == "cannot start \"tool_y\": Permission denied");
  CHECK(missing.error().errno_value == ENOENT);
  CHECK_THAT(without_path.value(), Catch::EndsWith("bin/cat"));
  CHECK(find_program("./x").value() == "./x");
}

TEST_CASE("host: launch: threads that start processes at the same time do not disturb each other") {
  const Census before = testing::census_before_threads();
  std::atomic<int> good{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&good] {
      for (int run = 0; run < 10; ++run) {
        auto child = launch({{"/bin/cat"}, {}, {}});
        if (!child) continue;
        child->stdin_end.reset();  // no end of file if another child held a copy
        if (read_text(child->stdout_end).empty() && finish(*child) == ExitStatus{}) ++good;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(good == 40);
  CHECK(before == take_census());
}

TEST_CASE("host: launch: a NUL inside a string is told with its place") {
  using namespace std::string_literals;
  const auto [command, place] = GENERATE(table<Command, std::string>({
      {{{"/bin/true", "a\0b"s}, {}, {}}, "argv[1]"},
      {{{"/bin/true"}, {"A=1", "B=2\0"s}, {}}, "env[1]"},
      {{{"/bin/true"}, {}, "/\0tmp"s}, "working_directory"},
  }));
  const auto refused = launch(command);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message ==
        "cannot start \"/bin/true\": Invalid argument (" + place + " has a NUL inside)");
}
