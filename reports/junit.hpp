#pragma once

#include <string>

#include "harness/run/result.hpp"

namespace poolproof::reports {

/// JUnit XML: one suite per theme folder, one case per scenario run. `fail` is a failure;
/// `invalid`, `unknown` and `divergent` are errors: they prove nothing about the pool. A run of
/// nothing is an error too. Always well-formed: what XML 1.0 cannot carry is written as `\xNN`.
std::string junit(const run::RunResult& result);

}  // namespace poolproof::reports
