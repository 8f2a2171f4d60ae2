#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "harness/search/merge.hpp"

/// The reports of a merge as files: what `merge --out` writes beside sweep.json.
namespace poolproof::cli {

enum class MergeVerdict : std::uint8_t { held, failed, incomplete };

/// JUnit: a case for each kind of failure, for each thing that is missing, for the coverage if
/// `coverage` (broken_coverage()) has a sentence, and one for all scenarios together.
std::string merge_junit(const search::MergedSweep& merged, MergeVerdict verdict,
                        const std::vector<std::string>& coverage);

/// Markdown for a CI page.
std::string merge_summary(const search::MergedSweep& merged, MergeVerdict verdict,
                          const std::vector<std::string>& coverage);

/// How much was merged, such as `1000 of 1000 scenarios in 4 of 4 shards`.
std::string extent_of(const search::SweepState& sum);

}  // namespace poolproof::cli
