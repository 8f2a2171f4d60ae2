#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "harness/pool/dispatcher.hpp"
#include "harness/pool/event_loop.hpp"
#include "harness/scenario/scenario.hpp"
#include "harness/scenario/worker_milestones.hpp"
#include "harness/sim/machine.hpp"
#include "harness/sim/worker.hpp"

namespace poolproof::sim {

/// Where a client finds the answer to its checkout.
struct Ticket final : pool::Ticket {
  Ticket(Machine& on, std::uint32_t of) : machine(&on), client(of) {}
  void answered() override;

  Machine* machine;
  std::uint32_t client;
};

/// The simulated machine below the pool's dispatcher and event loop: when who goes on, how a
/// process begins, and what is written down.
class Pool final : private pool::Dispatcher::World, private pool::EventLoop::World {
 public:
  explicit Pool(Machine& machine)
      : machine_(machine), dispatcher_(*this), loop_(dispatcher_, *this) {}
  ~Pool() override;
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  /// A fresh pool for that scenario, which must outlive it, in the memory of the last one.
  /// Requires: no client looks at a worker any more.
  void begin(const scenario::Scenario& scenario, std::uint64_t seed, std::uint32_t clients);

  // ---- clients
  [[nodiscard]] pool::Dispatcher& dispatcher() { return dispatcher_; }
  /// Asks for a lease; the client is made ready when the ticket is done.
  void ask(std::uint32_t client, Duration timeout, const pool::SessionRequest& session);
  [[nodiscard]] Ticket& ticket(std::uint32_t client) { return tickets_[client]; }
  void step(const pool::Event& event) { dispatcher_.step(event); }
  [[nodiscard]] bool is_closed() const { return closed_; }
  /// A signal from outside to a living worker's process. False: it is gone.
  bool signal(WorkerId worker, int signal);

  // ---- what its own threads do, one move at a time
  void go(std::uint32_t which);  ///< move `which` of Role::pool
  void go_on(Role role, Worker& worker);

  [[nodiscard]] Worker& worker(std::uint32_t number) { return *workers_[number]; }
  [[nodiscard]] const pool::Core& core() const { return dispatcher_.core(); }

  /// Destroys the pool: kills and reaps the workers that are left.
  void end();
  /// A census of this moment: children, zombies, our descriptors, and survivors of what workers
  /// left.
  [[nodiscard]] trace::OsRecord census(const char* when) const;

  /// Whether a worker has reached a moment that scenarios may wait for.
  [[nodiscard]] bool has_been(WorkerId worker, scenario::WorkerMoment moment) const {
    return milestones_.has_been(worker, moment);
  }

 private:
  // Dispatcher::World
  [[nodiscard]] Time now() override { return machine_.now; }
  void stepped(Time now, const pool::Event& event, std::span<const pool::Effect> effects) override;
  void delivered() override;
  void ordered() override;
  void became_idle(const pool::WorkerRef& worker) override;
  void looked_up(const pool::Worker* worker) override;
  void closed() override;
  // EventLoop::World
  void start(WorkerId id) override;
  std::string timestamp() override { return kTimestamp; }
  void look(pool::Worker& worker) override;

  void obey_next();
  void spawn_next();
  void spawn_in_a_moment();
  void watch_later(Worker& worker);
  /// Whether there is no worker, nor anything that one left behind.
  [[nodiscard]] bool all_free() const {
    return free_workers_.size() == workers_.size() && !forgot_a_process_;
  }
  pool::WorkerRef fresh_worker(WorkerId id);
  void release(Worker& worker);
  [[nodiscard]] faults::BrainConfig brain_of(WorkerId id) const;

  Machine& machine_;
  const scenario::Scenario* scenario_ = nullptr;
  std::deque<WorkerId> to_start_;
  std::vector<Ticket> tickets_;  ///< the clients' tickets, by number
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::uint32_t> free_workers_;
  /// Whether a faulty pool has forgotten a worker whose process is still there.
  bool forgot_a_process_ = false;
  bool closed_ = false;
  bool moments_matter_ = false;
  scenario::WorkerMilestones milestones_;
  pool::Dispatcher dispatcher_;  ///< gone before workers_, since it keeps workers
  pool::EventLoop loop_;
};

}  // namespace poolproof::sim
