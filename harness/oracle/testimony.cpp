#include "harness/oracle/rules.hpp"

namespace poolproof::oracle {
namespace {

void judge_mirror(const Case& given, std::string_view invariant, Findings& findings) {
  for (const Finding& finding : given.mirror->findings()) {
    if (finding.invariant == invariant) findings.push_back(finding);
  }
}

}  // namespace

void judge_order(const Case& given, Findings& findings) {
  judge_mirror(given, "order", findings);
}

void judge_no_waiter_beside_idle(const Case& given, Findings& findings) {
  judge_mirror(given, "no_waiter_beside_idle", findings);
}

void judge_accounting(const Case& given, Findings& findings) {
  judge_mirror(given, "accounting", findings);
}

void judge_bounded_starts(const Case& given, Findings& findings) {
  judge_mirror(given, "bounded_starts", findings);
}

void judge_bounds(const Case& given, Findings& findings) {
  judge_mirror(given, "bounds", findings);
}

}  // namespace poolproof::oracle
