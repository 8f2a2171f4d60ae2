#include "harness/wrap/proxy_process.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <signal.h>
#include <system_error>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>

namespace poolproof::wrap {
namespace {

constexpr std::string_view kToken = "POOLPROOF_TOKEN=";

/// Whether the environment has a mark already: then whoever set it will put marked processes away.
bool is_marked(const std::vector<std::string>& env) {
  return std::ranges::any_of(env,
                             [](const std::string& entry) { return entry.starts_with(kToken); });
}

}  // namespace

ProxyProcess::ProxyProcess(RelaySettings& settings)
    : inherited(sys::inherited_descriptors()), settings_(settings) {
  // The journal and the wire log are not among `inherited`: they are ours, and close at exec.
  auto held = sys::Signals::hold();
  if (!held) give_up(fmt::format("signals: {}", std::generic_category().message(held.error())));
  signals = std::move(*held);
  const std::optional<int> channel = settings.channel;
  auto in = channel ? sys::Stream::half_of(*channel, true) : sys::Stream::take(STDIN_FILENO, true);
  auto out =
      channel ? sys::Stream::half_of(*channel, false) : sys::Stream::take(STDOUT_FILENO, false);
  if (!in || !out) give_up(std::generic_category().message(in ? out.error() : in.error()));
  input = std::move(*in);
  output = std::move(*out);
}

void ProxyProcess::give_up(const std::string& why, bool bad_input) {
  if (below.pidfd) host::sys::kill_and_reap(below.pid);
  ::_exit(settings_.complain(why, bad_input));
}

void ProxyProcess::start_worker() {
  std::vector<std::string> env = settings_.env;
  const bool ours = !is_marked(env);
  const std::string token = host::new_token();
  if (ours) env.push_back(std::string(kToken) + token);
  const auto& channel = settings_.channel;
  const sys::Places places = channel ? sys::Places{*channel, *channel} : sys::Places{};
  auto started =
      sys::start_below(settings_.program, settings_.argv, env, signals, input, output, places);
  if (!started) give_up(started.error().message, true);
  below = std::move(*started);
  sys::close_all(std::exchange(inherited, {}));
  if (channel) {
    sys::drop(STDIN_FILENO);
    sys::drop(STDOUT_FILENO);
  }
  if (ours) start_guardian(token);
  // Only faults write to our stderr. Closed here, it ends when the worker's does.
  if (settings_.machine.plan.empty()) sys::drop(STDERR_FILENO);
}

void ProxyProcess::start_guardian(const std::string& token) {
  auto guardian = host::Guardian::start(settings_.own_program, token, host::Reach::processes);
  if (!guardian) give_up(guardian.error().message);
  guardian_.emplace(std::move(*guardian));
}

void ProxyProcess::pass_on(const sys::Signals::Came& came) {
  if (!below.pidfd) sys::end_as({0, came.number});
  if (!came.from_terminal) (void)host::sys::signal_process(below.pidfd.get(), came.number);
}

std::optional<ExitStatus> ProxyProcess::ended() const {
  if (!below.pidfd) return std::nullopt;
  return host::sys::peek_exit(below.pidfd.get()).value_or(std::nullopt);
}

void ProxyProcess::end_with_it(ExitStatus status, Pump& down, Pump& up) {
  if (guardian_) guardian_->dismiss();
  (void)host::sys::reap(below.pidfd.get());
  if (!up.over()) (void)sys::leave_behind([&] { serve_what_is_left(down, up); });
  sys::end_as(status);
}

void ProxyProcess::end_before_it(ExitStatus status) {
  if (below.pidfd) {
    (void)host::sys::signal_process(below.pidfd.get(), SIGKILL);
    (void)host::sys::reap(below.pidfd.get());
  }
  // The guardian sees that we end, and puts away what else the worker started.
  sys::end_as(status);
}

void ProxyProcess::serve_what_is_left(Pump& down, Pump& up) {
  signals.restore();
  sys::drop(STDERR_FILENO);
  while (!up.over()) {
    const auto low = down.waits_for();
    const auto high = up.waits_for();
    std::array<pollfd, 4> wanted{low[0], low[1], high[0], high[1]};
    if (!host::sys::poll(wanted, Duration(-1))) return;
    down.go_on(std::span(wanted).first(2));
    up.go_on(std::span(wanted).last(2));
  }
}

}  // namespace poolproof::wrap
