#include "harness/oracle/mirror.hpp"
#include "harness/oracle/rules.hpp"

namespace poolproof::oracle {
namespace {

void judge_mirror(const Evidence& evidence, std::string_view invariant, Findings& findings) {
  const Mirror mirror(evidence);
  for (const Finding& finding : mirror.findings()) {
    if (finding.invariant == invariant) findings.push_back(finding);
  }
}

}  // namespace

void judge_order(const Evidence& evidence, Findings& findings) {
  judge_mirror(evidence, "order", findings);
}

void judge_no_waiter_beside_idle(const Evidence& evidence, Findings& findings) {
  judge_mirror(evidence, "no_waiter_beside_idle", findings);
}

void judge_accounting(const Evidence& evidence, Findings& findings) {
  judge_mirror(evidence, "accounting", findings);
}

void judge_bounded_starts(const Evidence& evidence, Findings& findings) {
  judge_mirror(evidence, "bounded_starts", findings);
}

}  // namespace poolproof::oracle
