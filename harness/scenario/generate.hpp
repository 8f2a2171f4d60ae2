#pragma once

#include "fake_workers/catalogue.hpp"
#include "harness/base/choices.hpp"
#include "harness/scenario/scenario.hpp"

namespace poolproof::scenario {

/// A scenario made of choices: up to three features of the storm (as in swarm testing), a pool, up
/// to five clients that do what clients do and should not do, up to five faults of a subset of the
/// catalogue that is drawn with it and those that go with the features, and then the calm after the
/// storm: as many clients as the pool has slots, each of which begins when all others are done, and
/// no breaker is open any more, and must be served. There is no calm where a client closes the
/// pool, nor after a single well-behaved client.
///
/// Always such a one as read_scenario() takes, and as write_scenario() keeps in all its parts.
/// Without any choice (all are 0) it is one client that checks out, calls and checks in. No client
/// takes longer than kStormMax in the worst case, so that nobody awaits it in vain.
///
/// Streams of choices: "themes", "pool", "clients", "client.1" to "client.5", "faults".
Scenario generate(ChoiceBook& choices);

inline constexpr Duration kStormMax = 25s;

}  // namespace poolproof::scenario
