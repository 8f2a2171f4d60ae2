#pragma once

#include <optional>
#include <string>

#include "harness/pool/config.hpp"
#include "harness/pool/core.hpp"
#include "harness/pool/error.hpp"
#include "harness/wire/conversation.hpp"

/// Decisions and evidence put into words. Pure: all that is said is handed in.
namespace poolproof::pool {

/// What the world knows about a refusal beyond what the Core says.
struct RefusalFacts {
  Time now;
  Gauges gauges;
  int blocker_pid = 0;                        ///< 0: not started yet
  std::optional<std::uint32_t> unread_bytes;  ///< of the blocker's ping, right now
  std::uint32_t ping_bytes = 0;
  std::string cause_stderr;  ///< tail of the worker whose start failed last
  std::string launch_error;  ///< of the last start that got no process
};

/// Why the client was turned away, in words, with what a person needs to act on it.
Error explain_refusal(const Refuse& refusal, const Config& config, const RefusalFacts& facts);

/// The post-mortem of one failed start: one sentence.
std::string explain_start(WorkerId worker, const StartEvidence& evidence, const Config& config,
                          const std::string& stderr_tail, const std::string& launch_error);

/// What is known of the worker at the end of a failed call.
struct CallFacts {
  WorkerId worker;
  int pid = 0;
  std::string command;  ///< printable name of what was called
  Duration limit{};
  std::string stderr_tail;
  bool pool_closing = false;  ///< the pool itself put the worker away in order to close
};

Error explain_call(const wire::CallResult& result, const CallFacts& facts);

/// Calls that never began. `command` is printable.
Error explain_lease_over(const std::string& command);
Error explain_too_large(const std::string& command, const std::string& why);

/// `exited with code 3`, `was ended by signal 9 (KILL)`.
std::string words(ExitStatus status);

}  // namespace poolproof::pool
