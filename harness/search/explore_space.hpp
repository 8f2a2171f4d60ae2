#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "harness/oracle/oracle.hpp"
#include "harness/scenario/scenario.hpp"
#include "harness/search/case.hpp"
#include "harness/search/explore.hpp"
#include "harness/search/explore_tree.hpp"

namespace poolproof::search {

/// How far an exploration has got. Another process can go on from it after a crash.
struct Walk {
  static constexpr std::size_t kPartsMax = 32;
  static constexpr std::size_t kChoicesMax = 32;

  struct Tally {
    std::uint64_t runs;
    std::uint64_t different;
    bool cut_short;
  };

  std::uint32_t part;
  std::uint64_t place;  ///< the position in its part; its meaning is up to the space
  std::uint32_t depth;  ///< how many of the choices are in use
  std::array<std::uint32_t, kChoicesMax> choices;
  OrderTree tree;  ///< the tree of a race's orders
  std::array<Tally, kPartsMax> tallies;

  void next_part();
};

/// A finite set of runs, explored one after another.
class ExploredSpace {
 public:
  ExploredSpace() = default;
  ExploredSpace(const ExploredSpace&) = delete;
  ExploredSpace& operator=(const ExploredSpace&) = delete;
  virtual ~ExploredSpace() = default;

  [[nodiscard]] virtual const std::vector<std::string>& parts() const = 0;
  /// The scenario to run at that point. It is valid until the next one is asked for. Requires:
  /// walk.part is a part.
  virtual const scenario::Scenario& at(const Walk& walk) = 0;
  /// Judges the last run of `runner` by rules of this space, beyond the invariants.
  virtual void judge(const Walk& /*walk*/, const CaseRunner& /*runner*/,
                     std::vector<oracle::Finding>& /*findings*/) {}
  /// Moves on after the last run of `runner`. Null: that run did not come to its end.
  virtual void go_on(Walk& walk, const CaseRunner* runner) = 0;
  [[nodiscard]] virtual bool cuts_reads() const { return true; }
  /// Who chooses the moves of all runs. Null: the schedules of their scenarios.
  virtual sim::Moves* leader(Walk&) { return nullptr; }
  /// The default limit for the runs of one part. 0: none.
  [[nodiscard]] virtual std::uint64_t runs_most() const { return 0; }
};

std::unique_ptr<ExploredSpace> explored_cuts();
std::unique_ptr<ExploredSpace> explored_faults();
std::unique_ptr<ExploredSpace> explored_orders();

/// As explore() in explore.hpp, for any space.
Expected<Explored, std::string> explore(ExploredSpace& space, const ExploreOptions& options,
                                        const ExploreProgress& progress);

/// Parses a scenario that is part of this program. Requires: it is sound.
scenario::Scenario own_scenario(const char* json);

}  // namespace poolproof::search
