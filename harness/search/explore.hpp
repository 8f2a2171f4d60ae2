#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "harness/base/clock.hpp"
#include "harness/base/result.hpp"

namespace poolproof::search {

/// What is carried out exhaustively, in the simulator.
enum class Exploration : std::uint8_t {
  cuts,    ///< every cut of every frame of handshake, call and shutdown, with every ending
  faults,  ///< all combinations of up to three faults on two workers of a short scenario
  orders,  ///< every order of a short race, but those that can't be told from one that was run
};

struct ExploreOptions {
  Exploration what = Exploration::cuts;
  std::string out;              ///< folder; made if need be. Scenarios that fail go there
  std::uint64_t runs_most = 0;  ///< of one part; 0: as many as it has (orders: a limit of its own)
};

/// One frame's cuts, one number of faults, one race.
struct ExploredPart {
  std::string name;
  std::uint64_t runs = 0;
  std::uint64_t different = 0;  ///< orders: of them, those not broken off as made before
  bool cut_short = false;       ///< not all of it was run: a limit was reached
};

/// Failures of one kind: they have the same signature.
struct ExploredFailure {
  std::string signature;
  std::string what;  ///< the finding of the first one: one sentence
  std::uint64_t times = 0;
  std::string file;  ///< the first one's scenario, with its schedule; empty: too many kinds
};

struct Explored {
  std::vector<ExploredPart> parts;
  std::vector<ExploredFailure> failures;  ///< in the order in which they were found
  std::uint64_t runs = 0;
  std::uint64_t core_events = 0;
  std::uint64_t proved_nothing = 0;  ///< an await never came true
  Duration elapsed{};
};

/// Called now and then.
using ExploreProgress = std::function<void(std::uint64_t runs, Duration elapsed)>;

/// Carries all of it out in one process of its own, and judges every run by all invariants. A
/// crash, a broken promise of the code or a run without end is a failure like any other. Error: one
/// sentence, when the harness can't do it.
Expected<Explored, std::string> explore(const ExploreOptions& options,
                                        const ExploreProgress& progress);

}  // namespace poolproof::search
