#include "harness/sim/pool.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <utility>

#include <fmt/format.h>

#include "fake_workers/launch.hpp"
#include "harness/base/assert.hpp"
#include "harness/pool/explain.hpp"

namespace poolproof::sim {
namespace {

using namespace std::chrono_literals;
using scenario::WorkerMoment;

// As the host's caretaker has them.
constexpr Duration kIdleBeforeWatch = 20ms;
constexpr Duration kSuspicion = 250ms;
constexpr std::size_t kStderrTailBytes = 4096;

constexpr std::uint32_t kAnswered = UINT32_MAX;  ///< instead of the client who asked

constexpr std::uint32_t kObey = 0;
constexpr std::uint32_t kTick = 1;
constexpr std::uint32_t kSpawn = 2;

}  // namespace

void Pool::begin(const scenario::Scenario& scenario, std::uint64_t seed, std::uint32_t clients) {
  scenario_ = &scenario;
  pool::Config config = scenario.pool.core;
  config.seed = seed;
  core_.emplace(config);
  orders_.clear();
  next_order_ = 0;
  obeyed_ = 0;
  to_start_.clear();
  tickets_.assign(clients, {});
  asked_by_.clear();
  for (auto& slot : in_slot_) slot.clear();
  if (!all_free()) {
    for (const auto& worker : workers_) {
      worker->close_all();  // a run that was broken off has left them open
      worker->process().clear();
    }
  }
  forgot_a_process_ = false;
  in_slot_.resize(config.size);
  free_workers_.clear();
  for (std::size_t i = workers_.size(); i > 0; --i) {
    free_workers_.push_back(static_cast<std::uint32_t>(i - 1));
  }
  closed_ = false;
  last_failed_ = {};
  last_failed_tail_.clear();
  moments_.clear();
  holders_.clear();
  moments_matter_ = std::any_of(
      scenario.clients.begin(), scenario.clients.end(), [](const scenario::Client& client) {
        return std::any_of(client.steps.begin(), client.steps.end(), [](const auto& one) {
          return std::holds_alternative<scenario::AwaitWorker>(one);
        });
      });
  machine_.agenda.set_time(task_of(Role::pool, kTick), core_->next_deadline());
}

// ---- clients -----------------------------------------------------------------------------------

void Pool::ask(std::uint32_t client, Duration timeout) {
  Ticket& ticket = tickets_[client];
  ticket.done = false;
  ticket.lease = LeaseId::none;
  asked_by_.push_back(client);
  ticket.checkout = CheckoutId{asked_by_.size()};
  step(pool::CheckoutRequested{ticket.checkout, after(machine_.now, timeout)});
}

bool Pool::end_lease(LeaseId lease, Worker& worker, bool clean) {
  const auto ignored = core_->counters().ignored;
  step(pool::CheckedIn{lease, clean});
  if (core_->counters().ignored != ignored) return false;
  if (clean) watch_later(worker);
  return true;
}

void Pool::let_go(Worker& worker) {
  POOLPROOF_ASSERT(worker.holders > 0);
  machine_.writes(Shared::kept, worker.number());
  --worker.holders;
  if (worker.forgotten) release(worker);
}

bool Pool::signal(WorkerId id, int signal) {
  Worker* const found = find(id);
  if (found != nullptr) machine_.reads(Shared::state, found->number());
  if (found == nullptr || found->reaped) return false;
  found->process().signal(signal);
  found->look();
  return true;
}

// ---- its own threads ---------------------------------------------------------------------------

void Pool::go(std::uint32_t which) {
  switch (which) {
    case kObey:
      return obey_next();
    case kTick:
      machine_.reads(Shared::core);
      if (core_->next_deadline() <= machine_.now) tick();
      return;
    default:
      return spawn_next();
  }
}

void Pool::obey_next() {
  if (next_order_ == orders_.size()) return;
  machine_.reads(Shared::order, obeyed_++);
  const pool::Effect order = orders_[next_order_++];
  if (next_order_ < orders_.size()) machine_.agenda.set_ready(task_of(Role::pool, kObey), true);
  // Mostly all have been obeyed; where there is always one more they must not pile up.
  if (next_order_ > orders_.size() / 2) {
    orders_.erase(orders_.begin(), orders_.begin() + static_cast<std::ptrdiff_t>(next_order_));
    next_order_ = 0;
  }
  obey(order);
}

void Pool::obey(const pool::Effect& order) {
  if (const auto* start = std::get_if<pool::Start>(&order)) {
    machine_.writes(Shared::starts);
    to_start_.push_back(start->worker);
    if (to_start_.size() == 1) spawn_in_a_moment();
    return;
  }
  if (const auto* handshake = std::get_if<pool::Handshake>(&order)) {
    return begin_greeting(*handshake);
  }
  if (const auto* stopping = std::get_if<pool::Stop>(&order)) {
    if (Worker* worker = find(stopping->worker)) stop(*worker, stopping->step);
  } else if (const auto* forget = std::get_if<pool::Forget>(&order)) {
    Worker* worker = find(forget->worker);
    if (worker == nullptr) return;
    machine_.writes(Shared::places);
    machine_.writes(Shared::kept, worker->number());
    std::erase(in_slot_[forget->worker.slot], worker);
    worker->forgotten = true;
    release(*worker);
  }
}

/// A start takes a moment, one after the other.
void Pool::spawn_in_a_moment() {
  constexpr std::array<Duration, 3> kStartTimes{1ms, 0ms, 3ms};
  const auto span = kStartTimes[machine_.schedule->below(kStartTimes.size())];
  machine_.agenda.set_time(task_of(Role::pool, kSpawn), after(machine_.now, span));
}

void Pool::spawn_next() {
  if (to_start_.empty()) return;
  for (const auto what : {Shared::starts, Shared::places, Shared::pids}) machine_.writes(what);
  const WorkerId id = to_start_.front();
  const faults::PlannedFault* const fault = faults::launch_fault(scenario_->faults, id);
  if (fault != nullptr) return fail_to_spawn(*fault);
  Worker& worker = fresh_worker();
  worker.start(brain_of(id));
  in_slot_[id.slot].push_back(&worker);
  to_start_.pop_front();
  step(pool::Started{id});
  worker.look();
  if (!to_start_.empty()) spawn_in_a_moment();
}

/// No process, no pipes: all that there is of it is the fault's receipt and what exec says.
void Pool::fail_to_spawn(const faults::PlannedFault& fault) {
  const WorkerId id = to_start_.front();
  to_start_.pop_front();
  machine_.writes(Shared::journal);
  machine_.trace.workers.push_back({machine_.now, id, 0, faults::launch_receipt(fault)});
  step(pool::StartFailed{id, faults::errno_of(fault)});
  if (!to_start_.empty()) spawn_in_a_moment();
}

void Pool::begin_greeting(const pool::Handshake& order) {
  Worker* const worker = find(order.worker);
  if (worker != nullptr) machine_.reads(Shared::state, worker->number());
  if (worker == nullptr || worker->reaped) return;
  machine_.writes(Shared::kept, worker->number());
  const auto& spec = scenario_->pool;
  // Bytes that are nobody's business have no ping: such a worker is good once it runs.
  if (spec.opaque) return handshake_ended(*worker, {});
  auto frame = machine_.messages.ping(order.worker);
  POOLPROOF_ASSERT(frame.has_value());
  const auto ping_bytes = static_cast<std::uint32_t>(frame->size());
  worker->greeting.emplace(
      *worker, spec.framing, std::move(*frame), order.deadline, spec.core.postmortem_budget,
      [worker] { worker->close_stdin(); }, pool::Greeting::Tap{}, machine_.messages.codec());
  worker->greeting->exchange(machine_.now);
  if (!worker->greeting->wants_to_write()) worker->ping_bytes = ping_bytes;
  finish_greeting(*worker);
  worker->look();
}

void Pool::greet(Worker& worker) {
  machine_.writes(Shared::kept, worker.number());
  if (!worker.greeting) return;
  worker.greeting->exchange(machine_.now);
  worker.greeting->tick(machine_.now);
  finish_greeting(worker);
  worker.look();
}

void Pool::finish_greeting(Worker& worker) {
  if (!worker.greeting || !worker.greeting->evidence()) return;
  const pool::StartEvidence evidence = *worker.greeting->evidence();
  worker.greeting.reset();
  if (evidence.cause != StartCause::none) worker.drain_stderr(kStderrTailBytes);
  handshake_ended(worker, evidence);
}

void Pool::handshake_ended(Worker& worker, const pool::StartEvidence& evidence) {
  if (evidence.cause != StartCause::none) {
    last_failed_ = worker.id();
    last_failed_tail_ = worker.stderr_tail();
  }
  step(pool::HandshakeEnded{worker.id(), evidence});
  if (evidence.cause == StartCause::none) watch_later(worker);
}

void Pool::stop(Worker& worker, pool::StopStep step) {
  if (step == pool::StopStep::ask) return ask_shutdown(worker);
  if (step == pool::StopStep::end_of_input) {
    worker.close_stdin();
    return worker.look();
  }
  machine_.reads(Shared::state, worker.number());
  // Once it is reaped, its group's number may belong to strangers.
  if (worker.reaped) return;
  worker.process().signal_group(step == pool::StopStep::kill ? SIGKILL : SIGTERM);
  worker.look();
}

/// A polite request, if its stdin takes the whole of it; the ladder's next rung comes by itself.
void Pool::ask_shutdown(Worker& worker) {
  machine_.reads(Shared::kept, worker.number());
  if (scenario_->pool.opaque) {
    worker.close_stdin();
  } else {
    const auto frame = machine_.messages.shutdown(worker.id(), worker.next_request);
    if (frame && worker.stdin_open()) (void)worker.write(*frame);
  }
  worker.look();
}

/// Take what it left, kill its group while the leader's number is still its own, then reap. Whoever
/// waits for that may go on before the Core is told.
void Pool::ended(Worker& worker) {
  machine_.writes(Shared::kept, worker.number());
  machine_.reads(Shared::state, worker.number());
  if (worker.reaped && !std::exchange(worker.end_told, true)) {
    step(pool::Exited{worker.id(), worker.process().exit()});
    return worker.look();
  }
  if (worker.reaped || worker.process().state() != Process::State::ended) return;
  worker.drain_stderr(kStderrTailBytes);
  if (worker.greeting) {
    worker.greeting->process_ended(worker.process().exit(), machine_.now);
    finish_greeting(worker);
  }
  worker.process().signal_group(SIGKILL);
  worker.process().reap();
  worker.reaped = true;
  worker.watched = false;
  worker.watch_at = worker.suspect_at = kNever;
  worker.look();
}

void Pool::watch_later(Worker& worker) {
  machine_.writes(Shared::kept, worker.number());
  if (worker.watch_at == kNever) worker.watch_at = after(machine_.now, kIdleBeforeWatch);
  worker.look();
}

/// An idle worker's stdout is readable, or at its end. The notice may be about a call that is long
/// over.
void Pool::watch(Worker& worker) {
  machine_.writes(Shared::kept, worker.number());
  machine_.reads(Shared::state, worker.number());
  machine_.reads(Shared::out, worker.number());
  const std::size_t unread = worker.pipes().out.unread();
  if (worker.suspect_at <= machine_.now) {
    worker.suspect_at = kNever;
    const bool at_end = unread == 0 && !worker.pipes().out.has_writer();
    if (!worker.reaped && at_end && idle_now(worker.id())) step(pool::OutputStrayed{worker.id()});
  } else if (worker.watch_at <= machine_.now) {
    worker.watch_at = kNever;
    if (!worker.reaped && idle_now(worker.id())) worker.watched = true;
  } else if (worker.watched && !worker.reaped && worker.pipes().out.readable()) {
    worker.watched = false;
    if (unread == 0) {
      worker.suspect_at = after(machine_.now, kSuspicion);
    } else if (idle_now(worker.id())) {
      step(pool::OutputStrayed{worker.id()});
    }
  }
  worker.look();
}

void Pool::drain(Worker& worker) {
  worker.drain_stderr(kStderrTailBytes);
  worker.look();
}

void Pool::offspring(Worker& worker) {
  machine_.writes(Shared::kept, worker.number());
  worker.process().end_offspring();
  worker.look();
  if (worker.forgotten) release(worker);
}

// ---- the Core ----------------------------------------------------------------------------------

void Pool::step(const pool::Event& event) {
  machine_.writes(Shared::core);
  effects_.clear();
  core_->step(machine_.now, event, effects_);
  ++machine_.core_events;
  trace::PoolRecord& record = machine_.trace.pool.emplace_back();
  record.at = machine_.now;
  record.event = event;
  record.effects.assign(effects_.begin(), effects_.end());
  if (moments_matter_) note_moments(event);
  for (const auto& effect : effects_) deliver(effect);
  machine_.agenda.set_time(task_of(Role::pool, kTick), core_->next_deadline());
}

void Pool::deliver(const pool::Effect& effect) {
  const auto answer = [this](CheckoutId checkout) -> Ticket& {
    const auto place = static_cast<std::size_t>(checkout) - 1;
    POOLPROOF_ASSERT(place < asked_by_.size() && asked_by_[place] != kAnswered);
    const std::uint32_t client = std::exchange(asked_by_[place], kAnswered);
    machine_.writes(Shared::ticket, client);
    tickets_[client].done = true;
    machine_.agenda.set_ready(task_of(Role::client, client), true);
    return tickets_[client];
  };
  if (const auto* granted = std::get_if<pool::Grant>(&effect)) {
    Ticket& ticket = answer(granted->checkout);
    ticket.lease = granted->lease;
    ticket.worker = find(granted->worker);
    POOLPROOF_ASSERT(ticket.worker != nullptr);
    machine_.writes(Shared::kept, ticket.worker->number());
    ++ticket.worker->holders;
  } else if (const auto* refused = std::get_if<pool::Refuse>(&effect)) {
    answer(refused->checkout).error = explain(*refused);
  } else if (std::holds_alternative<pool::Closed>(effect)) {
    machine_.writes(Shared::closed);
    closed_ = true;
  } else {
    const auto* stop = std::get_if<pool::Stop>(&effect);
    if (stop != nullptr && is_signal(stop->step)) {
      if (Worker* worker = find(stop->worker)) {
        machine_.writes(Shared::kept, worker->number());
        worker->told_to_go = stop->why;
      }
    }
    machine_.writes(Shared::order,
                    obeyed_ + static_cast<std::uint32_t>(orders_.size() - next_order_));
    orders_.push_back(effect);
    machine_.agenda.set_ready(task_of(Role::pool, kObey), true);
  }
}

pool::Error Pool::explain(const pool::Refuse& refusal) {
  pool::RefusalFacts facts;
  facts.now = machine_.now;
  facts.gauges = core_->gauges();
  if (refusal.cause_worker == last_failed_) facts.cause_stderr = last_failed_tail_;
  const Worker* blocker = refusal.has_blocker ? find(refusal.blocker) : nullptr;
  if (blocker != nullptr && refusal.phase == Phase::handshake) {
    machine_.reads(Shared::kept, blocker->number());
    facts.blocker_pid = static_cast<int>(blocker->process().pid());
    facts.ping_bytes = blocker->ping_bytes;
    const auto unread = blocker->unread();
    if (facts.ping_bytes > 0 && unread) facts.unread_bytes = static_cast<std::uint32_t>(*unread);
  }
  return pool::explain_refusal(refusal, core_->config(), facts);
}

void Pool::note_moments(const pool::Event& event) {
  machine_.writes(Shared::moments);
  if (const auto* started = std::get_if<pool::Started>(&event)) {
    moments_.emplace(started->worker, WorkerMoment::started);
  } else if (const auto* greeted = std::get_if<pool::HandshakeEnded>(&event)) {
    if (greeted->evidence.cause == StartCause::none) {
      moments_.emplace(greeted->worker, WorkerMoment::ready);
      moments_.emplace(greeted->worker, WorkerMoment::idle);
    }
  } else if (const auto* exited = std::get_if<pool::Exited>(&event)) {
    moments_.emplace(exited->worker, WorkerMoment::exited);
  } else if (const auto* returned = std::get_if<pool::CheckedIn>(&event)) {
    for (const auto& [lease, worker] : holders_) {
      if (lease == returned->lease && returned->clean) moments_.emplace(worker, WorkerMoment::idle);
    }
  }
  for (const auto& effect : effects_) {
    const auto* granted = std::get_if<pool::Grant>(&effect);
    if (granted == nullptr) continue;
    holders_.emplace(granted->lease, granted->worker);
    moments_.erase({granted->worker, WorkerMoment::idle});
  }
}

bool Pool::has_been(WorkerId worker, WorkerMoment moment) const {
  return moments_.contains({worker, moment});
}

// ---- workers -----------------------------------------------------------------------------------

faults::BrainConfig Pool::brain_of(WorkerId id) const {
  faults::BrainConfig config;
  config.self = id;
  config.framing = scenario_->pool.framing;
  config.plan = scenario_->faults;
  config.worker_id = name_of(id);
  config.timestamp.assign(1, '0');
  config.codec = machine_.messages.codec();
  return config;
}

Worker& Pool::fresh_worker() {
  if (free_workers_.empty()) {
    const auto number = static_cast<std::uint32_t>(workers_.size());
    workers_.push_back(std::make_unique<Worker>(machine_, number));
    return *workers_.back();
  }
  const std::uint32_t number = free_workers_.back();
  free_workers_.pop_back();
  return *workers_[number];
}

/// Once nobody looks at it any more: our ends are closed, and its place serves another one.
void Pool::release(Worker& worker) {
  machine_.writes(Shared::kept, worker.number());
  if (worker.holders > 0) return;
  machine_.writes(Shared::places);
  worker.close_all();
  worker.drop_tasks();
  if (!worker.process().offspring().empty()) return;
  machine_.agenda.drop(task_of(Role::offspring, worker.number()));
  if (worker.process().state() != Process::State::none) forgot_a_process_ = true;
  free_workers_.push_back(worker.number());
}

Worker* Pool::find(WorkerId id) {
  machine_.reads(Shared::places);
  if (id.slot >= in_slot_.size()) return nullptr;
  for (Worker* worker : in_slot_[id.slot]) {
    if (worker->id() == id) return worker;
  }
  return nullptr;
}

bool Pool::idle_now(WorkerId id) const {
  machine_.reads(Shared::core);
  return core_->current(id.slot) == id && core_->state(id.slot) == pool::SlotState::idle;
}

// ---- what the system shows ---------------------------------------------------------------------

void Pool::end() {
  for (auto& slot : in_slot_) {
    for (Worker* worker : slot) {
      worker->close_all();
      worker->drop_tasks();
      if (worker->reaped) continue;
      worker->process().signal_group(SIGKILL);
      worker->process().reap();
      worker->reaped = true;
    }
    slot.clear();
  }
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
    for (const std::int64_t pid : worker->process().offspring()) {
      record.survivors.push_back(fmt::format("pid {} (grandchild)", pid));
    }
  }
  return record;
}

}  // namespace poolproof::sim
