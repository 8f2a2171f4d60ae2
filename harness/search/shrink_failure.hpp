#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "harness/base/clock.hpp"
#include "harness/scenario/scenario.hpp"

namespace poolproof::search {

struct ShrunkFailure {
  scenario::Scenario scenario;  ///< with its schedule; `why` says what it shows
  std::string what;             ///< its finding: one sentence
  std::size_t attempts = 0;
  /// From an example to `scenario`, each smaller than the one before: all of them fail so.
  std::vector<scenario::Scenario> way;
};

/// The smallest scenario found within `limit` that still fails with that signature, and its
/// schedule. It fails with JSON, as the scenario file will be run, unless only the terse codec
/// shows it at all: then a while longer an order is looked for in which JSON shows it, too. Every
/// attempt is made in a copy of this process, so that a crash ends nothing.
///
/// `examples` all fail so, in one codec or the other. A real machine has an order of its own: so
/// the one is made smaller that fails in most orders, and it goes on failing in as many.
ShrunkFailure shrink_failure(const std::vector<scenario::Scenario>& examples,
                             const std::string& signature, Duration limit);

}  // namespace poolproof::search
