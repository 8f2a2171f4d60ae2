#include <array>
#include <exception>
#include <new>
#include <utility>

#include "harness/base/assert.hpp"
#include "harness/base/text.hpp"
#include "harness/host/arguments.hpp"
#include "harness/host/lease_body.hpp"
#include "harness/host/proc_fs.hpp"
#include "harness/host/state.hpp"
#include "harness/host/system.hpp"
#include "harness/pool/explain.hpp"

namespace poolproof::host {
namespace {

using namespace std::chrono_literals;

/// How much of a command's name an error shows.
constexpr std::size_t kCommandShown = 60;

/// How long a client waits for the reactor's post-mortem of a worker that has ended.
constexpr Duration kPostMortemWait = 5s;
/// How often a stop is looked for where no descriptor tells of it.
constexpr Duration kLookForStop = 50ms;

/// A call that takes longer is watched, so that its timeout can tell what the worker did.
constexpr Duration kWatchAfter = 10ms;

/// One call under way: waits in poll for what the exchange wants to know. The clock is read once
/// for each wait.
class Carrier {
 public:
  Carrier(PoolState& pool, Worker& worker, wire::Exchange& exchange, const std::stop_token& stop,
          Time now)
      : pool_(pool),
        worker_(worker),
        exchange_(exchange),
        stop_(stop),
        now_(now),
        watch_at_(after(now, kWatchAfter)) {}

  void run() {
    worker_.watched_from = kNever;
    while (!exchange_.decided()) {
      exchange_.write_some(now_);
      if (exchange_.decided()) break;
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
    Time until = exchange_.next_deadline();
    if (worker_.watched_from == kNever) until = std::min(until, watch_at_);
    if (stop_.stop_possible() && !cancelled_) until = std::min(until, after(now_, kLookForStop));
    const auto ready = sys::poll(fds_, now_, until);
    now_ = sys::now();
    if (!ready) exchange_.cancel();  // the kernel is out of memory: nothing better can be done
  }

  void react() {
    if (fds_[0].revents != 0) exchange_.read_some(now_);
    if (exchange_.decided()) return;
    if (fds_[1].revents != 0) return process_ended();
    if (worker_.watched_from == kNever && now_ >= watch_at_) worker_.watch_activity(now_);
    if (stop_.stop_requested()) return exchange_.cancel();
    exchange_.tick(now_);
  }

  void process_ended() {
    if (exchange_.process_ended(now_)) return;
    const auto exit = pool_.wait_for_exit(worker_, kPostMortemWait);
    if (exit) return exchange_.ended(*exit);
    // The reactor is late; how it ended can be seen all the same.
    const auto seen = sys::peek_exit(worker_.pidfd());
    if (seen && *seen) return exchange_.ended(**seen);
    // It was reaped just now: by the reactor, which is about to say so, or by somebody else.
    exchange_.ended(pool_.wait_for_exit(worker_, kPostMortemWait).value_or(pool::kEndUnknown));
  }

  PoolState& pool_;
  Worker& worker_;
  wire::Exchange& exchange_;
  const std::stop_token& stop_;
  std::array<pollfd, 4> fds_{};
  Time now_;
  Time watch_at_;

 public:
  Descriptor cancelled_;  ///< readable once a stop is asked for; empty if none can be
};

/// Carries one call, begun now, out on the calling thread until it is decided: never blocks longer
/// than the call's deadline plus a bounded wait for the end of a worker whose pipes have closed.
void carry_out(PoolState& pool, Worker& worker, wire::Exchange& exchange,
               const std::stop_token& stop, Time now) {
  if (exchange.decided()) return;
  Carrier carrier(pool, worker, exchange, stop, now);
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

Lease::Body::Body(Granted granted) : held(std::move(granted.held)) {
  if (!keeps_at_exceptions()) exceptions = std::uncaught_exceptions();
}

PoolState* Lease::Body::pool() const {
  return held.worker() ? static_cast<Worker&>(*held.worker()).pool.get() : nullptr;
}

bool Lease::Body::keeps_at_exceptions() const {
  return pool()->options().on_exception == pool::OnException::keep;
}

bool Lease::Body::end(bool clean) {
  return held.open() && held.end(pool()->dispatcher(), clean);
}

Lease::Lease(Granted granted) {
  static_assert(sizeof(Body) <= sizeof storage_ && alignof(Body) <= alignof(std::uint64_t));
  new (storage_) Body(granted);
}

Lease::Body& Lease::body() {
  return *std::launder(reinterpret_cast<Body*>(storage_));
}

const Lease::Body& Lease::body() const {
  return *std::launder(reinterpret_cast<const Body*>(storage_));
}

Lease::Lease(Lease&& other) noexcept {
  new (storage_) Body(std::move(other.body()));
}

Lease& Lease::operator=(Lease&& other) noexcept {
  if (this == &other) return *this;
  checkin();
  body() = std::move(other.body());
  return *this;
}

Lease::~Lease() {
  if (body().held.open()) {
    body().end(body().keeps_at_exceptions() || std::uncaught_exceptions() <= body().exceptions);
  }
  body().~Body();
}

bool Lease::checkin() {
  return body().end(true);
}
bool Lease::discard() {
  return body().end(false);
}

WorkerId Lease::worker() const {
  POOLPROOF_ASSERT(id() != LeaseId::none);
  return body().held.worker_id();
}

LeaseId Lease::id() const {
  return body().held.id();
}
void Lease::set_holder(std::string_view name) {
  if (body().held.open()) body().pool()->set_holder(id(), worker(), name);
}
std::uint64_t Lease::written_bytes() const {
  return body().written_bytes;
}
bool Lease::in_doubt() const {
  return body().in_doubt;
}

// ---- calls -------------------------------------------------------------------------------------

Result<Reply> Lease::call(std::string_view command, const Arguments& args) {
  return call(command, args, {}, std::stop_token());
}

Result<Reply> Lease::call(std::string_view command, const Arguments& args, Timeout timeout) {
  return call(command, args, timeout, std::stop_token());
}

Result<Reply> Lease::call(std::string_view command, const Arguments& args, Timeout timeout,
                          Cancellation stop) {
  const pool::CallSpec spec{wire::Payload::envelope, command, body().limit_of(timeout)};
  const nlohmann::json& object = args.value();
  if (!object.is_object()) {
    return unexpected(pool::explain_wrong_request(
        printable(command, kCommandShown),
        std::string("its arguments are of type ") + object.type_name() + ", not an object"));
  }
  std::string request;
  if (body().held.open()) {
    const auto& speech = wire::row_of(body().pool()->options().speech);
    request = speech.request(body().held.next_request(), command, object, sys::timestamp());
  }
  auto result = body().converse(spec, request, stop.token);
  if (!result) return unexpected(std::move(result.error()));
  return Reply{result->reply.id, std::move(result->reply.result)};
}

Result<std::string> Lease::call_bytes(std::string_view payload) {
  return call_bytes(payload, {}, std::stop_token());
}

Result<std::string> Lease::call_bytes(std::string_view payload, Timeout timeout) {
  return call_bytes(payload, timeout, std::stop_token());
}

Result<std::string> Lease::call_bytes(std::string_view payload, Timeout timeout,
                                      Cancellation stop) {
  const pool::CallSpec spec{wire::Payload::opaque, "bytes", body().limit_of(timeout)};
  auto result = body().converse(spec, std::string(payload), stop.token);
  if (!result) return unexpected(std::move(result.error()));
  return std::move(result->payload);
}

Duration Lease::Body::limit_of(const Timeout& timeout) const {
  if (timeout.limit) return *timeout.limit;
  return pool() != nullptr ? pool()->options().call_timeout : Duration{};
}

Result<wire::CallResult> Lease::Body::converse(const pool::CallSpec& call,
                                               const std::string& message,
                                               const std::stop_token& stop) {
  written_bytes = 0;
  in_doubt = false;
  PoolState* const state = pool();
  pool::WireOptions wire;
  if (state != nullptr) wire = wire_of(state->options());
  const Time now = sys::now();
  auto exchange = held.begin_call(call, wire, wire::encode_frame(wire.framing, message), now,
                                  stop.stop_requested());
  if (!exchange) return unexpected(std::move(exchange.error()));
  carry_out(*state, static_cast<Worker&>(*held.worker()), *exchange, stop, now);
  auto result = exchange->take_result();
  written_bytes = result.written_bytes;
  in_doubt = result.in_doubt;
  auto error = held.end_call(state->dispatcher(), result, call);
  if (error) return unexpected(std::move(*error));
  return result;
}

}  // namespace poolproof::host
