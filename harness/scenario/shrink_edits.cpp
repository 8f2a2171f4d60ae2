#include "harness/scenario/shrink_edits.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "harness/scenario/client_name.hpp"
#include "harness/scenario/scenario_json.hpp"

namespace poolproof::scenario {
namespace {

/// Visits every place where a scenario names a client.
template <class Visit>
void for_each_name(Scenario& scenario, Visit visit) {
  for (Client& client : scenario.clients) {
    if (!client.after.empty()) visit(client.after);
    for (Step& step : client.steps) {
      if (auto* await = std::get_if<AwaitClient>(&step)) visit(await->client);
      if (auto* cancel = std::get_if<Cancel>(&step)) visit(cancel->client);
    }
  }
  for (auto& fault : scenario.faults) {
    if (!fault.at.client.empty()) visit(fault.at.client);
  }
}

void number_faults(Scenario& scenario) {
  for (std::size_t i = 0; i < scenario.faults.size(); ++i) {
    scenario.faults[i].id = fmt::format("f{}", i);
  }
}

bool speaks_of(const Step& step, std::string_view client) {
  if (const auto* await = std::get_if<AwaitClient>(&step))
    return common_name(await->client) == client;
  const auto* cancel = std::get_if<Cancel>(&step);
  return cancel != nullptr && common_name(cancel->client) == client;
}

/// Drops the first step that names `client`; returns whether there was one.
bool drop_mention(Scenario& scenario, std::string_view client) {
  for (std::size_t i = 0; i < scenario.clients.size(); ++i) {
    const auto& steps = scenario.clients[i].steps;
    for (std::size_t j = 0; j < steps.size(); ++j) {
      if (speaks_of(steps[j], client)) return drop_steps(scenario, i, j, 1);
    }
  }
  return false;
}

/// Renumbers aims at calls behind a cut; drops faults that are aimed at calls inside it.
void cut_aims(Scenario& scenario, const Client& client, std::size_t from, std::size_t count) {
  /// The number of each call after the cut, by its number before it
  std::vector<std::uint32_t> renumbered{0};
  std::uint32_t left = 0;
  for (std::size_t i = 0; i < client.steps.size(); ++i) {
    if (!makes_a_call(client.steps[i])) continue;
    const bool cut = i >= from && i < from + count;
    renumbered.push_back(cut ? 0 : ++left);
  }
  const auto calls = static_cast<std::uint32_t>(renumbered.size() - 1);
  std::erase_if(scenario.faults, [&](faults::PlannedFault& fault) {
    if (common_name(fault.at.client) != client.name || calls == 0) return false;
    const std::uint32_t repetition = (fault.at.call - 1) / calls;
    const std::uint32_t number = renumbered[(fault.at.call - 1) % calls + 1];
    fault.at.call = repetition * left + number;
    return number == 0;
  });
  number_faults(scenario);
}

/// Makes waits for a step inside the cut wait for the step before it.
void cut_awaits(Scenario& scenario, std::string_view client, std::size_t from, std::size_t count) {
  const std::size_t before = from == 0 ? 0 : from - 1;
  for_each_step(scenario, [&](Step& step) {
    auto* await = std::get_if<AwaitClient>(&step);
    if (await == nullptr || common_name(await->client) != client || await->step < from) return;
    await->step =
        static_cast<std::uint32_t>(await->step < from + count ? before : await->step - count);
  });
}

void cut_expectations(Scenario& scenario, const Client& client, std::size_t from,
                      std::size_t count) {
  const auto found = scenario.expect.clients.find(client.name);
  if (found == scenario.expect.clients.end()) return;
  std::vector<Expected> kept;
  std::size_t next = 0;
  for (std::size_t i = 0; i < client.steps.size(); ++i) {
    if (!has_outcome(kind(client.steps[i])) || next == found->second.size()) continue;
    Expected& expected = found->second[next++];
    if (i < from || i >= from + count) kept.push_back(std::move(expected));
  }
  found->second = std::move(kept);
}

}  // namespace

bool drop_client(Scenario& scenario, std::size_t client) {
  if (client >= scenario.clients.size()) return false;
  const std::string name = scenario.clients[client].name;
  const std::string after = scenario.clients[client].after;
  scenario.clients.erase(scenario.clients.begin() + static_cast<std::ptrdiff_t>(client));
  scenario.expect.clients.erase(name);
  std::erase_if(scenario.faults,
                [&](const auto& fault) { return common_name(fault.at.client) == name; });
  number_faults(scenario);
  for (Client& other : scenario.clients) {
    if (common_name(other.after) == name) other.after = after;
  }
  while (drop_mention(scenario, name)) {
  }
  return true;
}

bool drop_steps(Scenario& scenario, std::size_t client, std::size_t from, std::size_t count) {
  if (client >= scenario.clients.size() || count == 0) return false;
  Client& cut = scenario.clients[client];
  if (from >= cut.steps.size()) return false;
  count = std::min(count, cut.steps.size() - from);
  if (count == cut.steps.size()) return drop_client(scenario, client);
  cut_aims(scenario, cut, from, count);
  cut_awaits(scenario, cut.name, from, count);
  cut_expectations(scenario, cut, from, count);
  const auto begin = cut.steps.begin() + static_cast<std::ptrdiff_t>(from);
  cut.steps.erase(begin, begin + static_cast<std::ptrdiff_t>(count));
  return true;
}

bool drop_fault(Scenario& scenario, std::size_t fault) {
  if (fault >= scenario.faults.size()) return false;
  scenario.faults.erase(scenario.faults.begin() + static_cast<std::ptrdiff_t>(fault));
  number_faults(scenario);
  return true;
}

bool set_count(Scenario& scenario, std::size_t client, std::uint32_t count) {
  if (client >= scenario.clients.size()) return false;
  Client& fewer = scenario.clients[client];
  if (count == 0 || count >= fewer.count) return false;
  fewer.count = count;
  for_each_name(scenario, [&](std::string& name) {
    if (common_name(name) != fewer.name) return;
    name = single_name(fewer, std::clamp(number_in(name), 1U, count));
  });
  return true;
}

bool set_repeat(Scenario& scenario, std::size_t client, std::uint32_t repeat) {
  if (client >= scenario.clients.size()) return false;
  Client& fewer = scenario.clients[client];
  if (repeat == 0 || repeat >= fewer.repeat) return false;
  fewer.repeat = repeat;
  const auto calls =
      static_cast<std::uint32_t>(std::ranges::count_if(fewer.steps, makes_a_call) * fewer.repeat);
  for (auto& fault : scenario.faults) {
    if (common_name(fault.at.client) != fewer.name || calls == 0) continue;
    fault.at.call = (fault.at.call - 1) % calls + 1;
  }
  return true;
}

bool set_size(Scenario& scenario, std::uint32_t size) {
  if (size == 0 || size >= scenario.pool.core.size) return false;
  scenario.pool.core.size = size;
  const auto within = [size](std::uint32_t slot) { return std::min(slot, size - 1); };
  for_each_step(scenario, [&](Step& step) {
    auto* signal = std::get_if<SignalWorker>(&step);
    auto* await = std::get_if<AwaitWorker>(&step);
    if (signal != nullptr) signal->worker.slot = within(signal->worker.slot);
    if (await != nullptr) await->worker.slot = within(await->worker.slot);
  });
  for (auto& fault : scenario.faults) {
    if (fault.at.slot) fault.at.slot = within(*fault.at.slot);
  }
  std::erase_if(scenario.expect.workers,
                [size](const ExpectedFate& fate) { return fate.worker.slot >= size; });
  return true;
}

bool is_sound(const Scenario& scenario) {
  if (scenario.clients.empty() || !pool::checked(scenario.pool.core)) return false;
  const auto nothing = nlohmann::json::object();
  Complaints complaints;
  const JsonNode root(nothing, "", complaints);
  check_coherence(scenario, root);
  if (complaints.none()) check_circles(scenario, root);
  if (!complaints.none()) return false;
  // Whether an expectation is allowed is known only from the text of a file.
  const bool expects = !scenario.expect.clients.empty() || !scenario.expect.workers.empty();
  return !expects || read_scenario(write_scenario(scenario), "").has_value();
}

}  // namespace poolproof::scenario
