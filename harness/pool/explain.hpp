#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "harness/pool/config.hpp"
#include "harness/pool/core.hpp"
#include "harness/pool/error.hpp"
#include "harness/wire/conversation.hpp"

/// Decisions and evidence put into words. Pure: all facts are handed in.
namespace poolproof::pool {

/// What is known of a failed start beyond its evidence.
struct StartWords {
  std::string stderr_tail;
  std::string reason;        ///< why what the worker wrote is no reply
  std::string launch_error;  ///< why no process could be launched; empty: there was one
  std::string_view greeting = "ping";  ///< what people call the request that greets a worker
  int pid_before = 0;        ///< pid of the slot's last worker, if that had not left; 0: it had
  bool still_there = false;  ///< that last worker has not left since
};

/// What the world knows about a refusal beyond what the Core says.
struct RefusalFacts {
  Time now;
  Gauges gauges;
  /// The pid of the start that is waited for; 0: it has none yet.
  int blocker_pid = 0;
  /// How much of that worker's greeting is unread right now.
  std::optional<std::uint32_t> unread_bytes;
  std::uint32_t ping_bytes = 0;
  /// About the start that failed last; its `greeting` is that of all workers.
  StartWords cause;
};

/// Why the client was turned away, in words, with what a person needs to act on it.
Error explain_refusal(const Refuse& refusal, const Config& config, const RefusalFacts& facts);

/// The post-mortem of one failed start: one sentence.
std::string explain_start(WorkerId worker, const StartEvidence& evidence, const Config& config,
                          const StartWords& words);

/// What is known of the worker at the end of a failed call.
struct CallFacts {
  WorkerId worker;
  int pid = 0;
  std::string command;  ///< printable name of what was called
  Duration limit{};
  std::string stderr_tail;
  std::size_t unread_bytes = 0;  ///< how much of the request still lies in its stdin
  Activity activity;             ///< what the process did while it did not answer
  /// The pool itself put the worker away in order to close. Only where something was written.
  bool pool_closing = false;
};

Error explain_call(const wire::CallResult& result, const CallFacts& facts);

/// The errors of calls that never began. `command` is printable.
/// `why`: how the lease had ended, where it is the pool that ended it.
Error explain_lease_over(const std::string& command, std::string_view why = "");
Error explain_too_large(const std::string& command, const std::string& why);
/// `why` says what this pool takes instead. The error's kind is protocol_error.
Error explain_wrong_request(const std::string& command, const std::string& why);

/// How a process ended: `exited with code 3`, `was ended by signal 9 (KILL)`.
std::string words(ExitStatus status);
/// What a process does: `the process waits`; empty if that is not known.
std::string words(const Activity& activity);

}  // namespace poolproof::pool
