#pragma once

#include "harness/oracle/oracle.hpp"

/// The invariants' judges, by family; oracle.cpp has the table.
namespace poolproof::oracle {

using Findings = std::vector<Finding>;

// leases.cpp: who may use which worker, and which worker is lost
void judge_exclusive_lease(const Evidence& evidence, Findings& findings);
void judge_no_dirty_reuse(const Evidence& evidence, Findings& findings);
void judge_no_overkill(const Evidence& evidence, Findings& findings);

// calls.cpp: what a call comes to
void judge_pairing(const Evidence& evidence, Findings& findings);
void judge_one_outcome(const Evidence& evidence, Findings& findings);
void judge_at_most_once(const Evidence& evidence, Findings& findings);
void judge_gate(const Evidence& evidence, Findings& findings);
void judge_diagnosis(const Evidence& evidence, Findings& findings);

// census.cpp: what is left of a pool that was closed
void judge_reaping(const Evidence& evidence, Findings& findings);
void judge_no_survivors(const Evidence& evidence, Findings& findings);
void judge_descriptors(const Evidence& evidence, Findings& findings);
void judge_threads(const Evidence& evidence, Findings& findings);

// promptness.cpp: what must come in time
void judge_deadlines(const Evidence& evidence, Findings& findings);
void judge_bounded_close(const Evidence& evidence, Findings& findings);
void judge_prompt_death(const Evidence& evidence, Findings& findings);
void judge_recovery(const Evidence& evidence, Findings& findings);

// testimony.cpp: what only the pool itself can show
void judge_order(const Evidence& evidence, Findings& findings);
void judge_no_waiter_beside_idle(const Evidence& evidence, Findings& findings);
void judge_accounting(const Evidence& evidence, Findings& findings);
void judge_bounded_starts(const Evidence& evidence, Findings& findings);

// witnesses.cpp
void judge_witnesses(const Evidence& evidence, Findings& findings);

}  // namespace poolproof::oracle
