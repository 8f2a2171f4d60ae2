#pragma once

#include <cstdint>
#include <string>

#include "harness/base/enumerators.hpp"
#include "harness/scenario/scenario.hpp"
#include "harness/sim/world.hpp"

namespace poolproof::search {

/// What reproduces a failure of a sweep. A file is run with JSON and in the order it names.
enum class ReproducesWith : std::uint8_t {
  file,        ///< the scenario file, by `run FILE --world sim`
  terse_case,  ///< only `sweep --case`, and only with terse messages
  case_alone,  ///< only `sweep --case`: the scenario as it was found, not the shrunk one
  nothing,     ///< none of these: the failure depends on runs before it in the same process
};
inline constexpr auto kReproducesWithNames = enumerator_names<ReproducesWith>();

/// Finds out by trying: `file` as `run FILE --world sim` does, then `found` as `sweep --case` does.
/// Each attempt is made in a copy of this process, because it may crash.
ReproducesWith reproduces_with(const scenario::Scenario& file, const scenario::Scenario& found,
                               const std::string& signature, sim::Limits limits_of_files = {});

/// One line for people: why no file reproduces the failure, and what does. Requires:
/// `reproduces_with` is not `file`.
std::string why_no_file_shows_it(ReproducesWith reproduces_with, std::uint64_t case_seed);

}  // namespace poolproof::search
