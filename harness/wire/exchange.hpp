#pragma once

#include <algorithm>
#include <string_view>
#include <utility>

#include "harness/wire/conversation.hpp"
#include "harness/wire/stdio.hpp"

namespace poolproof::wire {

/// One call on a leased worker: feeds a Conversation from the worker's pipes, and decides what the
/// end of a pipe means. It never blocks. The caller (a thread in poll, or the simulator) calls it
/// when a pipe is ready and at next_deadline().
///
/// Rules beyond those of the Conversation:
///  * look_before(): if anything lies in stdout before the first byte is written (but for what a
///    worker may say unasked), or stdout has ended, the outcome is stale_worker and nothing is
///    written.
///  * A pipe that closes usually means that the process is ending. Its exit is awaited for 250 ms
///    before the closed pipe itself is named as the reason.
///  * process_ended(): what the worker wrote before its end still counts.
class Exchange {
 public:
  /// The other arguments are those of the Conversation.
  template <class... Parts>
  explicit Exchange(Stdio& pipes, Parts&&... conversation)
      : pipes_(pipes), conversation_(std::forward<Parts>(conversation)...) {}

  /// To be called first. Decides the call unless the worker's stdout is open and empty, as it
  /// should be. `carried` is what was read of its stdout since the previous call.
  void look_before(std::string_view carried = {});

  void write_some(Time now);
  void read_some(Time now);
  /// Reads what is left in the pipe. True if that decided the call; if not, tell `ended` how the
  /// process ended.
  bool process_ended(Time now);
  void ended(ExitStatus status) { conversation_.ended(status); }
  void cancel();
  /// Decides the call if its time is over. A worker whose stdin is known to be broken is then in
  /// doubt, even if no byte was written.
  void tick(Time now);

  [[nodiscard]] bool wants_to_write() const {
    return !stdin_broken_ && !conversation_.pending_output().empty();
  }
  [[nodiscard]] bool wants_to_read() const { return !stdout_ended_; }
  [[nodiscard]] bool wants_end() const { return !process_ended_; }
  /// The process has ended, and only the call of ended() is missing.
  [[nodiscard]] bool wants_exit_status() const { return process_ended_ && !decided(); }
  [[nodiscard]] Time next_deadline() const {
    return std::min(conversation_.deadline(), give_up_at_);
  }
  [[nodiscard]] bool decided() const { return conversation_.decided(); }
  [[nodiscard]] CallResult take_result() { return conversation_.take_result(); }

 private:
  void doubt_if_broken();

  Stdio& pipes_;
  Conversation conversation_;
  bool stdout_ended_ = false;
  bool stdin_broken_ = false;
  bool process_ended_ = false;
  int stdin_errno_ = 0;
  Time give_up_at_ = kNever;
};

}  // namespace poolproof::wire
