#pragma once

#include <string>

#include "harness/run/result.hpp"

namespace poolproof::reports {

/// Raised whenever a reader of the older version would misread the newer one.
inline constexpr int kReportVersion = 1;

/// The whole result for programs, as reports/report.schema.json describes it. Always valid JSON and
/// UTF-8: broken bytes become U+FFFD. Times in milliseconds, seeds as hex text (a JSON number
/// would lose digits).
std::string report_json(const run::RunResult& result);

}  // namespace poolproof::reports
