#pragma once

#include <optional>
#include <utility>

#include "harness/wire/conversation.hpp"
#include "harness/wire/stdio.hpp"

namespace poolproof::wire {

/// One call on a leased worker: feeds a Conversation from the worker's pipes, and decides what an
/// end of a pipe means. Never blocks: whoever waits (a thread in poll, the simulator) calls it when
/// something is ready and at next_deadline().
///
/// Rules on top of the Conversation's:
///  * look_before(): anything in stdout before the first byte is written, or its end, is a
///    stale_worker: nothing is written.
///  * A pipe that closes mostly means that the process is ending: its exit is waited for 250 ms
///    before the pipe alone is named as the reason.
///  * process_ended(): what the worker wrote before its end still counts.
class Exchange {
 public:
  /// The rest is what a Conversation is made of.
  template <class... Parts>
  explicit Exchange(Stdio& pipes, Parts&&... conversation)
      : pipes_(pipes), conversation_(std::forward<Parts>(conversation)...) {}

  /// Before anything else. Nothing: the worker is as quiet as it should be.
  std::optional<CallResult> look_before();

  void write_some(Time now);
  void read_some(Time now);
  /// Reads what is left; true when that decided the call. Else tell `ended` how it ended.
  bool process_ended(Time now);
  void ended(ExitStatus status) { conversation_.ended(status); }
  void cancel();
  /// A stdin that is known to be broken is never in order, even if no byte was written.
  void tick(Time now);

  [[nodiscard]] bool wants_to_write() const {
    return !stdin_broken_ && !conversation_.pending_output().empty();
  }
  [[nodiscard]] bool wants_to_read() const { return !stdout_ended_; }
  [[nodiscard]] bool wants_end() const { return !process_ended_; }
  /// The process has ended, and only `ended` is missing.
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
