#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "harness/host/descriptor.hpp"
#include "harness/host/insight.hpp"
#include "harness/host/pool_types.hpp"
#include "harness/host/worker.hpp"
#include "harness/pool/dispatcher.hpp"
#include "harness/pool/held_lease.hpp"

namespace poolproof::host {

/// What the reactor takes over from everybody else.
struct Inbox {
  std::vector<pool::WorkerRef> fresh;  ///< workers just started
  std::vector<pool::WorkerRef> idle;   ///< workers that have come back from their holders
  std::vector<pool::Effect> orders;    ///< the Core's orders, in their order
  std::vector<PoolEvent> events;       ///< events that wait for Options::on_event
  Time deadline = kNever;              ///< when the next step is due
  bool stopping = false;
};

/// How such a pool speaks with its workers.
inline pool::WireOptions wire_of(const Options& options) {
  return {options.framing, options.opaque, wire::Codec::json, options.speech};
}

/// The dispatcher under its one mutex, and what the host's threads wait for.
class PoolState final : public std::enable_shared_from_this<PoolState>,
                        private pool::Dispatcher::World {
 public:
  explicit PoolState(Options options);

  [[nodiscard]] const Options& options() const { return options_; }
  [[nodiscard]] pool::Dispatcher& dispatcher() { return dispatcher_; }
  [[nodiscard]] int wake_fd() const { return wake_.get(); }
  [[nodiscard]] bool usable() const { return static_cast<bool>(wake_); }

  // ---- clients
  Result<pool::HeldLease> checkout(const pool::SessionRequest& session, Duration timeout,
                                   const std::stop_token& stop);
  bool end_session(std::string_view name);
  /// Gives the Core an event that the pool's user asked for.
  void tell(const pool::Event& event);
  bool close(Duration timeout);
  /// Kills and reaps what the workers left behind, if the options say so. Requires: no worker is
  /// left, and none will be started.
  void end_orphans();
  bool wait_until_quiescent(Duration limit);
  [[nodiscard]] Statistics statistics();
  void set_holder(LeaseId lease, WorkerId worker, std::string_view name);
  [[nodiscard]] pool::WorkerRef find(WorkerId id);
  /// Waits, `limit` at most, until the worker has been reaped. Nothing: it has not.
  std::optional<ExitStatus> wait_for_exit(Worker& worker, Duration limit);

  // ---- the spawner and the reactor
  void started(WorkerId id, Expected<Child, LaunchError> child);
  void tick();
  Inbox take_inbox();
  /// The reactor goes to sleep, and will look again at this time at the latest.
  void naps_until(Time at);
  void stop();
  /// Lets go of all workers that are left: each of them keeps the pool, as the pool keeps them.
  /// Requires: nobody starts or watches workers any more.
  void abandon();
  [[nodiscard]] std::vector<pool::WorkerRef> workers();

 private:
  struct WaitingTicket;

  void enter() override { mutex_.lock(); }
  /// Frees the mutex, and lets the clients go that have been answered meanwhile.
  void leave() override;
  [[nodiscard]] Time now() override;
  [[nodiscard]] Time recently() override;
  void stepped(Time now, const pool::Event& event, std::span<const pool::Effect> effects) override;
  void delivered() override;
  void became_idle(const pool::WorkerRef& worker) override;
  void looked_up(const pool::Worker*) override {}
  void closed() override;

  void await_answer(WaitingTicket& ticket, const std::stop_token& stop);

  // Called with the mutex held.
  [[nodiscard]] bool is_quiescent() const;
  [[nodiscard]] bool has_its_workers(const pool::Gauges& now) const;
  [[nodiscard]] Time next_deadline() const;
  void wake_reactor();

  const Options options_;
  const bool times_are_noted_;  ///< by somebody outside, so that they must be exact
  Descriptor wake_;
  std::mutex mutex_;
  pool::Dispatcher dispatcher_;
  Insight insight_;
  Inbox inbox_;
  WaitingTicket* first_answered_ = nullptr;  ///< answered tickets, whose clients are still asleep
  WaitingTicket* last_answered_ = nullptr;
  bool wake_pending_ = false;
  Time nap_until_ = kNever;  ///< when the reactor wakes; Time::min(): it is awake
  std::condition_variable closed_changed_;
  bool closed_ = false;
  std::mutex orphans_mutex_;  ///< several threads may close at once
  std::condition_variable maybe_quiescent_;
  std::uint32_t awaiting_quiescence_ = 0;
};

}  // namespace poolproof::host
