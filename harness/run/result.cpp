#include "harness/run/result.hpp"

#include <algorithm>

namespace poolproof::run {

Verdict RunResult::worst() const {
  Verdict worst = scenarios.empty() ? Verdict::invalid : Verdict::pass;
  for (const auto& scenario : scenarios) worst = std::max(worst, scenario.verdict);
  return worst;
}

int RunResult::exit_code() const {
  switch (worst()) {
    case Verdict::pass:
      return 0;
    case Verdict::fail:
    case Verdict::divergent:
      return 1;
    case Verdict::invalid:
    case Verdict::unknown:
      break;
  }
  return 2;
}

}  // namespace poolproof::run
