#pragma once

#include <string>
#include <string_view>

#include "harness/base/result.hpp"
#include "harness/search/sweep.hpp"

namespace poolproof::search {

/// Writes and reads a sweep's state as the file `sweep.json`. Error: what is wrong with it and
/// where.
std::string write_sweep_state(const SweepState& state);
Parsed<SweepState> read_sweep_state(std::string_view text, const std::string& where);

/// The state of several shards of one sweep together. Error: the first state that is not of the
/// same sweep or is there twice.
Parsed<SweepState> merge_sweeps(const std::vector<std::string>& folders);

}  // namespace poolproof::search
