#include "harness/sim/world.hpp"

#include <algorithm>

#include "harness/base/assert.hpp"
#include "harness/scenario/client_name.hpp"

namespace poolproof::sim {
namespace {

using namespace std::chrono_literals;

constexpr Time kBeginning{1s};
constexpr std::int64_t kFirstPid = 1000;
/// The most virtual time of a run: one that has not come to its end by then never will.
constexpr Duration kLongest = std::chrono::hours(24);
/// After the last client everything must come to rest within that time, or there is no census
/// "quiescent".
constexpr Duration kQuiescenceLimit = 2min;
/// After the last client everything must come to rest within so many moves: a worker that never
/// starts is tried for ever.
constexpr std::uint64_t kQuiescenceMoves = 20'000;
/// The limit of moves after the last client for a pool that recycles by age, pings or measures:
/// such a pool never comes to rest.
constexpr std::uint64_t kRestlessMoves = 300;
bool is_restless(const pool::Config& config) {
  return config.max_lifetime > Duration::zero() || config.idle_ping_interval > Duration::zero() ||
         config.max_rss_bytes > 0;
}
/// So many moves while no time passes are a circle; spread over time they are only many.
constexpr std::uint64_t kMovesAtOnce = 50'000;

/// Terse messages are for the bridge's speech alone, and hold any bytes, which a line can't hold:
/// all else is JSON.
wire::Codec codec_of(const scenario::PoolSpec& pool, wire::Codec asked) {
  const bool terse = pool.speech == wire::Speech::bridge && !pool.framing.by_lines();
  return terse ? asked : wire::Codec::json;
}

}  // namespace

bool World::can(const scenario::Scenario& scenario) {
  return std::ranges::none_of(scenario.workers, &scenario::WorkerSpec::is_real_program);
}

Carried World::carry_out(const scenario::Scenario& scenario, std::uint64_t seed, Schedule& schedule,
                         Limits limits, wire::Codec codec) {
  POOLPROOF_ASSERT(can(scenario));
  machine_.messages.begin({scenario.pool.framing, scenario.pool.opaque,
                           codec_of(scenario.pool, codec), scenario.pool.speech});
  moves_left_ = limits.moves;
  moves_now_ = 0;
  begin(scenario, seed, schedule);
  machine_.trace.os.push_back(pool_.census("before"));
  const auto all_done = [this] { return stage_.done >= stage_.clients.size(); };
  bool ended = run_until(after(kBeginning, kLongest), all_done);
  if (ended && !all_done()) stage_.trouble = "clients wait for each other and nothing happens";
  const std::uint64_t moves_left = moves_left_;
  moves_left_ =
      std::min(moves_left_, is_restless(scenario.pool.core) ? kRestlessMoves : kQuiescenceMoves);
  const bool rests =
      ended && run_until(after(machine_.now, kQuiescenceLimit), [] { return false; });
  moves_left_ = moves_left;
  if (rests && !pool_.core().gauges().closing && machine_.agenda.earliest() == kNever) {
    machine_.trace.os.push_back(pool_.census("quiescent"));
  }
  // The harness closes the pool once more, whoever closed it before, as the client without a name.
  closer_.steps.assign(1, scenario::Close{});
  const auto number = static_cast<std::uint32_t>(stage_.clients.size());
  Client& closer = client(number);
  closer.begin(closer_, "");
  ended = run_until(after(machine_.now, kLongest), [&closer] { return closer.done(); }) && ended;
  if (machine_.moves != nullptr) machine_.moves->footprint.writes_all();
  POOLPROOF_ASSERT(pool::adds_up(pool_.core().counters(), pool_.core().gauges()));
  pool_.end();
  ended = run_until(machine_.now, [] { return false; }) && ended;
  machine_.trace.os.push_back(pool_.census("after"));
  if (ended || moves_left_ > 0) return {false, stage_.trouble, machine_.core_events};
  const bool stuck = moves_now_ >= std::min(limits.moves / 2, kMovesAtOnce);
  if (!stuck && stage_.trouble.empty()) stage_.trouble = "no end within the limit of moves";
  return {stuck, stage_.trouble, machine_.core_events};
}

void World::begin(const scenario::Scenario& scenario, std::uint64_t seed, Schedule& schedule) {
  machine_.now = kBeginning;
  machine_.agenda.clear();
  machine_.schedule = &schedule;
  machine_.next_pid = kFirstPid;
  machine_.core_events = 0;
  machine_.moves = schedule.moves();
  if (machine_.moves != nullptr) machine_.moves->begin();
  trace::Trace& trace = machine_.trace;
  trace.header = {};
  trace.header.scenario = scenario.name;
  trace.header.world = "sim";
  trace.header.seed = seed;
  trace.clients.clear();
  trace.workers.clear();
  trace.os.clear();
  trace.environment.clear();
  trace.pool.clear();
  stage_.scenario = &scenario;
  stage_.clients.clear();
  stage_.awaiting.clear();
  stage_.done = 0;
  stage_.trouble.clear();
  told_ = 0;
  for (const auto& client : clients_) client->let_go();  // a run may have been broken off
  std::uint32_t count = 0;
  for (const auto& one : scenario.clients) count += one.count;
  pool_.begin(scenario, seed, count + 1);  // and the harness itself
  for (const auto& one : scenario.clients) {
    for (std::uint32_t i = 1; i <= one.count; ++i) {
      Client& begun = client(static_cast<std::uint32_t>(stage_.clients.size()));
      stage_.clients.push_back(&begun);
      begun.begin(one, scenario::single_name(one, i));
    }
  }
}

Client& World::client(std::uint32_t number) {
  while (number >= clients_.size()) {
    clients_.push_back(
        std::make_unique<Client>(stage_, static_cast<std::uint32_t>(clients_.size())));
  }
  return *clients_[number];
}

/// Lets tasks go on until `done`, or until none can go on before `limit`. False: the limit of moves
/// was reached, or that of time.
template <class Done>
bool World::run_until(Time limit, Done done) {
  while (!done()) {
    if (machine_.moves != nullptr) tell_moves();
    if (!machine_.agenda.anybody_ready()) {
      const Time next = machine_.agenda.earliest();
      if (next == kNever) return true;
      if (next > limit) return false;
      if (next > machine_.now) moves_now_ = 0;
      machine_.now = std::max(machine_.now, next);
      machine_.agenda.arrive(machine_.now);
      continue;
    }
    if (moves_left_ == 0) return false;
    --moves_left_;
    ++moves_now_;
    run(machine_.agenda.next(*machine_.schedule));
    if (!stage_.awaiting.empty()) tell_news();
  }
  return true;
}

void World::run(Task task) {
  const std::uint32_t number = number_of(task);
  switch (role_of(task)) {
    case Role::pool:
      return pool_.go(number);
    case Role::client:
      return clients_[number]->go();
    case Role::process:
      pool_.worker(number).process().go();
      return pool_.worker(number).look();
    default:
      return pool_.go_on(role_of(task), pool_.worker(number));
  }
}

/// Tells the Moves that one move is over, or that time has gone on.
void World::tell_moves() {
  Moves& moves = *machine_.moves;
  // A search that tries every order must be shown every task.
  POOLPROOF_ASSERT(!machine_.agenda.crowded());
  moves.move_ended();
  if (moves.broken_off()) moves_left_ = 0;
  if (!machine_.agenda.anybody_ready()) moves.rest();
  moves.in_vain.clear();
  for (const Client* client : stage_.awaiting) {
    const Task task = task_of(Role::client, client->number());
    if (client->waits_in_vain()) moves.in_vain.push_back(task);
  }
}

/// How often something has happened that a client may wait for.
std::uint64_t World::news() const {
  return machine_.core_events + machine_.trace.workers.size();
}

void World::tell_news() {
  if (told_ == news()) return;
  told_ = news();
  stage_.wake_awaiting();
}

Expected<trace::Trace, std::string> simulate(const scenario::Scenario& scenario, Limits limits) {
  if (!World::can(scenario)) {
    return unexpected(
        std::string("a worker of kind \"command\" or \"wrapped\" can't be simulated"));
  }
  World world;
  auto schedule =
      scenario.schedule ? Schedule::replayed(*scenario.schedule) : Schedule::random(scenario.seed);
  const Carried carried = world.carry_out(scenario, scenario.seed, schedule, limits);
  trace::Trace trace = world.trace();
  trace.header.trouble = carried.trouble;
  trace.header.endless = carried.overran;
  return trace;
}

}  // namespace poolproof::sim
