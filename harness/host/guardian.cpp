#include "harness/host/guardian.hpp"

#include <array>
#include <cstdint>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>
#include <sys/random.h>

#include "harness/base/assert.hpp"
#include "harness/host/census.hpp"
#include "harness/host/system.hpp"

namespace poolproof::host {
namespace {

constexpr Duration kEndLimit = std::chrono::seconds(10);
constexpr int kSweepRounds = 5000;

void ignore_requests_to_end() {
  struct sigaction ignore {};
  ignore.sa_handler = SIG_IGN;
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE}) {
    ::sigaction(signal, &ignore, nullptr);
  }
}

/// Waits for the end of stdin; what comes before it does not matter. An error counts as the end,
/// since a guardian that went on waiting would never sweep.
void wait_for_end_of_input() {
  std::array<char, 64> ignored{};
  while (sys::read(STDIN_FILENO, ignored).value_or(0) > 0) {
  }
}

}  // namespace

Expected<Guardian, LaunchError> Guardian::start(const std::string& program,
                                                const std::string& token, Reach reach) {
  // Its environment must not have the token, or guardians would kill each other; and must not be
  // empty, which makes other sweeps unsure.
  Command command{{program, "guardian", "--token", token}, {"POOLPROOF_ROLE=guardian"}, {}};
  if (reach == Reach::processes) command.argv.emplace_back("--processes-only");
  return launch(command, LaunchOptions{.outlives_us = true}).map([](Child&& child) {
    return Guardian(std::move(child));
  });
}

Guardian::Guardian(Guardian&&) noexcept = default;

Guardian::~Guardian() {
  if (!child_.pidfd) return;
  child_.stdin_end.reset();
  // A guardian that needs longer is left to its work: it does not need us.
  const bool ended = sys::poll_one(child_.pidfd.get(), POLLIN, kEndLimit) != 0;
  if (ended) (void)sys::reap(child_.pidfd.get());
}

void Guardian::dismiss() {
  // The guardian is killed first: the end of its input would make it sweep.
  if (!sys::signal_process(child_.pidfd.get(), SIGKILL)) return;
  (void)sys::reap(child_.pidfd.get());
  child_.pidfd.reset();
  child_.stdin_end.reset();
}

int guardian_main(const std::string& token, Reach reach) {
  ignore_requests_to_end();
  ::close_range(STDERR_FILENO + 1, ~0U, 0);
  wait_for_end_of_input();
  kill_marked(token, kSweepRounds, reach);
  return processes_marked(token).empty() ? 0 : 1;
}

std::string new_token() {
  std::uint64_t random = 0;
  POOLPROOF_ASSERT(::getrandom(&random, sizeof random, 0) == sizeof random);
  return fmt::format("{}-{}-{:016x}", ::getpid(), sys::now().time_since_epoch().count(), random);
}

}  // namespace poolproof::host
