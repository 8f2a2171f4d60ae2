#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "harness/base/choices.hpp"
#include "harness/oracle/judge.hpp"
#include "harness/scenario/scenario.hpp"
#include "harness/sim/world.hpp"

namespace poolproof::search {

/// The seed of the `number`th case of a sweep: the case can be made again from it alone.
std::uint64_t case_seed(std::uint64_t sweep_seed, std::uint64_t number);

/// What one simulated run came to.
struct CaseResult {
  std::vector<oracle::Finding> findings;  ///< also `hang`: no end within the limit of moves
  std::string trouble;                    ///< why it proves nothing; empty: it does
  std::uint64_t core_events = 0;
  bool broken_off = false;  ///< by the one who led it: nothing was judged

  [[nodiscard]] bool failed() const { return !findings.empty(); }
};

/// Makes, carries out and judges simulated scenarios, one after another in the same memory.
class CaseRunner {
 public:
  /// The scenario of that seed. It is not to be looked at any more once the next one is made.
  const scenario::Scenario& make(std::uint64_t seed);

  /// A scenario, in the order of its schedule, else in one drawn from its seed.
  CaseResult run(const scenario::Scenario& scenario, wire::Codec codec = wire::Codec::json);
  CaseResult run_made(wire::Codec codec = wire::Codec::json) { return run(made_, codec); }

  /// Of the last run.
  [[nodiscard]] const trace::Trace& trace() const { return world_.trace(); }
  /// What it reached, if it was not broken off. Its scenario must still be there.
  [[nodiscard]] oracle::Coverage coverage() const { return judge_.coverage(); }
  [[nodiscard]] const sim::Schedule& schedule() const { return schedule_; }
  /// Of the runs to come.
  void cut_reads(bool whether) { schedule_.cut_reads(whether); }
  /// Who leads the runs to come, instead of their schedules; null: nobody.
  void follow(sim::Moves* leader) { schedule_.follow(leader); }

 private:
  ChoiceBook choices_ = ChoiceBook::random(0);
  scenario::Scenario made_;
  sim::World world_;
  sim::Schedule schedule_ = sim::Schedule::replayed({});
  oracle::Judge judge_;
};

/// A number that is the same exactly when two traces are (but for chance): what determinism is
/// checked by.
std::uint64_t hash_of(const trace::Trace& trace);

}  // namespace poolproof::search
