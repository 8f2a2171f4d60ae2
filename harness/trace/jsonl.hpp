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
/// 10^12 ms); kNever is null. Bytes of a worker's are hex, text that is no UTF-8 is made so.
/// The scenario stands in the header as an object (white space and order of keys are lost).
/// A worker's line is its journal line with `seq` and `from` before it.
std::string write_trace(const Trace& trace);

/// Reads it back; what was written in the order of time comes back as it was. Lines may be missing
/// (`seq` must only rise).
///
/// Errors: anything else than such a line, `where` is `file:line`: broken JSON, an unknown key or
/// kind (in a worker's line further keys are allowed, as in the journal), a missing key, a value
/// out of range, another `trace_version`.
Parsed<Trace> read_trace(std::string_view text, const std::string& where);

}  // namespace poolproof::trace
