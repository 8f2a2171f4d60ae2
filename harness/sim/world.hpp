#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "harness/scenario/scenario.hpp"
#include "harness/sim/client.hpp"
#include "harness/sim/machine.hpp"
#include "harness/sim/pool.hpp"
#include "harness/sim/schedule.hpp"
#include "harness/trace/record.hpp"

namespace poolproof::sim {

/// How long a simulated run may go on.
struct Limits {
  std::uint64_t moves = 2'000'000;  ///< moves of all tasks together
};

/// What came of a run.
struct Carried {
  bool overran = false;  ///< the limit of moves was reached: the run did not come to its end
  std::string trouble;   ///< why it proves nothing (an await that never came true, no end in sight)
  std::uint64_t core_events = 0;  ///< how often the Core was stepped
};

/// The simulated world: one thread, virtual time. The Core, the Conversation and the Brain are
/// those of the host world; processes, pipes, signals and the order of things are simulated. Used
/// again for one scenario after another, it allocates little.
///
/// The same scenario, seed, schedule and codec give the same trace, byte for byte.
class World {
 public:
  World() : pool_(machine_), stage_{machine_, pool_, nullptr, {}, {}, 0, {}} {}
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  /// Whether every worker of the scenario can be simulated: none is a `command` or `wrapped`.
  static bool can(const scenario::Scenario& scenario);

  /// Carries `scenario` out. `seed` is that of the Core's jitter; `codec` is what is spoken on the
  /// pipes: a scenario comes to the same in each of them, but for the sizes of its frames.
  Carried carry_out(const scenario::Scenario& scenario, std::uint64_t seed, Schedule& schedule,
                    Limits limits = {}, wire::Codec codec = wire::Codec::json);

  /// What clients, workers, system and pool saw in the last run. The census `quiescent` is there if
  /// nothing was left to happen once the last client was done.
  [[nodiscard]] const trace::Trace& trace() const { return machine_.trace; }

 private:
  void begin(const scenario::Scenario& scenario, std::uint64_t seed, Schedule& schedule);
  void run(Task task);
  template <class Done>
  bool run_until(Time limit, Done done);
  [[nodiscard]] std::uint64_t news() const;
  void tell_news();
  void tell_moves();
  Client& client(std::uint32_t number);

  Machine machine_;
  Pool pool_;
  Stage stage_;
  std::vector<std::unique_ptr<Client>> clients_;
  scenario::Client closer_;  ///< the client by which the harness itself closes the pool
  std::uint64_t moves_left_ = 0;
  std::uint64_t moves_now_ = 0;  ///< how many moves there were since time last went on
  std::uint64_t told_ = 0;
};

/// Carries a scenario out in the order of its schedule, else in one drawn from its seed. An await
/// that never came true and a run without end are told by the trace's header. Error: one sentence
/// why it could not be done (a worker that can't be simulated).
Expected<trace::Trace, std::string> simulate(const scenario::Scenario& scenario,
                                             Limits limits = {});

}  // namespace poolproof::sim
