#pragma once

#include <cstddef>
#include <cstdint>

#include "harness/scenario/scenario.hpp"

/// Cuts that keep a scenario sound: what refers to the part that is cut is adjusted or cut with it.
/// Each returns whether it changed anything; a place that does not exist is no change.
namespace poolproof::scenario {

bool drop_client(Scenario& scenario, std::size_t client);
/// Drops steps of a client; a client without any step left is dropped, too.
bool drop_steps(Scenario& scenario, std::size_t client, std::size_t from, std::size_t count);
bool drop_fault(Scenario& scenario, std::size_t fault);
/// Lowers the number of a client's copies.
bool set_count(Scenario& scenario, std::size_t client, std::uint32_t count);
bool set_repeat(Scenario& scenario, std::size_t client, std::uint32_t repeat);
bool set_size(Scenario& scenario, std::uint32_t size);

/// Whether read_scenario() would accept the scenario. Without expectations, it need not be written
/// for that.
bool is_sound(const Scenario& scenario);

}  // namespace poolproof::scenario
