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

  // What earlier rows found out.
  bool answers = false;  ///< calls are answered, with errors perhaps
  bool echoes = false;   ///< echo gives its arguments back
  bool noisy = false;    ///< it writes on stdout what is no reply
  bool outlives_input = false;
  bool outlives_term = false;
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
};

/// What is wrong with the way in which a worker took a request, to be read after "it"; `when` is
/// `in its first call`. Empty: it answered.
std::string failure(const Heard& heard, const wire::Framing& framing, std::string_view when);

/// Where a request that is not answered is stuck, and what the process does.
std::string stuck(const Heard& heard);

}  // namespace poolproof::probe
