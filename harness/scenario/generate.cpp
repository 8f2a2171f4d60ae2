#include "harness/scenario/generate.hpp"

#include <algorithm>
#include <memory>

#include <nlohmann/json.hpp>

#include "harness/scenario/generate_parts.hpp"

namespace poolproof::scenario {
namespace {

constexpr Duration kCalmTimeout = 60s;

template <class Kind>
bool any_step(const Scenario& scenario) {
  return std::any_of(scenario.clients.begin(), scenario.clients.end(), [](const Client& client) {
    return std::any_of(client.steps.begin(), client.steps.end(),
                       [](const Step& step) { return std::holds_alternative<Kind>(step); });
  });
}

bool is_plain(const Step& step) {
  return std::holds_alternative<Checkout>(step) || std::holds_alternative<Call>(step) ||
         std::holds_alternative<Checkin>(step);
}

/// Whether anything in it can do harm that a calm would bring to light.
bool is_storm(const Scenario& scenario) {
  if (!scenario.faults.empty() || scenario.clients.size() > 1) return true;
  const Client& only = scenario.clients.front();
  return only.count > 1 || !std::all_of(only.steps.begin(), only.steps.end(), is_plain);
}

/// Waits for the end of all the others and then needs every slot at once.
Client calm_after(const Scenario& scenario) {
  static const auto no_args = std::make_shared<const nlohmann::json>(nlohmann::json::object());
  Client calm;
  calm.name = "calm";
  calm.count = scenario.pool.core.size;
  calm.steps.reserve(8);
  for (const Client& client : scenario.clients) {
    const auto last = static_cast<std::uint32_t>(client.steps.size() - 1);
    if (client.repeat > 1) calm.after = client.name;
    for (std::uint32_t i = 1; i <= client.count; ++i) {
      std::string name = client.name;
      if (client.count > 1) name += "." + std::to_string(i);
      if (client.repeat == 1) calm.steps.emplace_back(AwaitClient{std::move(name), last, true});
    }
  }
  calm.steps.emplace_back(Checkout{kCalmTimeout});
  calm.steps.emplace_back(Call{"echo", no_args, kCalmTimeout, 0});
  calm.steps.emplace_back(Checkin{});
  return calm;
}

}  // namespace

Scenario generate(ChoiceBook& choices) {
  Scenario scenario;
  scenario.name = "generated";
  scenario.why = "whatever storm goes over a pool, no promise breaks, and afterwards it serves";
  scenario.tags.emplace_back("generated");
  scenario.workers.emplace_back();
  scenario.expect.any_success = true;

  Choices& of_pool = choices.stream("pool");
  scenario.pool = generate_pool(of_pool);
  scenario.seed = of_pool.below(UINT32_MAX);
  scenario.pool.core.seed = scenario.seed;
  generate_clients(choices, scenario);
  scenario.faults = generate_faults(choices.stream("faults"), scenario);
  if (is_storm(scenario) && !any_step<Close>(scenario)) {
    scenario.clients.push_back(calm_after(scenario));
  }
  return scenario;
}

}  // namespace poolproof::scenario
