#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "harness/base/clock.hpp"
#include "harness/base/ids.hpp"
#include "harness/pool/error.hpp"
#include "harness/pool/requests.hpp"
#include "harness/wire/exchange.hpp"

namespace poolproof::pool {

class Dispatcher;
class Worker;
using WorkerRef = std::shared_ptr<Worker>;

/// What is called, in the words that an error about it needs.
struct CallSpec {
  wire::Payload payload = wire::Payload::envelope;
  std::string_view command;  ///< raw; an error makes it printable
  Duration limit{};
};

/// The holder's side of a lease, the same in both worlds: whether it is open, which request comes
/// next, and what the end of a call does to it. For one thread at a time, which has not entered the
/// dispatcher.
class HeldLease {
 public:
  HeldLease() = default;
  HeldLease(WorkerRef worker, LeaseId id);
  HeldLease(HeldLease&&) noexcept = default;
  HeldLease& operator=(HeldLease&&) noexcept = default;

  /// We have neither ended the lease nor moved it away; the pool may have ended it.
  [[nodiscard]] bool open() const { return open_ && worker_ != nullptr; }
  [[nodiscard]] LeaseId id() const { return id_; }
  /// The worker that served it, or serves it. Requires: there was a lease.
  [[nodiscard]] WorkerId worker_id() const { return worker_id_; }
  /// Null: the worker was given back, or there never was a lease.
  [[nodiscard]] const WorkerRef& worker() const { return worker_; }

  /// The number of the next request to the worker. Requires: open.
  [[nodiscard]] std::int64_t next_request() const;
  /// Begins a call, and looks whether the worker is fit for it. `frame` holds the request. Error:
  /// the call is over before anything was looked at.
  Expected<wire::Exchange, Error> begin_call(const CallSpec& call, const WireOptions& wire,
                                             Expected<std::string, std::string> frame, Time now,
                                             bool stop_asked);
  /// Ends a call: why it failed, or nothing. A stream that is left in doubt ends the lease.
  std::optional<Error> end_call(Dispatcher& dispatcher, const wire::CallResult& result,
                                const CallSpec& call);

  /// Gives the worker back. False: the lease had ended before.
  bool end(Dispatcher& dispatcher, bool clean);

 private:
  WorkerRef worker_;
  WorkerId worker_id_;
  LeaseId id_ = LeaseId::none;
  bool open_ = false;
};

}  // namespace poolproof::pool
