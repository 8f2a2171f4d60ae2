#pragma once

#include <string>
#include <string_view>

#include "harness/base/result.hpp"
#include "harness/trace/record.hpp"

namespace poolproof::trace {

/// One JSON object a line: the header, then every record of every witness in the order of time
/// (then environment, worker, pool, client; a census "before" comes first and one "after" last),
/// each with `seq`, `at_ms`, `from` and `kind`. Equal traces give equal bytes.
///
/// Units: times are pool time in milliseconds with three decimals (exact to the microsecond up to
/// 10^12 ms); kNever is null. A worker's bytes are written in hex; text that is no UTF-8 is turned
/// into UTF-8. The header holds the scenario as an object (its white space and the order of its
/// keys are lost). A worker's line is its journal line with `seq` and `from` in front.
std::string write_trace(const Trace& trace);

/// Reads a trace back. A trace that was written in the order of time comes back as it was. Lines
/// may be missing (`seq` must only rise).
///
/// Errors, with `where` as `file:line`: broken JSON, an unknown key or kind (a worker's line may
/// have further keys, as in the journal), a missing key, a value out of range, another
/// `trace_version`.
Parsed<Trace> read_trace(std::string_view text, const std::string& where);

}  // namespace poolproof::trace
