#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <limits>
#include <poll.h>
#include <spawn.h>
#include <stdexcept>
#include <thread>
#include <unistd.h>
#include <utility>

#include <catch2/catch.hpp>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "fake_workers/running_program_testing.hpp"

namespace poolproof::faults {
namespace {

constexpr int kPatienceMs = 30'000;

struct PipeEnds {
  int read = -1;
  int write = -1;
};

PipeEnds open_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
  return {ends[0], ends[1]};
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> all;
  for (std::string& text : texts) all.push_back(text.data());
  all.push_back(nullptr);
  return all;
}

void wait_readable(int fd) {
  pollfd one{fd, POLLIN, 0};
  if (::poll(&one, 1, kPatienceMs) != 1) throw std::runtime_error("the program says nothing");
}

std::string read_from(int fd, std::size_t limit) {
  std::string all;
  std::array<char, 65'536> part{};
  while (all.size() < limit) {
    wait_readable(fd);
    const ssize_t got = ::read(fd, part.data(), std::min(part.size(), limit - all.size()));
    if (got <= 0) break;
    all.append(part.data(), static_cast<std::size_t>(got));
  }
  return all;
}

std::size_t count(const std::string& content, std::string_view text) {
  std::size_t times = 0;
  for (std::size_t at = content.find(text); at != std::string::npos;
       at = content.find(text, at + text.size())) {
    ++times;
  }
  return times;
}

}  // namespace

RunningProgram::RunningProgram(const std::vector<std::string>& argv,
                               const std::vector<std::string>& env) {
  ::signal(SIGPIPE, SIG_IGN);
  const PipeEnds in = open_pipe();
  const PipeEnds out = open_pipe();
  const PipeEnds err = open_pipe();
  posix_spawn_file_actions_t streams;
  posix_spawn_file_actions_init(&streams);
  posix_spawn_file_actions_adddup2(&streams, in.read, 0);
  posix_spawn_file_actions_adddup2(&streams, out.write, 1);
  posix_spawn_file_actions_adddup2(&streams, err.write, 2);
  // Ours is ignored, and a program would inherit that.
  sigset_t pipe_signal;
  sigemptyset(&pipe_signal);
  sigaddset(&pipe_signal, SIGPIPE);
  posix_spawnattr_t how;
  posix_spawnattr_init(&how);
  posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSIGDEF);
  posix_spawnattr_setsigdefault(&how, &pipe_signal);
  std::vector<std::string> args = argv;
  std::vector<std::string> variables = env;
  const int failed = ::posix_spawn(&pid_, args.front().c_str(), &streams, &how,
                                   pointers(args).data(), pointers(variables).data());
  posix_spawn_file_actions_destroy(&streams);
  posix_spawnattr_destroy(&how);
  ::close(out.write);
  ::close(err.write);
  in_ = in.write;
  in_read_end_ = in.read;
  out_ = out.read;
  err_ = err.read;
  if (failed != 0) throw std::runtime_error("cannot start " + args.front());
}

RunningProgram::~RunningProgram() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  for (const int fd : {in_, out_, err_, in_read_end_}) {
    if (fd >= 0) ::close(fd);
  }
}

void RunningProgram::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t wrote = ::write(in_, bytes.data(), bytes.size());
    if (wrote <= 0) throw std::runtime_error("nobody reads the program's stdin");
    bytes.remove_prefix(static_cast<std::size_t>(wrote));
  }
}

void RunningProgram::close_stdin() {
  ::close(std::exchange(in_, -1));
}

void RunningProgram::close_stdout() {
  ::close(std::exchange(out_, -1));
}

void RunningProgram::terminate() const {
  ::kill(pid_, SIGTERM);
}

std::string RunningProgram::read_stdout(std::size_t bytes) {
  return read_from(out_, bytes);
}

std::string RunningProgram::read_stdout() {
  return read_from(out_, std::numeric_limits<std::size_t>::max());
}

std::string RunningProgram::read_stderr() {
  return read_from(err_, std::numeric_limits<std::size_t>::max());
}

ExitStatus RunningProgram::wait() {
  const int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
  wait_readable(pidfd);
  ::close(pidfd);
  int status = 0;
  ::waitpid(std::exchange(pid_, -1), &status, 0);
  if (WIFSIGNALED(status)) return {0, WTERMSIG(status)};
  return {WEXITSTATUS(status), 0};
}

int RunningProgram::unread_bytes() const {
  int bytes = 0;
  ::ioctl(in_read_end_, FIONREAD, &bytes);
  return bytes;
}

TemporaryFile::TemporaryFile(std::string_view content) {
  const char* folder = std::getenv("TMPDIR");
  path_ = std::string(folder == nullptr ? "/tmp" : folder) + "/poolproof-XXXXXX";
  const int fd = ::mkstemp(path_.data());
  if (fd < 0) throw std::runtime_error("no temporary file");
  ::close(fd);
  std::ofstream(path_, std::ios::binary) << content;
}

TemporaryFile::~TemporaryFile() {
  ::unlink(path_.c_str());
}

std::string TemporaryFile::content() const {
  std::ifstream file(path_, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void TemporaryFile::wait_for(std::string_view text, std::size_t times) const {
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(kPatienceMs);
  while (count(content(), text) < times) {
    if (std::chrono::steady_clock::now() > end) throw std::runtime_error("the file never says it");
    std::this_thread::yield();
  }
}

TEST_CASE("fake_workers: running program: what goes in comes out, and the exit code is seen") {
  RunningProgram cat({"/bin/sh", "-c", "cat; exit 3"});
  cat.send("hello");
  cat.close_stdin();
  CHECK(cat.read_stdout() == "hello");
  CHECK(cat.wait() == ExitStatus{3, 0});
}

}  // namespace poolproof::faults
