#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "harness/base/ids.hpp"

namespace tl {
template <class T, class E>
class expected;
}
namespace poolproof::pool {
struct Error;
struct SessionRequest;
struct Timeout;
}  // namespace poolproof::pool

/// A pool of worker processes that speak frames on stdin and stdout. Start here: Pool::open,
/// checkout, call.
///
///   poolproof::host::Options options;
///   options.core.size = 4;
///   options.command = {{"/usr/bin/python3", "-m", "my_worker"}, {"PATH=/usr/bin:/bin"}, ""};
///   auto pool = poolproof::host::Pool::open(options);          // Parsed<unique_ptr<Pool>>
///   auto lease = (*pool)->checkout(2s);                        // Result<Lease>
///   auto reply = lease->call("echo", {{"n", 1}}, 500ms);       // Result<Reply>
///
/// This light header only names what goes in and comes out: it is for headers that hand pools and
/// leases on. To call, include <poolproof/poolproof.hpp>, which has all of it (in the tree:
/// pool_types.hpp, and arguments.hpp for the JSON of `call`).
namespace poolproof::host {

using pool::Error;
/// A value, or why there is none.
template <class T>
using Result = tl::expected<T, Error>;

class Arguments;      ///< the arguments of a call: a JSON object
struct Cancellation;  ///< asks a call or checkout to give up: a std::stop_token
struct Opened;        ///< Parsed<std::unique_ptr<Pool>>
struct Options;
struct Reply;
struct Statistics;
/// Any duration of std::chrono, rounded up to a microsecond; one that is too long to be counted in
/// them never ends. `{}` is the time that the options give.
using pool::Timeout;

/// One client's exclusive hold of one worker; gives it back when destroyed. Move it, don't share
/// it: a lease is for one thread at a time.
class Lease {
  struct Body;
  struct Granted;

 public:
  /// For the pool alone, which makes a lease in its final place: nobody else can name a Granted.
  explicit Lease(Granted granted);
  Lease(Lease&& other) noexcept;
  Lease& operator=(Lease&& other) noexcept;
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;
  /// Checks in. When an exception is passing through, `on_exception` says whether the worker stays.
  ~Lease();

  /// Sends one request and waits for its reply. The caller's thread does the reading and writing.
  ///
  /// Limits: `timeout` bounds all of it, also the writing. One frame each way of at most
  /// max_frame_bytes.
  /// Errors: worker_error: it answered with an error; the lease goes on.
  /// call_timeout, cancelled, worker_died, protocol_error, stdout_closed, stdin_closed: the worker
  /// is taken out of service at once and the lease is over, unless nothing had been written.
  /// stale_worker: found dead before a byte was written, retryable. pool_closed: the pool closed in
  /// mid-call and put the worker away. lease_over. request_too_large.
  /// protocol_error without a worker: the pool's payloads are opaque, or the arguments are no
  /// object; nothing was written. Never throws on account of the worker.
  Result<Reply> call(std::string_view command, const Arguments& args);
  Result<Reply> call(std::string_view command, const Arguments& args, Timeout timeout);
  Result<Reply> call(std::string_view command, const Arguments& args, Timeout timeout,
                     Cancellation stop);

  /// Like call(), for payloads that are any bytes. Only with Options::opaque; else it is a
  /// protocol_error, and nothing was written.
  Result<std::string> call_bytes(std::string_view payload);
  Result<std::string> call_bytes(std::string_view payload, Timeout timeout);
  Result<std::string> call_bytes(std::string_view payload, Timeout timeout, Cancellation stop);

  /// Gives the worker back. A second time, or after the lease has ended, it does nothing and
  /// returns false.
  bool checkin();
  /// Gives the worker back as not fit for service: it is replaced.
  bool discard();

  [[nodiscard]] WorkerId worker() const;
  [[nodiscard]] LeaseId id() const;
  /// Gives the holder a name, which a report of leaks shows (Options::leak_after): at most 200
  /// bytes, the rest is cut off.
  void set_holder(std::string_view name);
  /// How many bytes of the last call's request were written, and whether that call left the stream
  /// in doubt.
  [[nodiscard]] std::uint64_t written_bytes() const;
  [[nodiscard]] bool in_doubt() const;

 private:
  friend class Pool;
  [[nodiscard]] Body& body();
  [[nodiscard]] const Body& body() const;

  /// The size of the body, which lies in the lease itself: no memory is allocated for a lease.
  static constexpr std::size_t kBodyBytes = 80;
  alignas(std::uint64_t) std::byte storage_[kBodyBytes];
};

/// Thread-safe and blocking: any number of client threads may check out, call and close.
///
/// It reaps its workers itself. In a program that ignores SIGCHLD or waits for any child, it can't
/// tell how they ended (ExitStatus: code -1), and does not kill what they leave in their group.
/// After fork() a pool is of use in the parent alone. In the copy its destructor does nothing;
/// nothing else of it, nor of its leases, may be used there.
class Pool {
 public:
  /// Checks the options and starts the pool's two threads (an eager pool begins to start its
  /// workers; it does not wait for them). Ignores SIGPIPE in this process from now on. Error: the
  /// first option that is out of bounds, or what the system has none of (`where` is "pool").
  static Opened open(Options options);

  /// Closes the pool with Options::close_timeout, if nobody has closed it.
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  /// Leases a worker, waiting for one until `timeout` is over; 0 takes one only if it is idle.
  ///
  /// Errors: checkout_timeout, queue_full, start_failed, pool_closed, cancelled (by `stop`). None
  /// of them costs a worker. Source: NimblePool's checkout!/4; differs: a late grant is kept or
  /// never given, not lost.
  Result<Lease> checkout();
  Result<Lease> checkout(Timeout timeout);
  Result<Lease> checkout(Timeout timeout, Cancellation stop);

  /// Leases a worker in a session: by the session's affinity, that is the worker which served it
  /// last, with what it remembers. The first checkout begins the session; it goes on until it is
  /// ended, or idle for Config::session_idle_timeout.
  ///
  /// Errors: those of checkout(); sessions_full; in a strict session also worker_busy (its worker
  /// served others until the timeout, or just now: WhenBusy::fail) and worker_gone, which every
  /// checkout gets until the session is ended.
  Result<Lease> checkout_in(const pool::SessionRequest& session);
  Result<Lease> checkout_in(const pool::SessionRequest& session, Timeout timeout);
  Result<Lease> checkout_in(const pool::SessionRequest& session, Timeout timeout,
                            Cancellation stop);
  /// Ends a session. A later checkout with the same name begins another one; what is under way in
  /// the old one goes on. False: there is no such session.
  bool end_session(std::string_view name);

  /// Closes the pool. Refuses new and waiting clients at once and lets leases end; then asks all
  /// workers to leave, closes their stdin, sends TERM, then KILL, and reaps them, all side by side,
  /// done at `timeout` at the latest. Then kills what they have left behind
  /// (Options::adopt_orphans). True when nothing is left. `{}`: Options::close_timeout. For any
  /// thread, any number of times.
  bool close(Timeout timeout);

  /// Replaces every worker that there is at this moment, one after another, each after its lease,
  /// while service goes on. A lazy pool starts the new ones on demand. Returns at once.
  void renew();
  /// Serves nobody until resume(). Clients go on waiting, within their timeouts; leases and calls
  /// under way go on, and a close takes its usual course.
  void suspend();
  void resume();

  [[nodiscard]] Statistics statistics() const;

  /// Waits until nobody waits, no worker starts, is leased or leaves, an eager pool has all its
  /// workers, `min_idle` are idle, and all that was ordered has been done: nothing is kept any more
  /// of a worker that is over. False: not so within `limit` (`{}`: Options::checkout_timeout), or
  /// the pool is closing (then at once).
  bool wait_until_quiescent(Timeout limit);

  /// Sends a signal to a living worker's process, safely against reuse of its pid (for tests).
  /// False: it is gone.
  bool signal(WorkerId worker, int signal);

 private:
  struct Parts;
  explicit Pool(Parts* parts);
  Parts* parts_;  ///< owned; to include <memory> would make this header heavy
};

}  // namespace poolproof::host
