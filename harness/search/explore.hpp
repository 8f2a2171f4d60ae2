#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "harness/base/clock.hpp"
#include "harness/base/result.hpp"
#include "harness/search/search_error.hpp"

namespace poolproof::search {

/// The things that can be explored exhaustively in the simulator.
enum class Exploration : std::uint8_t {
  cuts,    ///< every cut of every frame of handshake, call and shutdown, with every ending
  faults,  ///< all combinations of up to three faults on two workers of a short scenario
  orders,  ///< every order of a short race, except those that give the same trace as one that was
           ///< run
};

struct ExploreOptions {
  Exploration what = Exploration::cuts;
  std::string out;  ///< output folder, made if need be: scenarios that fail go there
  /// The most runs of each part; 0: as many as it has (orders have a limit of their own).
  std::uint64_t runs_most = 0;
};

/// One part of an exploration: one frame's cuts, one number of faults, one race.
struct ExploredPart {
  std::string name;
  std::uint64_t runs = 0;
  /// For orders: the runs that were not broken off as equal to an earlier one.
  std::uint64_t different = 0;
  bool cut_short = false;  ///< a limit was reached before all of it had been run
};

/// The failures with one signature.
struct ExploredFailure {
  std::string signature;
  std::string what;  ///< the finding of the first one: one sentence
  std::uint64_t times = 0;
  /// The first one's scenario with its schedule; empty: there were too many kinds.
  std::string file;
};

struct Explored {
  std::vector<ExploredPart> parts;
  std::vector<ExploredFailure> failures;  ///< in the order in which they were found
  std::uint64_t runs = 0;
  std::uint64_t core_events = 0;
  std::uint64_t proved_nothing = 0;  ///< runs in which an await never came true
  std::uint64_t killed = 0;          ///< processes that somebody else killed (SIGKILL)
  Duration elapsed{};
};

/// Called every few seconds.
using ExploreProgress = std::function<void(std::uint64_t runs, Duration elapsed)>;

/// Carries out the whole exploration in a process of its own and judges every run by all
/// invariants. A crash, a broken promise of the code and a run without end are failures like any
/// other. A run that somebody else's SIGKILL breaks off begins again, and fails if that comes
/// twice.
Expected<Explored, SearchError> explore(const ExploreOptions& options,
                                        const ExploreProgress& progress);

}  // namespace poolproof::search
