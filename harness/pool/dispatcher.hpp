#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "harness/pool/core.hpp"
#include "harness/pool/error.hpp"
#include "harness/pool/worker.hpp"

namespace poolproof::pool {

/// Where a waiting client finds the answer to its checkout. Each world wakes its clients in its own
/// way.
struct Ticket {
  Ticket() = default;
  Ticket(const Ticket&) = default;
  Ticket& operator=(const Ticket&) = default;
  virtual ~Ticket() = default;
  /// Entered: `done` is true now.
  virtual void answered() = 0;

  CheckoutId checkout = CheckoutId::none;
  Time deadline = kNever;
  bool done = false;
  LeaseId lease = LeaseId::none;
  WorkerRef worker;            ///< granted
  std::optional<Error> error;  ///< not granted, and why
};

/// The Core and all that clients, the starter and the event loop share, below both worlds: makes
/// its steps and delivers what they order.
///
/// Threads: one at a time. Everything but `lock` and `unlock` is called entered (see Entered).
class Dispatcher {
 public:
  /// What a world does for it.
  class World {
   public:
    virtual ~World() = default;
    virtual void enter() {}
    virtual void leave() {}
    [[nodiscard]] virtual Time now() = 0;
    /// The time, or a little earlier if that costs less; for steps that end or set no deadline.
    [[nodiscard]] virtual Time recently() { return now(); }
    /// The Core has made a step; its effects are about to be delivered.
    virtual void stepped(Time now, const Event& event, std::span<const Effect> effects) = 0;
    /// Whatever is to be done has been delivered: the loop may have orders and another deadline.
    virtual void delivered() = 0;
    /// An order waits for the loop.
    virtual void ordered() {}
    /// A worker has come back from its holder: the loop is to watch it once it has been idle for a
    /// while.
    virtual void became_idle(const WorkerRef& worker) = 0;
    /// Somebody looks at what is kept of a worker, or finds that there is none (null).
    virtual void looked_up(const Worker* worker) = 0;
    /// Nothing of the pool is left.
    virtual void closed() = 0;
  };

  explicit Dispatcher(World& world) : world_(world) {}
  Dispatcher(const Dispatcher&) = delete;
  Dispatcher& operator=(const Dispatcher&) = delete;

  /// A fresh pool, in the memory of the last one. Requires: checked(config).
  void begin(const Config& config);

  void lock() { world_.enter(); }
  void unlock() { world_.leave(); }

  void step(const Event& event);

  // ---- clients
  /// Asks for a lease, to be granted within `timeout`. The ticket may be answered when this
  /// returns; if not it must stay where it is until it is.
  void request(Ticket& ticket, Duration timeout, const SessionRequest& session = {});
  /// False: the lease had ended before.
  /// `rss_bytes`: see CheckedIn.
  bool end_lease(LeaseId lease, const WorkerRef& worker, bool clean, std::uint64_t rss_bytes);
  /// Whether a lease that ends is to tell of its worker's memory. Also for who has not entered:
  /// nothing changes it.
  [[nodiscard]] bool wants_memory() const { return core_->config().max_rss_bytes > 0; }

  /// Nobody asks for it any more; who does all the same begins another. False: it is not known.
  bool end_session(std::string_view name);

  // ---- who starts processes
  void started(WorkerRef worker);
  void start_failed(WorkerId id, int errno_value, std::string message);

  // ---- the event loop
  /// The next order that nobody has taken, in the Core's order.
  [[nodiscard]] bool has_orders() const { return taken_ < orders_.size(); }
  Effect take_order();
  /// `reason`: why what it wrote is no reply, in words.
  void handshake_ended(Worker& worker, const StartEvidence& evidence, std::string reason);
  /// Requires: worker.exit.
  void exited(Worker& worker);
  void ping_ended(WorkerId id, bool good) { step(PingEnded{id, good}); }
  void memory_measured(WorkerId id, std::uint64_t rss_bytes) {
    step(MemoryMeasured{id, rss_bytes});
  }
  void forget(WorkerId id);

  /// Null: it is forgotten, or never was. Valid until it is forgotten.
  [[nodiscard]] Worker* find(WorkerId id) const { return place_of(id).get(); }
  /// The same for who keeps it longer.
  [[nodiscard]] WorkerRef keep(WorkerId id) const { return place_of(id); }
  [[nodiscard]] bool is_idle(WorkerId id) const;
  [[nodiscard]] const Core& core() const { return *core_; }
  [[nodiscard]] Time next_deadline() const { return core_->next_deadline(); }
  [[nodiscard]] Time now() const { return world_.now(); }
  /// How many orders there have been, and how many of them were taken.
  [[nodiscard]] std::uint32_t orders_made() const { return ordered_; }
  [[nodiscard]] std::uint32_t orders_taken() const {
    return ordered_ - static_cast<std::uint32_t>(orders_.size() - taken_);
  }
  /// Of the workers that are not forgotten.
  template <class Visit>
  void for_each_worker(Visit visit) const {
    for (const auto& slot : in_slot_) {
      for (const auto& worker : slot) visit(worker);
    }
  }

 private:
  [[nodiscard]] bool nothing_is_due() const { return next_deadline() == kNever; }
  void step(Time now, const Event& event);
  void deliver(const Effect& effect);
  [[nodiscard]] const WorkerRef& place_of(WorkerId id) const;
  Ticket& answer(CheckoutId checkout);
  void note_failed(const Worker& worker, std::string reason);
  void note_worker_before(WorkerId id);
  [[nodiscard]] SessionId session_of(std::string_view name) const;
  void note_session(std::string_view name, SessionId session);
  void forget_session(SessionId session);
  [[nodiscard]] Error explain(const Refuse& refusal) const;

  World& world_;
  std::optional<Core> core_;
  std::vector<Effect> effects_;  ///< of the step under way
  std::vector<Effect> orders_;
  std::size_t taken_ = 0;  ///< of orders_
  std::uint32_t ordered_ = 0;
  std::uint64_t checkouts_ = 0;
  Ticket* asking_ = nullptr;  ///< of the checkout being stepped: it is in no table yet
  boost::unordered_flat_map<CheckoutId, Ticket*> tickets_;
  std::map<std::string, SessionId, std::less<>> sessions_;  ///< those that go on, by name
  boost::unordered_flat_map<SessionId, std::string> session_names_;
  std::uint64_t sessions_begun_ = 0;
  std::vector<std::vector<WorkerRef>> in_slot_;
  WorkerId last_failed_;
  std::string last_failed_tail_;
  std::string last_failed_reason_;
  std::optional<WorkerId> before_failed_;  ///< had not left its slot when that start failed
  int pid_before_failed_ = 0;
  WorkerId last_unlaunched_;
  std::string last_launch_error_;
};

/// Entered for as long as this lives: the dispatcher is one thread's at a time.
using Entered = std::lock_guard<Dispatcher>;

}  // namespace poolproof::pool
