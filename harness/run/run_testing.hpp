#pragma once

#include <string>
#include <utility>

#include "harness/base/folder_testing.hpp"
#include "harness/run/judge.hpp"
#include "harness/scenario/parsed_testing.hpp"
#include "harness/trace/history_testing.hpp"

/// Helpers for the tests of this room and of the rooms above it.
namespace poolproof::run::testing {

using namespace poolproof::testing;
using namespace scenario::testing;
using namespace trace::testing;

inline Attempt attempt_of(trace::Trace trace) {
  Attempt attempt;
  attempt.trace = std::move(trace);
  return attempt;
}

inline bool found(const ScenarioResult& result, const std::string& invariant) {
  for (const auto& finding : result.findings) {
    if (finding.invariant == invariant) return true;
  }
  return false;
}

inline std::string told(const ScenarioResult& result) {
  std::string text = std::string(name(result.verdict));
  for (const auto& finding : result.findings)
    text += "\n" + finding.invariant + ": " + finding.what;
  for (const auto& reason : result.reasons) text += "\n" + reason;
  return text;
}

}  // namespace poolproof::run::testing
