#include <array>
#include <exception>

#include <nlohmann/json.hpp>

#include "harness/base/assert.hpp"
#include "harness/host/proc_fs.hpp"
#include "harness/host/state.hpp"
#include "harness/host/system.hpp"

namespace poolproof::host {
namespace {

using namespace std::chrono_literals;

/// So long the client waits for the reactor's post-mortem of a worker that has ended.
constexpr Duration kPostMortemWait = 5s;
/// Without a descriptor that tells of a stop it is looked for so often.
constexpr Duration kLookForStop = 50ms;

/// A call that takes longer is watched, so that its timeout can tell what the worker did.
constexpr Duration kWatchAfter = 10ms;

/// One call under way: waits in poll for what the exchange wants to know.
class Carrier {
 public:
  Carrier(PoolState& pool, Worker& worker, wire::Exchange& exchange, const std::stop_token& stop)
      : pool_(pool), worker_(worker), exchange_(exchange), stop_(stop) {}

  void run() {
    worker_.watched_from = kNever;
    while (!exchange_.decided()) {
      exchange_.write_some(sys::now());
      wait();
      if (!exchange_.decided()) react();
    }
  }

 private:
  void wait() {
    // poll(2) skips negative descriptors; a closed pipe would make it spin.
    fds_[0] = {exchange_.wants_to_read() ? worker_.stdout_fd() : -1, POLLIN, 0};
    fds_[1] = {exchange_.wants_end() ? worker_.pidfd() : -1, POLLIN, 0};
    fds_[2] = {exchange_.wants_to_write() ? worker_.stdin_fd() : -1, POLLOUT, 0};
    fds_[3] = {cancelled_.get(), POLLIN, 0};
    const Time now = sys::now();
    if (watch_at_ == kNever) watch_at_ = after(now, kWatchAfter);
    const Time until = worker_.watched_from == kNever
                           ? std::min(exchange_.next_deadline(), watch_at_)
                           : exchange_.next_deadline();
    Duration left = until == kNever ? Duration(-1) : std::max(Duration::zero(), until - now);
    if (stop_.stop_possible() && !cancelled_)
      left = left < Duration::zero() ? kLookForStop : std::min(left, kLookForStop);
    const auto ready = sys::poll(fds_, left);
    if (!ready) exchange_.cancel();  // the kernel is out of memory: nothing better can be done
  }

  void react() {
    if (fds_[0].revents != 0) exchange_.read_some(sys::now());
    if (exchange_.decided()) return;
    if (fds_[1].revents != 0) return process_ended();
    const Time now = sys::now();
    if (worker_.watched_from == kNever && now >= watch_at_) worker_.watch_activity(now);
    if (stop_.stop_requested()) return exchange_.cancel();
    exchange_.tick(now);
  }

  void process_ended() {
    if (exchange_.process_ended(sys::now())) return;
    const auto exit = pool_.wait_for_exit(worker_, kPostMortemWait);
    if (exit) return exchange_.ended(*exit);
    // The reactor is late; how it ended can be seen all the same, unless it was reaped just now.
    const auto seen = sys::peek_exit(worker_.pidfd());
    exchange_.ended(seen && *seen ? **seen : ExitStatus{});
  }

  PoolState& pool_;
  Worker& worker_;
  wire::Exchange& exchange_;
  const std::stop_token& stop_;
  std::array<pollfd, 4> fds_{};
  Time watch_at_ = kNever;

 public:
  Descriptor cancelled_;  ///< becomes readable when the stop is asked for; only there if it can be
};

/// Carries one call out on the calling thread until it is decided: never blocks longer than the
/// call's deadline plus a bounded wait for the end of a worker whose pipes have closed.
void carry_out(PoolState& pool, Worker& worker, wire::Exchange& exchange,
               const std::stop_token& stop) {
  if (exchange.decided()) return;
  Carrier carrier(pool, worker, exchange, stop);
  if (!stop.stop_possible()) return carrier.run();
  auto cancelled = sys::event_fd();
  if (cancelled) carrier.cancelled_ = std::move(*cancelled);
  const int fd = carrier.cancelled_.get();
  const std::stop_callback wake(stop, [fd] {
    const std::uint64_t one = 1;
    if (fd >= 0) (void)sys::write(fd, {reinterpret_cast<const char*>(&one), sizeof one});
  });
  carrier.run();
}

}  // namespace

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
    message = wire::encode_request(held_.next_request(), command, args, sys::timestamp());
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
  // A lease that has moved away or was never granted knows no pool.
  const pool::WireOptions wire{pool_ ? pool_->options().framing : wire::Framing{}};
  auto exchange = held_.begin_call(call, wire, wire::encode_frame(wire.framing, message),
                                   sys::now(), stop.stop_requested());
  if (!exchange) return unexpected(std::move(exchange.error()));
  carry_out(*pool_, static_cast<Worker&>(*held_.worker()), *exchange, stop);
  auto result = exchange->take_result();
  written_bytes_ = result.written_bytes;
  in_doubt_ = result.in_doubt;
  auto error = held_.end_call(pool_->dispatcher(), result, call);
  if (error) return unexpected(std::move(*error));
  return result;
}

}  // namespace poolproof::host
