#include "harness/host/pool.hpp"

#include <exception>

#include <nlohmann/json.hpp>

#include "harness/base/assert.hpp"
#include "harness/base/text.hpp"
#include "harness/host/call.hpp"
#include "harness/host/reactor.hpp"
#include "harness/host/state.hpp"
#include "harness/host/system.hpp"
#include "harness/host/timestamp.hpp"
#include "harness/pool/explain.hpp"

namespace poolproof::host {

// ---- Pool --------------------------------------------------------------------------------------

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
}

Result<Lease> Pool::checkout(std::optional<Duration> timeout, const std::stop_token& stop) {
  auto held = state_->checkout(timeout.value_or(state_->options().checkout_timeout), stop);
  if (!held) return unexpected(std::move(held.error()));
  return Lease(state_, std::move(*held));
}

bool Pool::close(Duration timeout) {
  return state_->close(timeout);
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

// ---- Lease -------------------------------------------------------------------------------------

Lease::Lease(std::shared_ptr<PoolState> pool, pool::HeldLease held)
    : pool_(std::move(pool)), held_(std::move(held)), exceptions_(std::uncaught_exceptions()) {}

Lease::Lease(Lease&& other) noexcept = default;

Lease& Lease::operator=(Lease&& other) noexcept {
  if (this == &other) return *this;
  checkin();
  pool_ = std::move(other.pool_);
  held_ = std::move(other.held_);
  exceptions_ = other.exceptions_;
  written_bytes_ = other.written_bytes_;
  in_doubt_ = other.in_doubt_;
  return *this;
}

Lease::~Lease() {
  if (!held_.open()) return;
  const bool unwinding = std::uncaught_exceptions() > exceptions_;
  end(!unwinding || pool_->options().on_exception == pool::OnException::keep);
}

bool Lease::checkin() {
  return end(true);
}
bool Lease::discard() {
  return end(false);
}

bool Lease::end(bool clean) {
  return held_.open() && held_.end(pool_->dispatcher(), clean);
}

WorkerId Lease::worker() const {
  POOLPROOF_ASSERT(held_.worker() != nullptr);
  return held_.worker()->id();
}

Duration Lease::limit_of(std::optional<Duration> timeout) const {
  return timeout ? *timeout : pool_ ? pool_->options().call_timeout : Duration{};
}

Result<Reply> Lease::call(std::string_view command, const nlohmann::json& args,
                          std::optional<Duration> timeout, const std::stop_token& stop) {
  std::string message;
  if (held_.open()) {
    message = wire::encode_request(held_.next_request(), command, args, timestamp());
  }
  auto result = converse({wire::Payload::envelope, command, limit_of(timeout)}, message, stop);
  if (!result) return unexpected(std::move(result.error()));
  return std::move(result->reply);
}

Result<std::string> Lease::call_bytes(std::string_view payload, std::optional<Duration> timeout,
                                      const std::stop_token& stop) {
  auto result =
      converse({wire::Payload::opaque, "bytes", limit_of(timeout)}, std::string(payload), stop);
  if (!result) return unexpected(std::move(result.error()));
  return std::move(result->payload);
}

Result<wire::CallResult> Lease::converse(const pool::CallSpec& call, const std::string& message,
                                         const std::stop_token& stop) {
  written_bytes_ = 0;
  in_doubt_ = false;
  if (!held_.open()) return unexpected(pool::explain_lease_over(pool::printable_command(call)));
  const auto& framing = pool_->options().framing;
  auto frame = wire::encode_frame(framing, message);
  if (!frame)
    return unexpected(pool::explain_too_large(pool::printable_command(call), frame.error()));
  wire::Conversation conversation(framing, call.payload, held_.next_request(), std::move(*frame),
                                  after(sys::now(), call.limit));
  held_.begin_call(call);
  auto result =
      carry_out(*pool_, static_cast<Worker&>(*held_.worker()), std::move(conversation), stop);
  written_bytes_ = result.written_bytes;
  in_doubt_ = result.in_doubt;
  auto error = held_.end_call(pool_->dispatcher(), result, call);
  if (error) return unexpected(std::move(*error));
  return result;
}

}  // namespace poolproof::host
