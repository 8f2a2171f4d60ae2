#include "harness/run/job_process.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>

#include "harness/base/tail.hpp"
#include "harness/host/census.hpp"
#include "harness/host/child.hpp"
#include "harness/host/system.hpp"

namespace poolproof::run {
namespace {

constexpr std::size_t kSaidBytes = 8192;
/// The most reads in a row from one stream: a process that floods it must not keep us from looking
/// at the time.
constexpr int kRoundsMost = 64;

/// The variables of our environment that our own program may need. No others are handed on.
std::vector<std::string> environment(const std::string& token) {
  std::vector<std::string> env{"POOLPROOF_TOKEN=" + token};
  for (const char* name :
       {"PATH", "LANG", "HOME", "TMPDIR", "POOLPROOF_PYTHON", "POOLPROOF_PYTHONPATH",
        "POOLPROOF_FAKE_WORKER", "ASAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"}) {
    if (const char* value = std::getenv(name)) env.push_back(std::string(name) + "=" + value);
  }
  return env;
}

/// Reads both streams until the process has ended. False: the time was over first.
bool follow(const host::Child& child, Tail& said, Time deadline) {
  std::array<char, 16384> chunk{};
  std::array<pollfd, 3> fds{{{child.stderr_end.get(), POLLIN, 0},
                             {child.stdout_end.get(), POLLIN, 0},
                             {child.pidfd.get(), POLLIN, 0}}};
  const auto drain = [&](pollfd& fd, bool keep) {
    for (int round = 0; round < kRoundsMost && fd.fd >= 0; ++round) {
      const auto got = host::sys::read(fd.fd, chunk);
      if (!got && got.error() == EAGAIN) return;
      if (!got || *got == 0) {
        fd.fd = -1;
        break;
      }
      if (keep) said.append({chunk.data(), *got});
    }
  };
  while (true) {
    const Duration left = deadline - host::sys::now();
    if (left <= Duration::zero()) return false;
    (void)host::sys::poll(fds, left);
    drain(fds[0], true);
    drain(fds[1], false);
    if (fds[2].revents != 0) return true;
  }
}

}  // namespace

Expected<Ended, std::string> run_process(const std::vector<std::string>& argv,
                                         const std::string& token, Duration limit) {
  auto child = host::launch({argv, environment(token), ""});
  if (!child) return unexpected(child.error().message);
  child->stdin_end.reset();
  Tail said(kSaidBytes);
  Ended ended;
  ended.overran = !follow(*child, said, after(host::sys::now(), limit));
  if (ended.overran) (void)host::sys::signal_group(child->pid, SIGKILL);
  if (const auto status = host::sys::reap(child->pidfd.get())) ended.exit = *status;
  host::kill_marked(token);
  ended.said = said.text();
  return ended;
}

}  // namespace poolproof::run
