#include "harness/host/call.hpp"

#include <array>
#include <cerrno>

#include <fmt/format.h>

#include "harness/base/text.hpp"
#include "harness/host/system.hpp"

namespace poolproof::host {
namespace {

using namespace std::chrono_literals;
using wire::CallResult;
using wire::Conversation;

/// A pipe that closes mostly means that the process is ending: so long is its exit waited for
/// before the pipe alone is named as the reason.
constexpr Duration kExitWait = 250ms;
/// So long the client waits for the caretaker's post-mortem of a worker that has ended.
constexpr Duration kPostMortemWait = 5s;

/// Without a descriptor that tells of a stop it is looked for so often.
constexpr Duration kLookForStop = 50ms;

enum class Stdout : std::uint8_t { open, ended };

/// One call under way.
class Carrier {
 public:
  Carrier(Worker& worker, Conversation& conversation, const std::stop_token& stop)
      : worker_(worker), conversation_(conversation), stop_(stop) {}

  void run() {
    while (!conversation_.decided()) {
      write_some();
      wait();
      if (!conversation_.decided()) react();
    }
  }

 private:
  void write_some() {
    while (!stdin_broken_ && !conversation_.pending_output().empty()) {
      const auto wrote = sys::write(worker_.stdin_fd(), conversation_.pending_output());
      if (wrote) {
        conversation_.wrote(*wrote);
      } else if (wrote.error() == EAGAIN) {
        return;
      } else {
        stdin_broken_ = true;
        stdin_errno_ = wrote.error();
        give_up_at_ = std::min(give_up_at_, after(sys::now(), kExitWait));
      }
    }
  }

  void wait() {
    const bool writing = !stdin_broken_ && !conversation_.pending_output().empty();
    // poll(2) skips negative descriptors; a closed pipe would make it spin.
    fds_[0] = {stdout_ == Stdout::open ? worker_.stdout_fd() : -1, POLLIN, 0};
    fds_[1] = {worker_.pidfd(), POLLIN, 0};
    fds_[2] = {writing ? worker_.stdin_fd() : -1, POLLOUT, 0};
    fds_[3] = {cancelled_.get(), POLLIN, 0};
    const Time until = std::min(conversation_.deadline(), give_up_at_);
    const Time now = sys::now();
    Duration left = until == kNever ? Duration(-1) : std::max(Duration::zero(), until - now);
    if (stop_.stop_possible() && !cancelled_)
      left = left < Duration::zero() ? kLookForStop : std::min(left, kLookForStop);
    const auto ready = sys::poll(fds_, left);
    if (!ready) conversation_.cancel();  // the kernel is out of memory: nothing better can be done
  }

  void react() {
    if (fds_[0].revents != 0) read_all();
    if (conversation_.decided()) return;
    if (fds_[1].revents != 0) return process_ended();
    const Time now = sys::now();
    if (stop_.stop_requested()) return conversation_.cancel();
    conversation_.tick(now);
    if (conversation_.decided() || now < give_up_at_) return;
    if (stdout_ == Stdout::ended) return conversation_.output_closed();
    conversation_.write_failed(stdin_errno_);
  }

  void read_all() {
    std::array<char, 65536> chunk{};
    while (stdout_ == Stdout::open && !conversation_.decided()) {
      const auto got = sys::read(worker_.stdout_fd(), chunk);
      if (!got && got.error() == EAGAIN) return;
      if (!got || *got == 0) {
        stdout_ = Stdout::ended;
        give_up_at_ = std::min(give_up_at_, after(sys::now(), kExitWait));
        return;
      }
      conversation_.read(std::string_view(chunk.data(), *got));
      // A short read emptied the pipe: another one would only say EAGAIN.
      if (*got < chunk.size()) return;
    }
  }

  /// What the worker wrote before its end still counts; a grandchild that holds the pipe does not
  /// delay us.
  void process_ended() {
    while (stdout_ == Stdout::open && !conversation_.decided()) {
      const auto before = conversation_.read_bytes();
      read_all();
      if (conversation_.read_bytes() == before) break;
    }
    if (conversation_.decided()) return;
    const auto ended = worker_.wait_for_end(kPostMortemWait);
    if (ended) return conversation_.ended(ended->exit);
    // The caretaker is late; how it ended can be seen all the same, unless it was reaped just now.
    const auto seen = sys::peek_exit(worker_.pidfd());
    conversation_.ended(seen && *seen ? **seen : ExitStatus{});
  }

  Worker& worker_;
  Conversation& conversation_;
  const std::stop_token& stop_;
  std::array<pollfd, 4> fds_{};
  Stdout stdout_ = Stdout::open;
  bool stdin_broken_ = false;
  int stdin_errno_ = 0;
  Time give_up_at_ = kNever;

 public:
  Descriptor cancelled_;  ///< becomes readable when the stop is asked for; only there if it can be
};

CallResult stale(const std::string& what) {
  CallResult result;
  result.outcome = Outcome::stale_worker;
  result.phase = Phase::writing_request;
  result.in_doubt = true;
  result.detail =
      what + " before the request was written; nothing was written, it is safe to ask again";
  return result;
}

/// Nothing may lie in stdout before a call: a byte there would be taken for its reply.
std::optional<CallResult> look_before(Worker& worker) {
  std::array<char, 64> chunk{};
  const auto got = sys::read(worker.stdout_fd(), chunk);
  if (!got && got.error() == EAGAIN) return std::nullopt;
  if (!got || *got == 0) return stale("the worker had ended or closed its stdout");
  const std::string_view bytes(chunk.data(), *got);
  CallResult result = stale("the worker had written unasked: " + hex_and_text(bytes));
  result.first_bytes = bytes;
  return result;
}

}  // namespace

CallResult carry_out(Worker& worker, Conversation conversation, const std::stop_token& stop) {
  if (auto found = look_before(worker)) return std::move(*found);
  // A call that is over before it began costs no worker.
  if (stop.stop_requested()) conversation.cancel();
  conversation.tick(sys::now());
  if (conversation.decided()) return conversation.take_result();
  Carrier carrier(worker, conversation, stop);
  if (!stop.stop_possible()) {
    carrier.run();
    return conversation.take_result();
  }
  auto cancelled = sys::event_fd();
  if (cancelled) carrier.cancelled_ = std::move(*cancelled);
  const int fd = carrier.cancelled_.get();
  const std::stop_callback wake(stop, [fd] {
    const std::uint64_t one = 1;
    if (fd >= 0) (void)sys::write(fd, {reinterpret_cast<const char*>(&one), sizeof one});
  });
  carrier.run();
  return conversation.take_result();
}

}  // namespace poolproof::host
