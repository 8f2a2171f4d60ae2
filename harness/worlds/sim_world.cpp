#include "harness/worlds/sim_world.hpp"

namespace poolproof::worlds {

Expected<trace::Trace, std::string> simulate(const scenario::Scenario& scenario,
                                             sim::Limits limits) {
  if (!sim::World::can(scenario)) {
    return unexpected(std::string("a worker of kind \"command\" can't be simulated"));
  }
  sim::World world;
  auto schedule = scenario.schedule ? sim::Schedule::replayed(*scenario.schedule)
                                    : sim::Schedule::random(scenario.seed);
  const sim::Carried carried = world.carry_out(scenario, scenario.seed, schedule, limits);
  trace::Trace trace = world.trace();
  trace.header.trouble = carried.trouble;
  trace.header.endless = carried.overran;
  return trace;
}

}  // namespace poolproof::worlds
