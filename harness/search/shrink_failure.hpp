#pragma once

#include <string>
#include <vector>

#include "harness/base/clock.hpp"
#include "harness/scenario/scenario.hpp"
#include "harness/scenario/shrink.hpp"

namespace poolproof::search {

/// The scenario has its schedule, and its `why` describes the failure.
struct ShrunkFailure : scenario::Shrunk {
  std::string what;  ///< the sentence of its finding
};

/// The smallest scenario found within `limit` that still fails with that signature, and its
/// schedule. It fails with JSON, as the scenario file will be run; only if it fails with terse
/// messages alone, some more time is spent on a search for an order in which JSON fails, too. Every
/// attempt is made in a copy of this process, so that a crash ends nothing.
///
/// All of `examples` fail with that signature, in one codec or the other. A real machine runs in an
/// order of its own. So the example that fails in most orders is the one to be shrunk, and
/// candidates must fail in as many.
ShrunkFailure shrink_failure(const std::vector<scenario::Scenario>& examples,
                             const std::string& signature, Duration limit);

}  // namespace poolproof::search
