#pragma once

#include <string>

#include "harness/run/result.hpp"

namespace poolproof::reports {

/// The table for the terminal and the line of totals below it. Columns are aligned by bytes.
/// `colours`: ANSI colours for the verdicts.
std::string table(const run::RunResult& result, bool colours);

}  // namespace poolproof::reports
