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

/// How far an exploration has got: all that is needed to go on from there, also in another process
/// after a crash.
struct Walk {
  static constexpr std::size_t kPartsMax = 32;
  static constexpr std::size_t kChoicesMax = 32;

  struct Tally {
    std::uint64_t runs;
    std::uint64_t different;
    bool cut_short;
  };

  std::uint32_t part;
  std::uint64_t place;  ///< in its part; what it means is the space's business
  std::uint32_t depth;  ///< how many choices there are
  std::array<std::uint32_t, kChoicesMax> choices;
  OrderTree tree;  ///< of a race
  std::array<Tally, kPartsMax> tallies;

  void next_part();
};

/// What can be explored: a finite number of runs, one after the other.
class ExploredSpace {
 public:
  ExploredSpace() = default;
  ExploredSpace(const ExploredSpace&) = delete;
  ExploredSpace& operator=(const ExploredSpace&) = delete;
  virtual ~ExploredSpace() = default;

  [[nodiscard]] virtual const std::vector<std::string>& parts() const = 0;
  /// What is to be run at that point; not to be looked at any more once the next is asked for.
  /// Requires: walk.part is a part.
  virtual const scenario::Scenario& at(const Walk& walk) = 0;
  /// What else must hold of the last run of `runner`.
  virtual void judge(const Walk& walk, const CaseRunner& runner,
                     std::vector<oracle::Finding>& findings) = 0;
  /// Goes on behind the last run of `runner`; null: the run came to no end.
  virtual void go_on(Walk& walk, const CaseRunner* runner) = 0;
  [[nodiscard]] virtual bool cuts_reads() const { return true; }
  /// Who leads all runs, move by move; null: their scenarios' schedules do.
  virtual sim::Moves* leader(Walk&) { return nullptr; }
  /// Of one part, when nobody says how many runs it may have; 0: any number.
  [[nodiscard]] virtual std::uint64_t runs_most() const { return 0; }
};

std::unique_ptr<ExploredSpace> explored_cuts();
std::unique_ptr<ExploredSpace> explored_faults();
std::unique_ptr<ExploredSpace> explored_orders();

/// As explore() of explore.hpp, which see; of any space.
Expected<Explored, std::string> explore(ExploredSpace& space, const ExploreOptions& options,
                                        const ExploreProgress& progress);

/// A scenario of ours. Requires: it is sound.
scenario::Scenario own_scenario(const char* json);

}  // namespace poolproof::search
