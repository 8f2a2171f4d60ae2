#pragma once

#include <cstddef>
#include <cstdint>

#include "harness/scenario/scenario.hpp"

/// Cuts into a scenario that leave it in one piece: what spoke of the part that is gone is brought
/// into line or goes with it. Each says whether it changed anything; places that do not exist are
/// no change.
namespace poolproof::scenario {

bool drop_client(Scenario& scenario, std::size_t client);
/// A client without a step left goes, too.
bool drop_steps(Scenario& scenario, std::size_t client, std::size_t from, std::size_t count);
bool drop_fault(Scenario& scenario, std::size_t fault);
/// Fewer than before.
bool set_count(Scenario& scenario, std::size_t client, std::uint32_t count);
bool set_repeat(Scenario& scenario, std::size_t client, std::uint32_t repeat);
bool set_size(Scenario& scenario, std::uint32_t size);

/// Whether read_scenario() would take it, told without writing it where there are no expectations.
bool is_sound(const Scenario& scenario);

}  // namespace poolproof::scenario
