#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "harness/base/clock.hpp"
#include "harness/host/child.hpp"
#include "harness/pool/config.hpp"
#include "harness/pool/core.hpp"
#include "harness/pool/error.hpp"
#include "harness/pool/held_lease.hpp"
#include "harness/wire/conversation.hpp"

/// A pool of worker processes that speak frames on stdin and stdout. Start here: Pool::open,
/// checkout, call.
///
///   poolproof::host::Options options;
///   options.core.size = 4;
///   options.command = {{"/usr/bin/python3", "-m", "my_worker"}, {"PATH=/usr/bin:/bin"}, ""};
///   auto pool = poolproof::host::Pool::open(options);          // Parsed<unique_ptr<Pool>>
///   auto lease = (*pool)->checkout(2s);                        // Result<Lease>
///   auto reply = lease->call("echo", {{"n", 1}}, 500ms);       // Result<Reply>
namespace poolproof::host {

using namespace std::chrono_literals;
using pool::Error;
using pool::Result;
using wire::Reply;

/// Told of every event and of what the Core ordered on it, under the pool's mutex: be quick, call
/// nothing back.
using Observer = std::function<void(Time now, const pool::Event&, std::span<const pool::Effect>)>;

struct Options {
  pool::Config core;
  wire::Framing framing;
  Duration checkout_timeout = 5s;  ///< when checkout is given none
  Duration call_timeout = 5s;      ///< when a call is given none
  Duration close_timeout = 5s;     ///< of the destructor
  pool::OnException on_exception = pool::OnException::keep;
  bool opaque =
      false;  ///< payloads are bytes: no init ping, no shutdown request, `call_bytes` only
  /// What workers leave behind is put away at close, also a daemon in a session of its own: this
  /// process adopts orphans from now on (sys::adopt_orphans), and once its workers are gone, close
  /// kills and reaps every other process below it. Only for a process that starts nothing else, no
  /// second pool either.
  bool adopt_orphans = false;
  std::size_t stderr_tail_bytes = 4096;
  Command command;  ///< what to start; POOLPROOF_SLOT and POOLPROOF_GENERATION are added to its env
  std::function<Command(WorkerId)> command_for;  ///< instead of `command`, when workers differ
  Observer observer;
};

/// What the pool has done and how it stands, of one moment.
struct Statistics {
  pool::Counters counters;
  pool::Gauges gauges;
};

class PoolState;
class Reactor;

/// One client's exclusive hold of one worker; gives it back when destroyed. Move it, don't share
/// it: a lease is for one thread at a time.
class Lease {
 public:
  Lease(Lease&& other) noexcept;
  Lease& operator=(Lease&& other) noexcept;
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;
  /// Checks in. When an exception is passing through, `on_exception` says whether the worker stays.
  ~Lease();

  /// Sends one request and waits for its reply. The caller's thread does the reading and writing.
  ///
  /// Limits: `timeout` bounds all of it, also the writing. One frame each way of at most
  /// max_frame_bytes. Errors: worker_error (it answered with an error; the lease goes on);
  /// call_timeout, cancelled, worker_died,
  ///         protocol_error, stdout_closed, stdin_closed: the worker is taken out of service at
  ///         once and the lease is over, unless nothing had been written; stale_worker: found dead
  ///         before a byte was written, retryable; lease_over; request_too_large. Never throws on
  ///         account of the worker.
  Result<Reply> call(std::string_view command, const nlohmann::json& args,
                     std::optional<Duration> timeout = {}, const std::stop_token& stop = {});

  /// The same for bytes that are nobody's business (Options::opaque).
  Result<std::string> call_bytes(std::string_view payload, std::optional<Duration> timeout = {},
                                 const std::stop_token& stop = {});

  /// Gives the worker back. A second time, or after the lease has ended, it does nothing and
  /// returns false.
  bool checkin();
  /// Gives the worker back as not fit for service: it is replaced.
  bool discard();

  [[nodiscard]] WorkerId worker() const;
  [[nodiscard]] LeaseId id() const { return held_.id(); }
  /// Of the last call: bytes of the request that were written, and whether the stream was left in
  /// doubt.
  [[nodiscard]] std::uint64_t written_bytes() const { return written_bytes_; }
  [[nodiscard]] bool in_doubt() const { return in_doubt_; }

 private:
  friend class Pool;
  Lease(std::shared_ptr<PoolState> pool, pool::HeldLease held);
  Result<wire::CallResult> converse(const pool::CallSpec& call, const std::string& message,
                                    const std::stop_token& stop);
  [[nodiscard]] Duration limit_of(std::optional<Duration> timeout) const;
  bool end(bool clean);

  std::shared_ptr<PoolState> pool_;
  pool::HeldLease held_;
  int exceptions_ = 0;
  std::uint64_t written_bytes_ = 0;
  bool in_doubt_ = false;
};

/// Thread-safe and blocking: any number of client threads may check out, call and close.
class Pool {
 public:
  /// Checks the options and starts the pool's two threads (an eager pool begins to start its
  /// workers; it does not wait for them). Ignores SIGPIPE in this process from now on. Error: the
  /// first option that is out of bounds.
  static Parsed<std::unique_ptr<Pool>> open(Options options);

  /// Closes with Options::close_timeout if nobody has.
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  /// Leases a worker, waiting for one until `timeout` is over; 0 takes one only if it is idle.
  ///
  /// Errors: checkout_timeout, queue_full, start_failed, pool_closed, cancelled (by `stop`). None
  /// of them costs a worker. Source: NimblePool's checkout!/4; differs: a late grant is kept or
  /// never given, not lost.
  Result<Lease> checkout(std::optional<Duration> timeout = {}, const std::stop_token& stop = {});

  /// Refuses newcomers and waiters at once, lets leases end, then asks, closes stdin, TERMs, KILLs
  /// and reaps, all workers side by side, done at `timeout` at the latest; then what they have left
  /// behind (Options::adopt_orphans). True when nothing is left. Any thread, any number of times.
  bool close(Duration timeout);

  [[nodiscard]] Statistics statistics() const;

  /// Waits until nobody waits, no worker starts, is leased or leaves, an eager pool has all its
  /// workers, and all that was ordered has been done: nothing is kept any more of a worker that is
  /// over. False: not so within `limit`, or the pool is closing (then at once).
  bool wait_until_quiescent(Duration limit);

  /// Sends a signal to a living worker's process, safely against reuse of its pid (for tests).
  /// False: it is gone.
  bool signal(WorkerId worker, int signal);

 private:
  Pool(std::shared_ptr<PoolState> state, std::unique_ptr<Reactor> reactor);
  std::shared_ptr<PoolState> state_;
  std::unique_ptr<Reactor> reactor_;
};

}  // namespace poolproof::host
