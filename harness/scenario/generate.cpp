#include "harness/scenario/generate.hpp"

#include <algorithm>

#include "harness/scenario/generate_parts.hpp"

namespace poolproof::scenario {
namespace {

constexpr Duration kCalmTimeout = 60s;
/// The longest pause of the calm before it asks for workers.
constexpr Duration kCalmPauseMax = 6s;
/// A start-up budget below this may be spent without any fault.
constexpr Duration kHastyBudget = 50ms;

template <class Kind>
bool has_step(const Scenario& scenario) {
  return any_step(scenario, [](const Step& step) { return std::holds_alternative<Kind>(step); });
}

bool is_plain(const Step& step) {
  return std::holds_alternative<Checkout>(step) || std::holds_alternative<Call>(step) ||
         std::holds_alternative<CallBytes>(step) || std::holds_alternative<Checkin>(step);
}

/// Whether anything in the scenario can do harm that the calm after it would bring to light.
bool is_storm(const Scenario& scenario) {
  if (!scenario.faults.empty() || scenario.clients.size() > 1) return true;
  const Client& only = scenario.clients.front();
  return only.count > 1 || !std::ranges::all_of(only.steps, is_plain);
}

/// Whether starts may fail so often that the breaker opens.
bool may_open_breaker(const Scenario& scenario) {
  if (scenario.pool.core.breaker_failures == 0) return false;
  if (scenario.pool.core.startup_budget < kHastyBudget || has_step<SignalWorker>(scenario)) {
    return true;
  }
  return std::ranges::any_of(scenario.faults, [](const faults::PlannedFault& planned) {
    return planned.at.client.empty() && planned.at.request.value_or(0) == 0;
  });
}

/// How long the calm waits for an open breaker and for cooling slots, which hold starts back: a
/// client that came earlier would be refused, and that shows nothing.
Duration calm_pause(const pool::Config& config) {
  const Duration cooling = std::min(config.backoff_max, config.backoff_initial * 4);
  return std::min(kCalmPauseMax, std::max(config.breaker_open, cooling));
}

/// The calm: clients that wait for the end of all others and then need every slot at once.
Client calm_after(const Scenario& scenario) {
  Client calm;
  calm.name = "calm";
  calm.count = scenario.pool.core.size;
  calm.steps.reserve(8);
  for (const Client& client : scenario.clients) {
    const auto last = static_cast<std::uint32_t>(client.steps.size() - 1);
    if (client.repeat > 1) calm.after = client.name;
    for (std::uint32_t i = 1; i <= client.count; ++i) {
      if (client.repeat > 1) continue;
      calm.steps.emplace_back(AwaitClient{single_name(client, i), last, true});
    }
  }
  if (may_open_breaker(scenario)) {
    calm.steps.emplace_back(Pause{calm_pause(scenario.pool.core)});
  }
  calm.steps.emplace_back(Checkout{kCalmTimeout});
  if (scenario.pool.opaque) {
    calm.steps.emplace_back(CallBytes{"calm", kCalmTimeout});
  } else {
    calm.steps.emplace_back(Call{"echo", no_args(), kCalmTimeout, 0});
  }
  calm.steps.emplace_back(Checkin{});
  return calm;
}

// ---- the features -------------------------------------------------------------------------------

/// How many features a storm has. Nearly half of all have none: they show what nobody thought of.
constexpr std::array<Weighted<std::uint32_t>, 4> kCounts{{{0, 8}, {1, 6}, {2, 5}, {3, 3}}};
/// How likely each feature is. Large frames are rare: they cost ten times the work of all else.
constexpr std::array<Weighted<Feature>, kFeatures> kChances{{{Feature::deaf_workers, 13},
                                                             {Feature::open_breaker, 7},
                                                             {Feature::closing, 6},
                                                             {Feature::queueing, 5},
                                                             {Feature::slow_starts, 5},
                                                             {Feature::tight_start_budgets, 3},
                                                             {Feature::signals, 4},
                                                             {Feature::farewells, 3},
                                                             {Feature::idle_moments, 5},
                                                             {Feature::tight_deadlines, 5},
                                                             {Feature::bare_bytes, 3},
                                                             {Feature::sessions, 9},
                                                             {Feature::large_frames, 1},
                                                             {Feature::recycling, 7}}};

/// Two features of which the one brings the other along.
struct Pair {
  Feature feature;
  Feature with;
  std::uint32_t one_in;
};
constexpr std::array kPairs{
    Pair{Feature::bare_bytes, Feature::closing, 3},
    Pair{Feature::bare_bytes, Feature::deaf_workers, 3},
    Pair{Feature::bare_bytes, Feature::open_breaker, 2},
    Pair{Feature::bare_bytes, Feature::tight_start_budgets, 2},
    Pair{Feature::farewells, Feature::deaf_workers, 2},
    Pair{Feature::farewells, Feature::closing, 3},
    Pair{Feature::farewells, Feature::open_breaker, 3},
    Pair{Feature::deaf_workers, Feature::open_breaker, 3},
    Pair{Feature::sessions, Feature::queueing, 3},
    Pair{Feature::recycling, Feature::deaf_workers, 3},
    Pair{Feature::recycling, Feature::queueing, 3},
};

}  // namespace

Features generate_features(Choices& choices) {
  Features features;
  const std::uint32_t count = pick(choices, kCounts);
  for (std::uint32_t i = 0; i < count; ++i) features.add(pick(choices, kChances));
  // These pairs of features are too rare to be met together by chance.
  for (const Pair& pair : kPairs) {
    if (features.has(pair.feature) && choices.one_in(pair.one_in)) features.add(pair.with);
  }
  return features;
}

Scenario generate(ChoiceBook& choices) {
  Scenario scenario;
  scenario.name = "generated";
  scenario.why = "whatever storm goes over a pool, no promise breaks, and afterwards it serves";
  scenario.tags.emplace_back("generated");
  scenario.workers.emplace_back();
  scenario.expect.any_success = true;

  const Features features = generate_features(choices.stream("themes"));
  Choices& of_pool = choices.stream("pool");
  scenario.pool = generate_pool(of_pool, features);
  scenario.seed = of_pool.below(UINT32_MAX);
  scenario.pool.core.seed = scenario.seed;
  generate_clients(choices, features, scenario);
  scenario.faults = generate_faults(choices.stream("faults"), features, scenario);
  generate_life(choices.stream("life"), scenario);
  if (is_storm(scenario) && !has_step<Close>(scenario)) {
    scenario.clients.push_back(calm_after(scenario));
  }
  return scenario;
}

}  // namespace poolproof::scenario
