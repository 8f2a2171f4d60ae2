#pragma once

#include <string>

#include "harness/run/result.hpp"

namespace poolproof::reports {

/// Markdown (GitHub's dialect) for a CI page: totals, a table, then what a person needs of each run
/// that did not pass. No text of a scenario, a worker or a pool can break its shape.
std::string summary_md(const run::RunResult& result);

/// Escapes a text so that it is one line of running text without markup.
std::string markdown_line(std::string_view text);

/// A code block whose fence is longer than any run of backticks inside.
std::string markdown_block(std::string_view text);

}  // namespace poolproof::reports
