#pragma once

#include <cstddef>
#include <limits>
#include <string>

#include "harness/trace/record.hpp"

namespace poolproof::trace {

inline constexpr std::size_t kAllLines = std::numeric_limits<std::size_t>::max();

/// The trace as text for a person, one line a record: ms since the first record, the witness, the
/// record in words. Ticks of the pool that ordered nothing are left out.
///
/// Limits: at most `max_lines` lines. If there are more, the most important ones stay (first the
/// end, then errors, receipts and signals, then endings and the clients' outcomes), and the last
/// line is `... 34 more`.
std::string timeline(const Trace& trace, std::size_t max_lines = kAllLines);

}  // namespace poolproof::trace
