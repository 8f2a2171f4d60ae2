#pragma once

#include <optional>
#include <string>

#include "harness/probe/session.hpp"

/// What is found out about a worker, one test after the other, as values.
namespace poolproof::probe {

/// Why there is no worker that has answered its init ping.
struct FailedStart {
  std::string launch_error;  ///< not empty: there was no process, and the rest says nothing
  bool echoes = false;       ///< what it wrote is the ping itself
  pool::StartEvidence evidence;
  std::string stderr_tail;
};

struct Reaction {
  After after = After::silent;
  std::optional<ExitStatus> exit;  ///< it had ended when the test was over
};

struct EchoTest {
  Reaction reaction;
  std::string no_reply;              ///< why its answer is no reply; empty: it is one
  std::optional<std::string> error;  ///< the reply's, if it is an error
  bool more_than_one_reply = false;
};

/// A test without a value was not carried out.
struct Results {
  std::optional<FailedStart> first_start;  ///< it failed, and so nothing else was tried
  std::optional<FailedStart> later_start;  ///< the first that failed of those between the tests
  EchoTest echo;
  std::optional<Reaction> broken_frame;     ///< a frame that is no JSON
  std::optional<Reaction> oversized_frame;  ///< the header of a frame that is one byte too long
  std::optional<Reaction> end_of_input;
};

/// A worker that ended during a test is started anew for the next one.
Results examine(const Settings& settings, const std::string& token, const Say& say);

}  // namespace poolproof::probe
