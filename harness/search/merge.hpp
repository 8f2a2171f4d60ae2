#pragma once

#include <string>
#include <vector>

#include "harness/base/result.hpp"
#include "harness/search/sweep.hpp"

namespace poolproof::search {

/// The sum of some shards of one sweep.
struct MergedSweep {
  SweepState sum;  ///< its failures' files are those of the shards, with their folders
  /// What keeps it from being the whole sweep, one sentence each: a shard that is missing, is not
  /// done, or is of another count or build. Empty: it is whole.
  std::vector<std::string> missing;
};

/// Adds up the shards whose folders are named. Sums of shards are added up like shards. A folder in
/// which no sweep has saved anything is missing. Error: the first state that can't be read, is not
/// of the same sweep (seed and number of shards), or is there twice.
Parsed<MergedSweep> merge_sweeps(const std::vector<std::string>& folders);

/// Copies the files of the sum's failures into `out`/failures, which must exist, so that the sum
/// can be merged and moved on its own. From then on the failures' files are the copies. Error: one
/// sentence.
Expected<void, std::string> adopt_files(SweepState& sum, const std::string& out);

/// Takes over what an earlier merge into the folder `out` has shrunk, so that it is not done twice.
void take_shrunk_before(SweepState& sum, const std::string& out);

/// Why the sum of `folders` must not be written into `out`: it would replace the state of a shard.
/// Empty: it may.
std::string why_not_into(const std::string& out, const std::vector<std::string>& folders);

}  // namespace poolproof::search
