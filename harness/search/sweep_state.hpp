#pragma once

#include <string>
#include <string_view>

#include "harness/base/result.hpp"
#include "harness/search/sweep.hpp"

namespace poolproof::search {

/// The longest file `sweep.json` that is read.
inline constexpr std::uintmax_t kStateBytesMax = std::uintmax_t{64} << 20U;

/// Writes and reads a sweep's state as the file `sweep.json`. Every value is checked. Error: what
/// is wrong with it and where.
std::string write_sweep_state(const SweepState& state);
Parsed<SweepState> read_sweep_state(std::string_view text, const std::string& where);

/// The state in `folder`/sweep.json. Error: it can't be read, or something is wrong with it.
Parsed<SweepState> load_sweep_state(const std::string& folder);

/// One failure alone, as it stands in a state.
std::string write_failure(const Failure& failure);
Parsed<Failure> read_failure(std::string_view text);

}  // namespace poolproof::search
