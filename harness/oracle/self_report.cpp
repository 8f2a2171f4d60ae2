#include "harness/oracle/rules.hpp"

namespace poolproof::oracle {
void judge_self_report(const Case& given, std::string_view invariant, Findings& findings) {
  if (given.self_report == nullptr) return;
  for (const Finding& finding : given.self_report->findings()) {
    if (finding.invariant == invariant) findings.push_back(finding);
  }
}

void judge_order(const Case& given, Findings& findings) {
  judge_self_report(given, "order", findings);
}

void judge_no_waiter_beside_idle(const Case& given, Findings& findings) {
  judge_self_report(given, "no_waiter_beside_idle", findings);
}

void judge_accounting(const Case& given, Findings& findings) {
  judge_self_report(given, "accounting", findings);
}

void judge_bounded_starts(const Case& given, Findings& findings) {
  judge_self_report(given, "bounded_starts", findings);
}

void judge_bounds(const Case& given, Findings& findings) {
  judge_self_report(given, "bounds", findings);
}

void judge_ladder(const Case& given, Findings& findings) {
  judge_self_report(given, "ladder", findings);
}

}  // namespace poolproof::oracle
