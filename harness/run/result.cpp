#include "harness/run/result.hpp"

#include <algorithm>

namespace poolproof::run {

Verdict RunResult::worst() const {
  Verdict worst = scenarios.empty() ? Verdict::invalid : Verdict::pass;
  for (const auto& scenario : scenarios) worst = std::max(worst, scenario.verdict);
  return worst;
}

int RunResult::exit_code() const {
  constexpr std::array<int, kVerdictNames.size()> kByVerdict{0, 2, 2, 1, 1};
  return kByVerdict[static_cast<std::size_t>(worst())];
}

}  // namespace poolproof::run
