#pragma once

#include <string>
#include <vector>

#include "harness/guard/finding.hpp"
#include "harness/run/result.hpp"

namespace poolproof::reports {

/// A guarded program as the only scenario of a run, so that runs' reports serve for it, too.
/// `words`: the program's command; `began`: the whole command line, to type again.
run::RunResult run_of_guard(const guard::Judgement& judgement,
                            const std::vector<std::string>& words, const std::string& began,
                            Duration elapsed);

/// What a guard found, for programs: `command`, `verdict`, `findings` and `remarks` with
/// `invariant`, `blame`, `what`, `at_ms` and `processes` (each with `pid`, `command`, `parent`,
/// `parent_command`, `started_ms`), `reasons`, `strikes`. Times are since the guard began. Always
/// valid JSON and UTF-8.
std::string guard_json(const guard::Judgement& judgement, const std::vector<std::string>& words);

/// What a guard found, for people: one line each.
std::string told(const guard::Judgement& judgement);

}  // namespace poolproof::reports
