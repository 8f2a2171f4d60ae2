#include "harness/host/call.hpp"

#include <array>

#include "harness/host/system.hpp"
#include "harness/wire/exchange.hpp"

namespace poolproof::host {
namespace {

using namespace std::chrono_literals;
using wire::CallResult;
using wire::Conversation;

/// So long the client waits for the reactor's post-mortem of a worker that has ended.
constexpr Duration kPostMortemWait = 5s;
/// Without a descriptor that tells of a stop it is looked for so often.
constexpr Duration kLookForStop = 50ms;

/// One call under way: waits in poll for what the exchange wants to know.
class Carrier {
 public:
  Carrier(PoolState& pool, Worker& worker, wire::Exchange& exchange, const std::stop_token& stop)
      : pool_(pool), worker_(worker), exchange_(exchange), stop_(stop) {}

  void run() {
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
    const Time until = exchange_.next_deadline();
    const Time now = sys::now();
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

 public:
  Descriptor cancelled_;  ///< becomes readable when the stop is asked for; only there if it can be
};

}  // namespace

CallResult carry_out(PoolState& pool, Worker& worker, Conversation conversation,
                     const std::stop_token& stop) {
  wire::Exchange exchange(worker, std::move(conversation));
  if (auto found = exchange.look_before()) return std::move(*found);
  // A call that is over before it began costs no worker.
  if (stop.stop_requested()) exchange.cancel();
  exchange.tick(sys::now());
  if (exchange.decided()) return exchange.take_result();
  Carrier carrier(pool, worker, exchange, stop);
  if (!stop.stop_possible()) {
    carrier.run();
    return exchange.take_result();
  }
  auto cancelled = sys::event_fd();
  if (cancelled) carrier.cancelled_ = std::move(*cancelled);
  const int fd = carrier.cancelled_.get();
  const std::stop_callback wake(stop, [fd] {
    const std::uint64_t one = 1;
    if (fd >= 0) (void)sys::write(fd, {reinterpret_cast<const char*>(&one), sizeof one});
  });
  carrier.run();
  return exchange.take_result();
}

}  // namespace poolproof::host
