#include "harness/host/pool.hpp"

#include <array>
#include <system_error>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>

#include "harness/host/lease_body.hpp"
#include "harness/host/pool_types.hpp"
#include "harness/host/reactor.hpp"
#include "harness/host/state.hpp"
#include "harness/host/system.hpp"
#include "harness/pool/options.hpp"
#include "harness/wire/wires.hpp"

namespace poolproof::host {

struct Pool::Parts {
  std::shared_ptr<PoolState> state;
  std::unique_ptr<Reactor> reactor;
  pid_t process = ::getpid();  ///< where the pool's threads are
};

namespace {

/// An option that must be one of so many values, counted from 0.
struct Bound {
  std::string_view option;
  std::size_t value = 0;
  std::size_t values = 1;
};

Parsed<void> check_choices(const Options& options) {
  const auto number = [](auto value) { return static_cast<std::size_t>(value); };
  const std::array<Bound, 3> choices{{
      {"wire", number(options.framing.wire), wire::wires().size()},
      {"speech", number(options.speech), wire::speeches().size()},
      {"on_exception", number(options.on_exception), pool::kOnExceptionNames.size()},
  }};
  for (const auto& [option, value, values] : choices) {
    if (value < values) continue;
    return unexpected(InputError{std::string(option), fmt::format("is {}", value),
                                 fmt::format("0 to {}", values - 1)});
  }
  return {};
}

Parsed<void> check_spans(const Options& options) {
  const std::array<std::pair<const char*, Duration>, 4> spans{{
      {"checkout_timeout_ms", options.checkout_timeout},
      {"call_timeout_ms", options.call_timeout},
      {"close_timeout_ms", options.close_timeout},
      {"leak_after_ms", options.leak_after},
  }};
  for (const auto& [option, span] : spans) {
    if (span >= Duration::zero()) continue;
    return unexpected(InputError{option, "is " + pool::in_ms(span), "at least 0 ms"});
  }
  return {};
}

Parsed<void> check_framing(const Options& options) {
  const auto prefix = options.framing.prefix_bytes;
  if (prefix != 1 && prefix != 2 && prefix != 4 && prefix != 8) {
    return unexpected(InputError{"prefix_bytes", "is " + std::to_string(prefix), "1, 2, 4 or 8"});
  }
  if (options.framing.max_frame_bytes == 0) {
    return unexpected(InputError{"max_frame_bytes", "is 0", "at least 1"});
  }
  const pool::WireOptions wire = wire_of(options);
  if (auto sound = pool::checked(wire); !sound) return sound;
  return pool::checked(options.core, wire);
}

/// Error: the first option that is out of bounds.
Parsed<void> check(const Options& options) {
  if (auto config = pool::checked(options.core); !config) return unexpected(config.error());
  if (!options.command_for && options.command.argv.empty()) {
    return unexpected(InputError{"command", "is empty", "a program and its arguments"});
  }
  Parsed<void> sound = check_choices(options);
  if (sound) sound = check_spans(options);
  if (sound) sound = check_framing(options);
  return sound;
}

}  // namespace

Opened Pool::open(Options options) {
  if (auto sound = check(options); !sound) return unexpected(sound.error());
  sys::ignore_sigpipe();
  if (options.adopt_orphans) sys::adopt_orphans();
  auto state = std::make_shared<PoolState>(std::move(options));
  auto epoll = Reactor::open_epoll(state->wake_fd());
  if (!state->usable() || !epoll)
    return unexpected(
        InputError{"pool", "no descriptor left for it", "a higher limit (ulimit -n)"});
  try {
    auto reactor = std::make_unique<Reactor>(state, std::move(*epoll));
    std::unique_ptr<Parts> parts(new Parts{std::move(state), std::move(reactor)});
    return Opened(std::unique_ptr<Pool>(new Pool(parts.release())));
  } catch (const std::system_error& error) {
    return unexpected(
        InputError{"pool", std::string("no thread can be made for it: ") + error.code().message(),
                   "a higher limit (ulimit -u, ulimit -v)"});
  }
}

Pool::Pool(Parts* parts) : parts_(parts) {}

Pool::~Pool() {
  // In a copy of the process there are none of the pool's threads: nobody would ever answer.
  if (parts_->process != ::getpid()) return;
  const std::unique_ptr<Parts> parts(parts_);
  close({});
  parts->reactor.reset();
  parts->state->end_orphans();
  parts->state->abandon();
}

Result<Lease> Pool::checkout() {
  return checkout({}, std::stop_token());
}

Result<Lease> Pool::checkout(Timeout timeout) {
  return checkout(timeout, std::stop_token());
}

Result<Lease> Pool::checkout(Timeout timeout, Cancellation stop) {
  return checkout_in({}, timeout, stop);
}

Result<Lease> Pool::checkout_in(const pool::SessionRequest& session) {
  return checkout_in(session, {}, std::stop_token());
}

Result<Lease> Pool::checkout_in(const pool::SessionRequest& session, Timeout timeout) {
  return checkout_in(session, timeout, std::stop_token());
}

Result<Lease> Pool::checkout_in(const pool::SessionRequest& session, Timeout timeout,
                                Cancellation stop) {
  PoolState& state = *parts_->state;
  const Duration limit = timeout.limit.value_or(state.options().checkout_timeout);
  auto held = state.checkout(session, limit, stop.token);
  if (!held) return unexpected(std::move(held.error()));
  return Result<Lease>(tl::in_place, Lease::Granted{*held});
}

bool Pool::end_session(std::string_view name) {
  return parts_->state->end_session(name);
}

bool Pool::close(Timeout timeout) {
  PoolState& state = *parts_->state;
  if (!state.close(timeout.limit.value_or(state.options().close_timeout))) return false;
  state.end_orphans();
  return true;
}

void Pool::renew() {
  parts_->state->tell(pool::RenewRequested{});
}

void Pool::suspend() {
  parts_->state->tell(pool::SuspendRequested{});
}

void Pool::resume() {
  parts_->state->tell(pool::ResumeRequested{});
}

Statistics Pool::statistics() const {
  return parts_->state->statistics();
}

bool Pool::wait_until_quiescent(Timeout limit) {
  PoolState& state = *parts_->state;
  return state.wait_until_quiescent(limit.limit.value_or(state.options().checkout_timeout));
}

bool Pool::signal(WorkerId worker, int signal) {
  const auto found = parts_->state->find(worker);
  if (!found) return false;
  return sys::signal_process(static_cast<const Worker&>(*found).pidfd(), signal).has_value();
}

}  // namespace poolproof::host
