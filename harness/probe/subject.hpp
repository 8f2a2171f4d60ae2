#pragma once

#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "harness/probe/session.hpp"
#include "harness/probe/table.hpp"

namespace poolproof::probe {

/// The worker under examination: makes a process when one is needed, and keeps what is known so
/// far.
class Subject {
 public:
  Subject(const Settings& settings, std::string token, const Say& say)
      : settings_(settings), token_(std::move(token)), say_(say) {}

  [[nodiscard]] const Settings& settings() const { return settings_; }

  /// A process that has answered its ping: the one at hand, if nothing has spoilt it. Null: it does
  /// not start again, and `restart_failure` says why.
  Session* ready();
  /// Like ready(), but always a new process.
  Session* fresh();
  /// Starts the worker for the first time.
  Finding first_start();
  /// Marks the process at hand as used up: its stream is spoilt, or it is about to end.
  void spoil() { spoilt_ = true; }
  void keep() { spoilt_ = false; }
  /// Notes that the process at hand is in a call of ours that takes so long from now on. What it
  /// leaves behind may be in that call.
  void keep_busy(Duration span);
  /// Ends the process at hand, and notes what it left behind.
  void put_away();

  /// One request as a frame, with a new id. For opaque payloads: the arguments alone.
  struct Request {
    std::int64_t id;
    std::string frame;
  };
  Request request(const std::string& command, const nlohmann::json& args);

  /// How many requests the process at hand has had; 0: the next row gets a new one.
  [[nodiscard]] int requests_behind() const { return session_ && !spoilt_ ? requests_ : 0; }
  /// How the process at hand ended by itself, after it had served; nothing: it did not.
  [[nodiscard]] std::optional<ExitStatus> ended_by_itself() const;

  // What earlier rows found out about the worker.
  bool answers = false;                ///< calls are answered, perhaps with errors
  bool succeeds = false;               ///< calls are answered without errors
  bool echoes = false;                 ///< echo gives its arguments back
  bool noisy = false;                  ///< it writes on stdout what is no reply
  bool answers_notifications = false;  ///< also that which follows the greeting
  bool closes_stdin = false;           ///< it closes its stdin in a call
  bool outlives_input = false;
  bool outlives_term = false;
  bool ends_on_unknown = false;    ///< it ends on an unknown command
  bool hangs_on_unknown = false;   ///< it leaves an unknown command unanswered
  bool errors_are_flawed = false;  ///< its errors are not as its speech has them
  bool crashes_at_end = false;     ///< it ends by a signal that nobody sent
  bool many_calls_over = false;
  bool restless = false;   ///< it ends or writes while it is idle
  bool ends_idle = false;  ///< it ends while it is idle
  bool long_call_tried = false;
  /// The first thing that was well on a fresh process, but not on a used one.
  std::optional<Finding> worn;
  /// Why it can't be caught in a call, as the first row found that wanted to; none: it can.
  std::optional<Finding> no_long_call;
  std::optional<std::string> restart_failure;
  std::vector<std::string> left_behind;
  std::uint64_t most_stderr = 0;  ///< the most bytes that one process wrote to stderr
  Duration slowest_start{};

 private:
  /// Starts a process and greets it. Error: the fault, to be read after "it".
  Expected<void, std::string> begin();
  void hear_hello();

  const Settings& settings_;
  std::string token_;
  const Say& say_;
  Time zero_ = Time();
  std::optional<Session> session_;
  Time busy_until_{};  ///< when the process at hand has done what it was last asked for
  std::int64_t next_id_ = 3;
  int requests_ = 0;  ///< how many requests the process at hand was sent
  bool spoilt_ = false;
  bool says_hello_ = true;  ///< it may say something before it is asked
};

/// What its messages come out of: `stdout`, or its `channel`, into which ours go, too.
std::string_view outlet(const wire::Framing& framing);

/// What is wrong with how a worker took a request, to be read after "it"; `when`: such as `in its
/// first call`. Empty: it answered.
std::string failure(const Heard& heard, const wire::Framing& framing, std::string_view when);

/// The end of what it wrote to stderr, to be read behind a sentence; empty: it wrote nothing.
std::string tail_words(const std::string& tail);

/// Where an unanswered request is stuck, and what the process is doing.
std::string stuck(const Heard& heard);

}  // namespace poolproof::probe
