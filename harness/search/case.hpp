#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "harness/base/choices.hpp"
#include "harness/oracle/judge.hpp"
#include "harness/scenario/scenario.hpp"
#include "harness/sim/world.hpp"

namespace poolproof::search {

/// The seed of case `number` of a sweep. The seed alone is enough to make the case again.
std::uint64_t case_seed(std::uint64_t sweep_seed, std::uint64_t number);

/// The result of one simulated run.
struct CaseResult {
  /// Including `hang`: the run did not end within the limit of moves.
  std::vector<oracle::Finding> findings;
  std::string trouble;  ///< why the run proves nothing; empty: it proves something
  std::uint64_t core_events = 0;
  bool broken_off = false;  ///< the explorer broke the run off: nothing was judged

  [[nodiscard]] bool failed() const { return !findings.empty(); }
};

/// Makes, carries out and judges simulated scenarios, one after another in the same memory.
class CaseRunner {
 public:
  /// Makes the scenario of that seed. It is valid until the next one is made.
  const scenario::Scenario& make(std::uint64_t seed);

  /// Carries out a scenario in the order of its schedule; without one, in an order drawn from its
  /// seed.
  CaseResult run(const scenario::Scenario& scenario, wire::Codec codec = wire::Codec::json);
  CaseResult run_made(wire::Codec codec = wire::Codec::json) { return run(made_, codec); }

  /// The trace of the last run.
  [[nodiscard]] const trace::Trace& trace() const { return world_.trace(); }
  /// What the last run reached, unless it was broken off.
  [[nodiscard]] const oracle::Coverage& coverage() const { return judge_.coverage(); }
  [[nodiscard]] const sim::Schedule& schedule() const { return schedule_; }
  /// Whether reads are cut in the runs to come.
  void cut_reads(bool whether) { schedule_.cut_reads(whether); }
  /// Who chooses the moves of the runs to come, in place of their schedules. Null: their schedules
  /// do.
  void follow(sim::Moves* leader) { schedule_.follow(leader); }

 private:
  ChoiceBook choices_ = ChoiceBook::random(0);
  scenario::Scenario made_;
  sim::World world_;
  sim::Schedule schedule_ = sim::Schedule::replayed({});
  oracle::Judge judge_;
};

/// A hash of a trace. Equal traces have equal hashes, and different ones differ but for chance:
/// determinism is checked by it.
std::uint64_t hash_of(const trace::Trace& trace);

}  // namespace poolproof::search
