#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
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
  explicit ExploredSpace(std::vector<std::string> parts) : parts_(std::move(parts)) {}
  ExploredSpace(const ExploredSpace&) = delete;
  ExploredSpace& operator=(const ExploredSpace&) = delete;
  virtual ~ExploredSpace() = default;

  [[nodiscard]] const std::vector<std::string>& parts() const { return parts_; }
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

 private:
  std::vector<std::string> parts_;
};

/// The names of the rows of a table, one part each.
std::vector<std::string> part_names(const auto& rows) {
  std::vector<std::string> names;
  for (const auto& row : rows) names.emplace_back(row.name);
  return names;
}

/// The first step of a client that is `owed` service and did not get it; null: there is none.
template <class Owed>
const trace::ClientStep* first_unserved(const trace::Trace& trace, Owed owed) {
  const auto found = std::ranges::find_if(trace.clients, [&](const trace::ClientStep& step) {
    return (step.outcome != Outcome::ok || step.skipped) && owed(step);
  });
  return found == trace.clients.end() ? nullptr : &*found;
}

std::unique_ptr<ExploredSpace> explored_cuts();
std::unique_ptr<ExploredSpace> explored_faults();
std::unique_ptr<ExploredSpace> explored_orders();

/// Carries out and judges a whole space, as explore() in explore.hpp does.
Expected<Explored, SearchError> explore(ExploredSpace& space, const ExploreOptions& options,
                                        const ExploreProgress& progress);

/// Parses a scenario that is part of this program. Requires: it is sound.
scenario::Scenario own_scenario(const char* json);

}  // namespace poolproof::search
