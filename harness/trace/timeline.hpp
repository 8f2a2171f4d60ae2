#pragma once

#include <cstddef>
#include <limits>
#include <string>

#include "harness/trace/record.hpp"

namespace poolproof::trace {

inline constexpr std::size_t kAllLines = std::numeric_limits<std::size_t>::max();

/// What happened, a line a record, for a person: ms since the first record, who, what in words.
/// Ticks of the pool that ordered nothing are left out.
///
/// Limits: at most `max_lines` lines. When there is more to say, those that matter most stay (the
///   end; errors, receipts, signals; then endings and what clients got), and the last line is
///   `... 34 more`.
std::string timeline(const Trace& trace, std::size_t max_lines = kAllLines);

}  // namespace poolproof::trace
