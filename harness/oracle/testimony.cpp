#include "harness/oracle/rules.hpp"

namespace poolproof::oracle {
void judge_testimony(const Case& given, std::string_view invariant, Findings& findings) {
  if (given.testimony == nullptr) return;
  for (const Finding& finding : given.testimony->findings()) {
    if (finding.invariant == invariant) findings.push_back(finding);
  }
}

void judge_order(const Case& given, Findings& findings) {
  judge_testimony(given, "order", findings);
}

void judge_no_waiter_beside_idle(const Case& given, Findings& findings) {
  judge_testimony(given, "no_waiter_beside_idle", findings);
}

void judge_accounting(const Case& given, Findings& findings) {
  judge_testimony(given, "accounting", findings);
}

void judge_bounded_starts(const Case& given, Findings& findings) {
  judge_testimony(given, "bounded_starts", findings);
}

void judge_bounds(const Case& given, Findings& findings) {
  judge_testimony(given, "bounds", findings);
}

void judge_ladder(const Case& given, Findings& findings) {
  judge_testimony(given, "ladder", findings);
}

}  // namespace poolproof::oracle
