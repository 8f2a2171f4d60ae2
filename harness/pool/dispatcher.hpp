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
  /// Wakes the client: `done` has become true. Called entered.
  virtual void answered() = 0;

  CheckoutId checkout = CheckoutId::none;
  Time deadline = kNever;
  bool done = false;
  LeaseId lease = LeaseId::none;
  WorkerRef worker;            ///< set if the checkout was granted
  std::optional<Error> error;  ///< set if the checkout was refused: why
};

/// The Core, and all that clients, the starter and the event loop share; the same in both worlds.
/// It makes the Core's steps and delivers their effects.
///
/// Threads: one at a time. Everything but `lock` and `unlock` is called entered (see Entered).
class Dispatcher {
 public:
  /// What a world does for its dispatcher.
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
    /// All effects of a step have been delivered: the loop may have orders and another deadline.
    virtual void delivered() = 0;
    /// An order waits for the loop.
    virtual void ordered() {}
    /// A worker has come back from its holder: the loop is to watch it once it has been idle for a
    /// while.
    virtual void became_idle(const WorkerRef& worker) = 0;
    /// Somebody has looked up what is kept of a worker. Null: there is none.
    virtual void looked_up(const Worker* worker) = 0;
    /// The pool is closed, and nothing of it is left.
    virtual void closed() = 0;
  };

  explicit Dispatcher(World& world) : world_(world) {}
  Dispatcher(const Dispatcher&) = delete;
  Dispatcher& operator=(const Dispatcher&) = delete;

  /// Begins a fresh pool, in the memory of the last one. `greeting` is what people call the request
  /// that greets its workers; it must outlive the pool. Requires: checked(config).
  void begin(const Config& config, std::string_view greeting = "ping");

  void lock() { world_.enter(); }
  void unlock() { world_.leave(); }

  void step(const Event& event);

  // ---- clients
  /// Asks for a lease, to be granted within `timeout`. The ticket may be answered when this
  /// returns; if not, it must stay at its address until it is answered.
  void request(Ticket& ticket, Duration timeout, const SessionRequest& session = {});
  /// Ends a lease. False: it had ended before. `rss_bytes`: see CheckedIn. `worker` is the holder's
  /// reference from the ticket, and empty afterwards if the dispatcher has taken it back.
  bool end_lease(LeaseId lease, WorkerRef& worker, bool clean, std::uint64_t rss_bytes);
  /// Whether end_lease() is to be told the worker's memory. May be called without having entered,
  /// since the answer never changes.
  [[nodiscard]] bool wants_memory() const { return core_->config().max_rss_bytes > 0; }

  /// Ends a session. A later request of that name begins another one. False: there is no such
  /// session.
  bool end_session(std::string_view name);

  // ---- who starts processes
  void started(WorkerRef worker);
  void start_failed(WorkerId id, int errno_value, std::string message);

  // ---- the event loop
  /// Whether there are orders that take_order() has not given out, in the Core's order.
  [[nodiscard]] bool has_orders() const { return taken_ < orders_.size(); }
  Effect take_order();
  /// `reason` says in words why what the worker wrote is no reply.
  void handshake_ended(Worker& worker, const StartEvidence& evidence, std::string reason);
  /// The worker's process has ended. Requires: worker.exit is set.
  void exited(Worker& worker);
  void ping_ended(WorkerId id, bool good) { step(PingEnded{id, good}); }
  void memory_measured(WorkerId id, std::uint64_t rss_bytes) {
    step(MemoryMeasured{id, rss_bytes});
  }
  void forget(WorkerId id);
  /// Forgets all workers. Requires: the pool is closed, or was given up.
  void forget_all();

  /// The worker, valid until it is forgotten. Null: it is forgotten, or never was.
  [[nodiscard]] Worker* find(WorkerId id) const;
  /// Like find(), for callers that keep the worker longer.
  [[nodiscard]] WorkerRef keep(WorkerId id) const;
  [[nodiscard]] bool is_idle(WorkerId id) const;
  [[nodiscard]] const Core& core() const { return *core_; }
  [[nodiscard]] Time next_deadline() const { return core_->next_deadline(); }
  [[nodiscard]] Time now() const { return world_.now(); }
  /// How many orders there have been, and how many of them were taken.
  [[nodiscard]] std::uint32_t orders_made() const { return ordered_; }
  [[nodiscard]] std::uint32_t orders_taken() const {
    return ordered_ - static_cast<std::uint32_t>(orders_.size() - taken_);
  }
  /// Visits the workers that are not forgotten.
  template <class Visit>
  void for_each_worker(Visit visit) const {
    for (const auto& slot : in_slot_) {
      for (const auto& kept : slot) visit(kept.worker);
    }
  }

 private:
  /// A worker that is not forgotten.
  struct Kept {
    WorkerRef worker;
    /// A second reference, which a holder gets with the lease and gives back with it: to count a
    /// reference up and down costs a fifth of a checkout. Empty: a holder has it.
    WorkerRef to_lend;
  };

  [[nodiscard]] bool nothing_is_due() const { return next_deadline() == kNever; }
  void step(Time now, const Event& event);
  void deliver(const Effect& effect);
  template <class Slots>
  static auto place_in(Slots& slots, WorkerId id) -> decltype(slots.front().data());
  [[nodiscard]] const Kept* place_of(WorkerId id) const;
  WorkerRef lend(WorkerId id);
  Ticket& answer(CheckoutId checkout);
  void note_failed(const Worker& worker, std::string reason);
  void note_worker_before(WorkerId id);
  [[nodiscard]] SessionId session_of(std::string_view name) const;
  void note_session(std::string_view name, SessionId session);
  void forget_session(SessionId session);
  [[nodiscard]] Error explain(const Refuse& refusal) const;

  World& world_;
  std::optional<Core> core_;
  std::vector<Effect> effects_;  ///< the effects of the step under way
  std::vector<Effect> orders_;
  std::size_t taken_ = 0;  ///< how many of orders_ have been taken
  std::uint32_t ordered_ = 0;
  std::uint64_t checkouts_ = 0;
  std::string_view greeting_ = "ping";
  /// The ticket of the checkout being stepped, which is not in tickets_ yet.
  Ticket* asking_ = nullptr;
  boost::unordered_flat_map<CheckoutId, Ticket*> tickets_;
  std::map<std::string, SessionId, std::less<>> sessions_;  ///< the sessions that go on, by name
  boost::unordered_flat_map<SessionId, std::string> session_names_;
  std::uint64_t sessions_begun_ = 0;
  std::vector<std::vector<Kept>> in_slot_;
  WorkerId last_failed_;
  std::string last_failed_tail_;
  std::string last_failed_reason_;
  /// The slot's last worker, if it had not left when last_failed_ failed.
  std::optional<WorkerId> before_failed_;
  int pid_before_failed_ = 0;
  WorkerId last_unlaunched_;
  std::string last_launch_error_;
};

/// While this lock lives, its thread has entered the dispatcher, which is one thread's at a time.
using Entered = std::lock_guard<Dispatcher>;

}  // namespace poolproof::pool
