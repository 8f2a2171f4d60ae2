#include <algorithm>

#include <nlohmann/json.hpp>

#include "harness/scenario/generate.hpp"
#include "harness/scenario/generate_parts.hpp"

/// The time after the storm for a pool that lives on: a day on which a client comes now and then,
/// and workers are recycled for every reason.
namespace poolproof::scenario {
namespace {

/// One in this many scenarios gets such a day: a day costs the time of many short scenarios.
constexpr std::uint32_t kOneIn = 400;
/// How long the visits go on. What is left of the day's 24 hours is for clients that still wait.
constexpr Duration kDay = 20h;
constexpr Duration kPatience = 60s;
/// What a pool does by itself all day must not come more often than this.
constexpr Duration kRarely = 20min;

constexpr std::array<Weighted<Duration>, 3> kPauses{{{1h, 3}, {30min, 2}, {2h, 2}}};
constexpr std::array<Weighted<Duration>, 4> kLifetimes{{{1h, 3}, {5h, 2}, {kRarely, 1}, {0h, 2}}};
constexpr std::array<Weighted<Duration>, 4> kIdleTimeouts{
    {{10min, 3}, {1h, 2}, {90min, 1}, {0min, 3}}};
constexpr std::array<Weighted<std::uint32_t>, 3> kMaxCalls{{{0, 2}, {5, 2}, {1, 1}}};
constexpr std::array<Weighted<Duration>, 3> kPingIntervals{{{0min, 3}, {kRarely, 1}, {1h, 1}}};

/// Slows down what the pool does by itself: nothing of it may come every second for a day.
void slow_down(Choices& choices, PoolSpec& pool) {
  pool::Config& core = pool.core;
  core.max_lifetime = pick(choices, kLifetimes);
  core.idle_timeout = pick(choices, kIdleTimeouts);
  core.max_calls = pick(choices, kMaxCalls);
  const Duration pinged = pick(choices, kPingIntervals);
  if (pool.pings()) core.idle_ping_interval = pinged;
  core.rss_interval = kRarely;
  core.backoff_max = core.breaker_open = kRarely;
  if (core.session_idle_timeout > Duration::zero()) core.session_idle_timeout = kRarely;
}

/// A client that comes back all day.
Client visitor(Choices& choices, const Scenario& scenario) {
  Client client;
  client.name = "day";
  client.count = 1 + choices.below(2);
  const Duration pause = pick(choices, kPauses);
  client.repeat = static_cast<std::uint32_t>(kDay / pause);
  SessionSpec session;
  if (choices.one_in(3)) session = {"day", pool::Affinity::prefer};
  client.steps.emplace_back(Pause{pause});
  client.steps.emplace_back(Checkout{kPatience, session});
  if (scenario.pool.opaque) {
    client.steps.emplace_back(CallBytes{"day", kPatience});
  } else {
    client.steps.emplace_back(Call{"echo", no_args(), kPatience, 0});
  }
  client.steps.emplace_back(Checkin{});
  return client;
}

/// A client that renews or suspends the pool a few times a day. It repeats its steps, because the
/// calm waits for a repeated client by `after`, which has no time limit; an `await` has one.
Client keeper(Choices& choices) {
  Client client;
  client.name = "keeper";
  client.repeat = 2 + choices.below(3);
  client.steps.emplace_back(Pause{kDay / client.repeat});
  if (choices.one_in(2)) client.steps.emplace_back(Renew{});
  if (choices.one_in(2)) {
    client.steps.emplace_back(Suspend{});
    client.steps.emplace_back(Pause{1s});
    client.steps.emplace_back(Resume{});
  }
  return client;
}

}  // namespace

void generate_life(Choices& choices, Scenario& scenario) {
  if (!choices.one_in(kOneIn)) return;
  if (any_step(scenario, [](const Step& step) { return std::holds_alternative<Close>(step); })) {
    return;
  }
  slow_down(choices, scenario.pool);
  scenario.clients.push_back(visitor(choices, scenario));
  scenario.clients.push_back(keeper(choices));
  scenario.worlds = {WorldKind::sim};
  scenario.tags.emplace_back(kLongLived);
}

}  // namespace poolproof::scenario
