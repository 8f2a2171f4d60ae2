#pragma once

#include <string>
#include <string_view>

#include "harness/base/result.hpp"
#include "harness/search/sweep.hpp"

namespace poolproof::search {

/// A sweep's state as the file `sweep.json`, and back. Error: what is wrong with it and where.
std::string write_sweep_state(const SweepState& state);
Parsed<SweepState> read_sweep_state(std::string_view text, const std::string& where);

/// What several shards of one sweep found together. Error: the first that is not of the same sweep,
/// or is there twice.
Parsed<SweepState> merge_sweeps(const std::vector<std::string>& folders);

}  // namespace poolproof::search
