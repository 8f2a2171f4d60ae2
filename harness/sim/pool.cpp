#include "harness/sim/pool.hpp"

#include <algorithm>
#include <array>
#include <csignal>

#include <fmt/format.h>

#include "fake_workers/launch.hpp"
#include "harness/base/assert.hpp"

namespace poolproof::sim {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t kObey = 0;
constexpr std::uint32_t kTick = 1;
constexpr std::uint32_t kSpawn = 2;

Worker& own(pool::Worker& worker) {
  return static_cast<Worker&>(worker);
}

/// Whether a client of the scenario waits for a moment of a worker.
bool awaits_moments(const scenario::Scenario& scenario) {
  return std::any_of(
      scenario.clients.begin(), scenario.clients.end(), [](const scenario::Client& client) {
        return std::any_of(client.steps.begin(), client.steps.end(), [](const auto& one) {
          return std::holds_alternative<scenario::AwaitWorker>(one);
        });
      });
}

}  // namespace

/// The tickets and the dispatcher keep workers, which they must let go of before the workers are
/// gone.
Pool::~Pool() {
  tickets_.clear();
  dispatcher_.begin({});
}

void Pool::begin(const scenario::Scenario& scenario, std::uint64_t seed, std::uint32_t clients) {
  scenario_ = &scenario;
  for (auto& ticket : tickets_) ticket.worker.reset();
  pool::Config config = scenario.pool.core;
  config.seed = seed;
  const pool::WireOptions& wire = machine_.messages.wire();
  dispatcher_.begin(config, wire.row().greeting_name);
  loop_.begin(wire);
  to_start_.clear();
  tickets_.clear();
  for (std::uint32_t i = 0; i < clients; ++i) tickets_.emplace_back(machine_, i);
  if (!all_free()) {
    for (const auto& worker : workers_) {
      worker->close_all();  // a run that was broken off has left them open
      worker->process().clear();
    }
  }
  forgot_a_process_ = false;
  free_workers_.clear();
  for (std::size_t i = workers_.size(); i > 0; --i) {
    free_workers_.push_back(static_cast<std::uint32_t>(i - 1));
  }
  closed_ = false;
  milestones_.clear();
  moments_matter_ = awaits_moments(scenario);
  delivered();
}

// ---- clients -----------------------------------------------------------------------------------

void Ticket::answered() {
  machine->writes(Shared::ticket, client);
  machine->agenda.set_ready(task_of(Role::client, client), true);
}

void Pool::ask(std::uint32_t client, Duration timeout, const pool::SessionRequest& session) {
  dispatcher_.request(tickets_[client], timeout, session);
}

bool Pool::signal(WorkerId id, int signal) {
  auto* const found = dispatcher_.find(id);
  if (found != nullptr) machine_.reads(Shared::state, own(*found).number());
  if (found == nullptr || found->reaped) return false;
  own(*found).process().signal(signal);
  own(*found).look();
  return true;
}

// ---- its own threads ---------------------------------------------------------------------------

void Pool::go(std::uint32_t which) {
  switch (which) {
    case kObey:
      return obey_next();
    case kTick:
      machine_.reads(Shared::core);
      if (core().next_deadline() <= machine_.now) step(pool::Tick{});
      return;
    default:
      return spawn_next();
  }
}

void Pool::obey_next() {
  if (!dispatcher_.has_orders()) return;
  machine_.reads(Shared::order, dispatcher_.orders_taken());
  const pool::Effect order = dispatcher_.take_order();
  if (dispatcher_.has_orders()) machine_.agenda.set_ready(task_of(Role::pool, kObey), true);
  if (std::holds_alternative<pool::Forget>(order)) machine_.writes(Shared::places);
  loop_.obey(order);
}

void Pool::go_on(Role role, Worker& worker) {
  if (role != Role::text) machine_.writes(Shared::kept, worker.number());
  switch (role) {
    case Role::handshake:
      return loop_.advance_handshake(worker);
    case Role::end:
      machine_.reads(Shared::state, worker.number());
      // Whoever waits for the post-mortem may go on before the Core is told.
      if (worker.reaped) {
        loop_.tell_end(worker);
      } else {
        (void)loop_.reap_if_ended(worker);
      }
      return worker.look();
    case Role::watch:
      machine_.reads(Shared::state, worker.number());
      machine_.reads(Shared::out, worker.number());
      machine_.reads(Shared::core);
      return loop_.check_idle_worker(worker);
    case Role::text:
      return loop_.drain_stderr(worker);
    case Role::offspring:
      worker.process().end_offspring();
      worker.look();
      if (worker.forgotten) release(worker);
      return;
    default:
      return;
  }
}

/// Begins the next start. A start takes a moment, and they come one after the other.
void Pool::spawn_in_a_moment() {
  constexpr std::array<Duration, 3> kStartTimes{1ms, 0ms, 40ms};
  const auto span = kStartTimes[machine_.schedule->below(kStartTimes.size())];
  const Task spawn = task_of(Role::pool, kSpawn);
  // Time goes on only when no task can: a start that takes no time competes with all other tasks.
  if (span == Duration::zero()) return machine_.agenda.set_ready(spawn, true);
  machine_.agenda.set_time(spawn, after(machine_.now, span));
}

void Pool::spawn_next() {
  if (to_start_.empty()) return;
  for (const auto what : {Shared::starts, Shared::places, Shared::pids}) machine_.writes(what);
  const WorkerId id = to_start_.front();
  to_start_.pop_front();
  if (const auto* const fault = faults::launch_fault(scenario_->faults, id)) {
    // No process, no pipes: all that there is of it is the fault's receipt and what exec says.
    machine_.writes(Shared::journal);
    machine_.trace.workers.push_back({machine_.now, id, 0, faults::launch_receipt(*fault)});
    dispatcher_.start_failed(id, faults::errno_of(*fault), "");
  } else {
    auto worker = fresh_worker(id);
    dispatcher_.started(worker);
    own(*worker).look();
  }
  if (!to_start_.empty()) spawn_in_a_moment();
}

// ---- what the dispatcher asks for --------------------------------------------------------------

void Pool::stepped(Time now, const pool::Event& event, std::span<const pool::Effect> effects) {
  machine_.writes(Shared::core);
  ++machine_.core_events;
  trace::PoolRecord& record = machine_.trace.pool.emplace_back();
  record.at = now;
  record.event = event;
  record.effects.assign(effects.begin(), effects.end());
  if (!moments_matter_) return;
  machine_.writes(Shared::moments);
  milestones_.note(event, effects);
}

/// Sets the time of the next tick. One that is due already need not wait until no other task can go
/// on: an eager pool may start its workers before anybody asks.
void Pool::delivered() {
  constexpr Task kTickTask = task_of(Role::pool, kTick);
  const Time due = core().next_deadline();
  machine_.agenda.set_time(kTickTask, due);
  if (due <= machine_.now) machine_.agenda.set_ready(kTickTask, true);
}

void Pool::ordered() {
  machine_.writes(Shared::order, dispatcher_.orders_made() - 1);
  machine_.agenda.set_ready(task_of(Role::pool, kObey), true);
}

void Pool::became_idle(const pool::WorkerRef& worker) {
  machine_.writes(Shared::kept, own(*worker).number());
  loop_.watch_later(*worker);
}

void Pool::looked_up(const pool::Worker* worker) {
  machine_.reads(Shared::places);
  if (worker == nullptr) return;
  const auto number = static_cast<const Worker*>(worker)->number();
  machine_.writes(Shared::kept, number);
  machine_.reads(Shared::state, number);
}

void Pool::closed() {
  machine_.writes(Shared::closed);
  closed_ = true;
}

// ---- what the event loop asks for --------------------------------------------------------------

void Pool::start(WorkerId id) {
  machine_.writes(Shared::starts);
  to_start_.push_back(id);
  if (to_start_.size() == 1) spawn_in_a_moment();
}

void Pool::look(pool::Worker& worker) {
  own(worker).look();
}

// ---- workers -----------------------------------------------------------------------------------

faults::BrainConfig Pool::brain_of(WorkerId id) const {
  faults::BrainConfig config;
  config.self = id;
  config.framing = scenario_->pool.framing;
  config.plan = scenario_->faults;
  config.worker_id = pool::name_of(id);
  config.timestamp.assign(1, '0');
  config.codec = machine_.messages.wire().codec;
  config.speech = scenario_->pool.speech;
  return config;
}

/// A worker object for this incarnation; once nobody looks at it any more, it serves another one.
pool::WorkerRef Pool::fresh_worker(WorkerId id) {
  if (free_workers_.empty()) {
    free_workers_.push_back(static_cast<std::uint32_t>(workers_.size()));
    workers_.push_back(std::make_unique<Worker>(machine_, free_workers_.back()));
  }
  Worker& worker = *workers_[free_workers_.back()];
  free_workers_.pop_back();
  worker.start(brain_of(id));
  return {&worker, [this](pool::Worker* gone) { release(own(*gone)); }};
}

void Pool::release(Worker& worker) {
  worker.forgotten = true;
  machine_.writes(Shared::kept, worker.number());
  machine_.writes(Shared::places);
  worker.close_all();
  worker.drop_tasks();
  if (!worker.process().offspring().empty()) return;
  machine_.agenda.drop(task_of(Role::offspring, worker.number()));
  if (worker.process().state() != Process::State::none) forgot_a_process_ = true;
  free_workers_.push_back(worker.number());
}

// ---- what the system shows ---------------------------------------------------------------------

void Pool::end() {
  std::vector<pool::WorkerRef> left;
  dispatcher_.for_each_worker([&left](const auto& worker) { left.push_back(worker); });
  for (const auto& any : left) {
    Worker& worker = own(*any);
    worker.close_all();
    worker.drop_tasks();
    if (worker.reaped) continue;
    worker.signal_group(SIGKILL);
    (void)worker.reap();
    worker.reaped = true;
  }
  for (const auto& worker : left) dispatcher_.forget(worker->id());
}

trace::OsRecord Pool::census(const char* when) const {
  trace::OsRecord record;
  record.at = machine_.now;
  record.when = when;
  if (all_free()) return record;
  for (const auto& worker : workers_) {
    record.descriptors += worker->descriptors();
    const auto state = worker->process().state();
    if (state == Process::State::none) continue;
    ++record.children;
    if (state == Process::State::ended) ++record.zombies;
  }
  if (record.when != "after") return record;
  for (const auto& worker : workers_) {
    for (const auto& one : worker->process().offspring()) {
      record.survivors.push_back(fmt::format("pid {} (grandchild)", one.pid));
    }
  }
  return record;
}

}  // namespace poolproof::sim
