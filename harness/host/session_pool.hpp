#pragma once

#include <memory>
#include <optional>
#include <stop_token>
#include <string_view>

#include "harness/host/arguments.hpp"
#include "harness/host/pool.hpp"
#include "harness/host/pool_types.hpp"
#include "harness/pool/execution.hpp"

namespace poolproof::host {

using pool::Affinity;
using pool::ExecuteOptions;
using pool::Retry;
using pool::WhenBusy;

/// The result of a command that was executed.
struct Executed {
  Reply reply;
  WorkerId worker;          ///< the worker that answered
  std::uint32_t tries = 1;  ///< calls made, with those that failed
};

/// A pool whose commands name a session, not a worker: checkout, call and check-in in one.
///
///   auto pool = poolproof::host::SessionPool::open(options);    // or the option out of bounds
///   (*pool)->execute_in_session("alice", "session_put", args);   // begins the session
///   (*pool)->execute_in_session("alice", "session_get", args);   // the same worker, or an error
///
/// Thread-safe and blocking, as the pool below it.
class SessionPool {
 public:
  /// Opens the pool: see Pool::open.
  static Parsed<std::unique_ptr<SessionPool>> open(Options options);

  /// Executes a command in the session of that name, which begins with its first command.
  /// With affinity strict (the default) all commands meet one worker, so that what it remembers is
  /// there.
  ///
  /// Limits: `options.timeout` bounds all of it, also further tries; nothing: the pool's checkout
  /// and call timeouts together. A strict session tries nothing again: it has no other worker.
  /// Errors: those of Pool::checkout_in and of Lease::call, with how often it was tried. A
  /// session without a name is a protocol_error.
  Result<Executed> execute_in_session(std::string_view session, std::string_view command,
                                      const Arguments& args, const ExecuteOptions& options = {},
                                      const std::stop_token& stop = {});

  /// Like execute_in_session(), on any worker, for commands that need no memory.
  Result<Executed> execute_anonymous(std::string_view command, const Arguments& args,
                                     const ExecuteOptions& options = {},
                                     const std::stop_token& stop = {});

  /// See Pool::end_session.
  bool end_session(std::string_view session) { return pool_->end_session(session); }

  /// The pool below: for leases that take more than one call, statistics, and close().
  [[nodiscard]] Pool& pool() { return *pool_; }

 private:
  SessionPool(std::unique_ptr<Pool> pool, Duration usual_timeout)
      : pool_(std::move(pool)), usual_timeout_(usual_timeout) {}
  Result<Executed> execute(const pool::SessionRequest& session, std::string_view command,
                           const Arguments& args, const ExecuteOptions& options,
                           const std::stop_token& stop);

  std::unique_ptr<Pool> pool_;
  Duration usual_timeout_;
};

}  // namespace poolproof::host
