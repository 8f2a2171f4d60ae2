#pragma once

#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "harness/probe/session.hpp"
#include "harness/probe/table.hpp"

namespace poolproof::probe {

/// The worker under examination: a process of it whenever one is needed, and what is known so far.
class Subject {
 public:
  Subject(const Settings& settings, std::string token, const Say& say)
      : settings_(settings), token_(std::move(token)), say_(say) {}

  [[nodiscard]] const Settings& settings() const { return settings_; }

  /// A process that has answered its ping, the one at hand if it is still as it should be; none if
  /// it does not start again, which is kept as `restart_failure`.
  Session* ready();
  /// The same, but always a process of its own.
  Session* fresh();
  /// The very first start.
  Finding first_start();
  /// The process at hand may not be used again: its stream is spoilt, or it is about to end.
  void spoil() { spoilt_ = true; }
  void keep() { spoilt_ = false; }
  /// Ends the process at hand and keeps what it left behind.
  void put_away();

  /// One request as a frame, with an id of its own. To who takes any bytes: the arguments alone.
  struct Request {
    std::int64_t id;
    std::string frame;
  };
  Request request(const std::string& command, const nlohmann::json& args);

  /// How many requests the process at hand has behind it; 0 if the next row gets another one.
  [[nodiscard]] int requests_behind() const { return session_ && !spoilt_ ? requests_ : 0; }
  /// How the process at hand ended, though it served and nobody asked it to.
  [[nodiscard]] std::optional<ExitStatus> ended_by_itself() const;

  // What earlier rows found out.
  bool answers = false;       ///< calls are answered, with errors perhaps
  bool succeeds = false;      ///< and without any
  bool echoes = false;        ///< echo gives its arguments back
  bool noisy = false;         ///< it writes on stdout what is no reply
  bool closes_stdin = false;  ///< in a call
  bool outlives_input = false;
  bool outlives_term = false;
  bool ends_on_unknown = false;    ///< an unknown command ends it
  bool errors_are_flawed = false;  ///< as its speech has them
  bool crashes_at_end = false;     ///< a signal that nobody sent ends it
  /// What was well on a fresh process and not on a used one, as it was first seen.
  std::optional<Finding> worn;
  bool many_calls_over = false;
  bool restless = false;  ///< it does not just wait while it is idle
  /// Why it can't be found in mid-call, as the first row said that wanted to; none: it can.
  std::optional<Finding> no_long_call;
  bool long_call_tried = false;
  std::optional<std::string> restart_failure;
  std::vector<std::string> left_behind;
  std::uint64_t most_stderr = 0;  ///< bytes, of one process
  Duration slowest_start{};

 private:
  /// Error: the fault, to be read after "it".
  Expected<void, std::string> begin();

  const Settings& settings_;
  std::string token_;
  const Say& say_;
  Time zero_ = Time();
  std::optional<Session> session_;
  bool spoilt_ = false;
  std::int64_t next_id_ = 1;
  int requests_ = 0;  ///< that the process at hand was sent
};

/// What is wrong with the way in which a worker took a request, to be read after "it"; `when` is
/// `in its first call`. Empty: it answered.
std::string failure(const Heard& heard, const wire::Framing& framing, std::string_view when);

/// The end of what it wrote to stderr, to be read behind anything; empty: it wrote nothing.
std::string tail_words(const std::string& tail);

/// Where a request that is not answered is stuck, and what the process does.
std::string stuck(const Heard& heard);

}  // namespace poolproof::probe
