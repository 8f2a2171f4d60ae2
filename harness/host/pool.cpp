#include "harness/host/pool.hpp"

#include "harness/host/lease_body.hpp"
#include "harness/host/pool_types.hpp"
#include "harness/host/reactor.hpp"
#include "harness/host/state.hpp"
#include "harness/host/system.hpp"

namespace poolproof::host {

struct Pool::Parts {
  std::shared_ptr<PoolState> state;
  std::unique_ptr<Reactor> reactor;
};

Opened Pool::open(Options options) {
  if (auto config = pool::checked(options.core); !config) return unexpected(config.error());
  if (!options.command_for && options.command.argv.empty()) {
    return unexpected(InputError{"command", "is empty", "a program and its arguments"});
  }
  const auto prefix = options.framing.prefix_bytes;
  if (prefix != 1 && prefix != 2 && prefix != 4 && prefix != 8) {
    return unexpected(InputError{"prefix_bytes", std::to_string(prefix), "1, 2, 4 or 8"});
  }
  if (options.framing.max_frame_bytes == 0) {
    return unexpected(InputError{"max_frame_bytes", "is 0", "at least 1"});
  }
  if (auto sound = pool::checked(wire_of(options)); !sound) return unexpected(sound.error());
  sys::ignore_sigpipe();
  if (options.adopt_orphans) sys::adopt_orphans();
  auto state = std::make_shared<PoolState>(std::move(options));
  auto epoll = Reactor::open_epoll(state->wake_fd());
  if (!state->usable() || !epoll)
    return unexpected(
        InputError{"pool", "no descriptor left for it", "a higher limit (ulimit -n)"});
  auto reactor = std::make_unique<Reactor>(state, std::move(*epoll));
  std::unique_ptr<Parts> parts(new Parts{std::move(state), std::move(reactor)});
  return Opened(std::unique_ptr<Pool>(new Pool(parts.release())));
}

Pool::Pool(Parts* parts) : parts_(parts) {}

Pool::~Pool() {
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
