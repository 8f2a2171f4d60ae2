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
#include "harness/wire/conversation.hpp"

namespace poolproof::pool {

class Dispatcher;
class Worker;
using WorkerRef = std::shared_ptr<Worker>;

/// What is called, as an error will tell of it.
struct CallSpec {
  wire::Payload payload = wire::Payload::envelope;
  std::string_view command;  ///< raw; an error makes it printable
  Duration limit{};
};

std::string printable_command(const CallSpec& call);

/// The holder's side of a lease, the same in both worlds: whether it is open, which request comes
/// next, and what the end of a call does to it. For one thread at a time, which has not entered the
/// dispatcher.
class HeldLease {
 public:
  HeldLease() = default;
  HeldLease(WorkerRef worker, LeaseId id) : worker_(std::move(worker)), id_(id), open_(true) {}
  HeldLease(HeldLease&& other) noexcept
      : worker_(std::move(other.worker_)),
        id_(other.id_),
        open_(std::exchange(other.open_, false)) {}
  HeldLease& operator=(HeldLease&& other) noexcept;
  HeldLease(const HeldLease&) = delete;
  HeldLease& operator=(const HeldLease&) = delete;
  ~HeldLease() = default;

  /// We have not ended it; the pool may have.
  [[nodiscard]] bool open() const { return open_; }
  [[nodiscard]] LeaseId id() const { return id_; }
  /// Null: there never was a lease.
  [[nodiscard]] const WorkerRef& worker() const { return worker_; }

  /// The number of the next request to the worker. Requires: open.
  [[nodiscard]] std::int64_t next_request() const;
  /// The call begins: its exchange is about to look at the worker. Requires: open.
  void begin_call(const CallSpec& call);
  /// Why the call failed, or nothing; a stream that is left in doubt ends the lease.
  std::optional<Error> end_call(Dispatcher& dispatcher, const wire::CallResult& result,
                                const CallSpec& call);

  /// Gives the worker back. False: the lease had ended before.
  bool end(Dispatcher& dispatcher, bool clean);

 private:
  WorkerRef worker_;
  LeaseId id_ = LeaseId::none;
  bool open_ = false;
};

}  // namespace poolproof::pool
