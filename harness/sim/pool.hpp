#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "harness/pool/core.hpp"
#include "harness/pool/error.hpp"
#include "harness/scenario/scenario.hpp"
#include "harness/sim/machine.hpp"
#include "harness/sim/worker.hpp"

namespace poolproof::sim {

/// Where a client finds the answer to its checkout.
struct Ticket {
  CheckoutId checkout = CheckoutId::none;
  bool done = false;
  LeaseId lease = LeaseId::none;
  Worker* worker = nullptr;  ///< granted
  pool::Error error;         ///< not granted
};

/// The pool around the Core, as the host has it, on the simulated machine: obeys the Core's orders
/// one by one, starts processes, greets, watches and reaps.
class Pool {
 public:
  explicit Pool(Machine& machine) : machine_(machine) {}
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  /// A fresh pool for that scenario, which must outlive it, in the memory of the last one.
  void begin(const scenario::Scenario& scenario, std::uint64_t seed, std::uint32_t clients);

  // ---- clients
  /// Asks for a lease; the client is made ready when the ticket is done.
  void ask(std::uint32_t client, Duration timeout);
  [[nodiscard]] Ticket& ticket(std::uint32_t client) { return tickets_[client]; }
  void cancel(CheckoutId checkout) { step(pool::CheckoutCancelled{checkout}); }
  void tick() { step(pool::Tick{}); }
  /// False: the lease had ended before.
  bool end_lease(LeaseId lease, Worker& worker, bool clean);
  /// The holder looks no more.
  void let_go(Worker& worker);
  void close(Time deadline) { step(pool::CloseRequested{deadline}); }
  [[nodiscard]] bool closed() const { return closed_; }
  /// A signal from outside to a living worker's process. False: it is gone.
  bool signal(WorkerId worker, int signal);

  // ---- what its own threads do, one step at a time
  void go(std::uint32_t which);  ///< of Role::pool
  void greet(Worker& worker);
  void ended(Worker& worker);
  void watch(Worker& worker);
  void drain(Worker& worker);
  void offspring(Worker& worker);

  [[nodiscard]] Worker& worker(std::uint32_t number) { return *workers_[number]; }
  [[nodiscard]] const pool::Core& core() const { return *core_; }

  /// The pool is destroyed: whoever is left is killed and reaped.
  void end();
  /// Of now: children, zombies, our descriptors, and who survives of those left behind.
  [[nodiscard]] trace::OsRecord census(const char* when) const;

  /// What scenarios may wait for.
  [[nodiscard]] bool has_been(WorkerId worker, scenario::WorkerMoment moment) const;

 private:
  void step(const pool::Event& event);
  void deliver(const pool::Effect& effect);
  void note_moments(const pool::Event& event);
  [[nodiscard]] pool::Error explain(const pool::Refuse& refusal);
  void obey_next();
  void obey(const pool::Effect& order);
  void spawn_next();
  void spawn_in_a_moment();
  void fail_to_spawn(const faults::PlannedFault& fault);
  void begin_greeting(const pool::Handshake& order);
  void finish_greeting(Worker& worker);
  void handshake_ended(Worker& worker, const pool::StartEvidence& evidence);
  void stop(Worker& worker, pool::StopStep step);
  void ask_shutdown(Worker& worker);
  void watch_later(Worker& worker);
  /// No worker is there, nor what it left behind.
  [[nodiscard]] bool all_free() const {
    return free_workers_.size() == workers_.size() && !forgot_a_process_;
  }
  Worker& fresh_worker();
  void release(Worker& worker);
  [[nodiscard]] Worker* find(WorkerId id);
  [[nodiscard]] bool idle_now(WorkerId id) const;
  [[nodiscard]] faults::BrainConfig brain_of(WorkerId id) const;

  Machine& machine_;
  const scenario::Scenario* scenario_ = nullptr;
  std::optional<pool::Core> core_;
  std::vector<pool::Effect> effects_;
  std::vector<pool::Effect> orders_;
  std::size_t next_order_ = 0;  ///< of orders_; those before it have been obeyed
  std::uint32_t obeyed_ = 0;    ///< so many orders there were before that
  std::deque<WorkerId> to_start_;
  std::vector<Ticket> tickets_;          ///< by client
  std::vector<std::uint32_t> asked_by_;  ///< clients, in the order of their checkouts
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::uint32_t> free_workers_;
  bool forgot_a_process_ = false;  ///< a pool that is not sound may: it is there all the same
  std::vector<std::vector<Worker*>> in_slot_;  ///< not forgotten, by slot
  bool closed_ = false;
  WorkerId last_failed_;
  std::string last_failed_tail_;
  bool moments_matter_ = false;
  std::set<std::pair<WorkerId, scenario::WorkerMoment>> moments_;
  std::set<std::pair<LeaseId, WorkerId>> holders_;
};

}  // namespace poolproof::sim
