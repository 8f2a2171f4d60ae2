#include "harness/host/pool.hpp"

#include "harness/host/reactor.hpp"
#include "harness/host/state.hpp"
#include "harness/host/system.hpp"

namespace poolproof::host {

Parsed<std::unique_ptr<Pool>> Pool::open(Options options) {
  if (auto config = pool::checked(options.core); !config) return unexpected(config.error());
  if (!options.command_for && options.command.argv.empty()) {
    return unexpected(InputError{"command", "is empty", "a program and its arguments"});
  }
  const auto prefix = options.framing.prefix_bytes;
  if (prefix != 1 && prefix != 2 && prefix != 4) {
    return unexpected(InputError{"prefix_bytes", std::to_string(prefix), "1, 2 or 4"});
  }
  if (options.framing.max_frame_bytes == 0) {
    return unexpected(InputError{"max_frame_bytes", "is 0", "at least 1"});
  }
  sys::ignore_sigpipe();
  if (options.adopt_orphans) sys::adopt_orphans();
  auto state = std::make_shared<PoolState>(std::move(options));
  auto epoll = Reactor::open_epoll(state->wake_fd());
  if (!state->usable() || !epoll)
    return unexpected(
        InputError{"pool", "no descriptor left for it", "a higher limit (ulimit -n)"});
  auto reactor = std::make_unique<Reactor>(state, std::move(*epoll));
  return std::unique_ptr<Pool>(new Pool(std::move(state), std::move(reactor)));
}

Pool::Pool(std::shared_ptr<PoolState> state, std::unique_ptr<Reactor> reactor)
    : state_(std::move(state)), reactor_(std::move(reactor)) {}

Pool::~Pool() {
  close(state_->options().close_timeout);
  reactor_.reset();
  state_->end_orphans();
}

Result<Lease> Pool::checkout(std::optional<Duration> timeout, const std::stop_token& stop) {
  auto held = state_->checkout(timeout.value_or(state_->options().checkout_timeout), stop);
  if (!held) return unexpected(std::move(held.error()));
  return Lease(state_, std::move(*held));
}

bool Pool::close(Duration timeout) {
  if (!state_->close(timeout)) return false;
  state_->end_orphans();
  return true;
}

Statistics Pool::statistics() const {
  return state_->statistics();
}

bool Pool::wait_until_quiescent(Duration limit) {
  return state_->wait_until_quiescent(limit);
}

bool Pool::signal(WorkerId worker, int signal) {
  const auto found = state_->find(worker);
  if (!found) return false;
  return sys::signal_process(static_cast<const Worker&>(*found).pidfd(), signal).has_value();
}

}  // namespace poolproof::host
