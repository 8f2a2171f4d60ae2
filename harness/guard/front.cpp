#include "harness/guard/front.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <unistd.h>

#include "harness/host/census.hpp"
#include "harness/host/system_below.hpp"

namespace poolproof::guard {
namespace {

namespace sys = host::sys;

constexpr std::array kAskToEnd{SIGTERM, SIGINT, SIGHUP, SIGQUIT};

/// Hands signals on to the copy until it has ended. Returns its exit code.
std::optional<int> forward_signals_to(pid_t copy) {
  const auto signals = sys::held_signals();
  const auto pidfd = sys::pidfd_open(copy);
  if (!signals || !pidfd) {
    sys::kill_and_reap(copy);
    return std::nullopt;
  }
  const bool in_foreground = sys::in_foreground();
  std::array<pollfd, 2> fds{{{signals->get(), POLLIN, 0}, {pidfd->get(), POLLIN, 0}}};
  while (fds[1].revents == 0) {
    if (!sys::poll(fds, Duration(-1))) break;
    while (const auto signal = sys::next_signal(signals->get())) {
      // A signal that was typed at a terminal has reached the whole group already, the program too.
      const bool is_typed = signal->by_kernel && in_foreground;
      if (asks_to_end(signal->number) && !is_typed) sys::signal_child(copy, signal->number);
    }
  }
  const auto exit = sys::reap(pidfd->get());
  if (!exit || exit->signal != 0) return std::nullopt;
  return exit->code;
}

}  // namespace

int front_ended_signal() {
  return SIGUSR2;
}

bool asks_to_end(int signal) {
  return std::ranges::find(kAskToEnd, signal) != kAskToEnd.end();
}

std::optional<int> run_in_guarded_copy(pid_t spared, const std::function<int(pid_t front)>& body) {
  sys::hold_signals(std::array{SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGCHLD, front_ended_signal()});
  sys::ignore_sigpipe();
  sys::adopt_orphans();
  const pid_t front = ::getpid();
  const auto copy = sys::fork_told(front_ended_signal());
  if (!copy) return std::nullopt;
  if (*copy == 0) {
    sys::adopt_orphans();
    const int code = body(front);
    std::fflush(stdout);
    std::fflush(stderr);
    sys::leave_copy(code);
  }
  const std::optional<int> code = forward_signals_to(*copy);
  host::end_descendants(spared);
  return code;
}

}  // namespace poolproof::guard
