#pragma once

#include <string>

#include "harness/probe/table.hpp"
#include "harness/run/result.hpp"

namespace poolproof::reports {

/// JUnit XML: one suite for each theme folder, one case for each run of a scenario. `fail` is a
/// failure; `invalid`, `unknown` and `divergent` are errors, because they prove nothing about the
/// pool. A report without a run is an error, too. The text is always well-formed: characters that
/// XML 1.0 cannot carry are written as `\xNN`.
std::string junit(const run::RunResult& result);

/// JUnit XML for what `poolproof probe` found: one case for each row. A broken row is a failure,
/// one that was not tried is skipped; a remark passes and stands in the case's output.
std::string junit_of_probe(const probe::Table& table);

}  // namespace poolproof::reports
