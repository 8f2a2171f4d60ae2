#pragma once

#include "fake_workers/catalogue.hpp"
#include "harness/base/choices.hpp"
#include "harness/scenario/scenario.hpp"

namespace poolproof::scenario {

/// Makes a scenario from choices. It begins with a storm: up to three features (as in swarm
/// testing), a pool, up to five clients that use it well or badly, up to five faults from a few
/// kinds that are drawn too, and the faults that go with the features. Then comes the calm: as many
/// clients as the pool has slots begin when all others are done and the breaker has closed, and
/// each must be served. There is no calm where a client closes the pool, nor after a single
/// well-behaved client.
///
/// read_scenario() accepts every such scenario, and write_scenario() keeps all its parts. If all
/// choices are 0, one client checks out, calls and checks in. No client takes longer than kStormMax
/// in the worst case, so that nobody awaits it in vain.
///
/// Streams of choices: "themes", "pool", "clients", "client.1" to "client.5", "faults".
Scenario generate(ChoiceBook& choices);

inline constexpr Duration kStormMax = 25s;

}  // namespace poolproof::scenario
