#pragma once

#include <utility>

#include <fmt/format.h>

#include "harness/oracle/oracle.hpp"
#include "harness/oracle/promises.hpp"
#include "harness/oracle/view.hpp"

/// The invariants' judges, by family; oracle.cpp has the table.
namespace poolproof::oracle {

using Findings = std::vector<Finding>;

/// One run, and the tables that all invariants share, built once.
struct Case {
  const Evidence& evidence;
  const View& view;
  const Promises* self_report;  ///< null: the pool gives no self-report
};

/// Adds a finding whose sentence is formatted by fmt::format.
template <class... Words>
void tell(Findings& findings, std::string_view invariant, Time at,
          fmt::format_string<Words...> format, Words&&... words) {
  findings.push_back(
      {std::string(invariant), fmt::format(format, std::forward<Words>(words)...), at});
}
/// Adds a finding about a step, at its end. The sentence begins with the step: `who(step)`.
template <class... Words>
void tell(Findings& findings, std::string_view invariant, const ClientStep& step,
          fmt::format_string<Words...> format, Words&&... words) {
  tell(findings, invariant, step.ended, "{} {}", who(step),
       fmt::format(format, std::forward<Words>(words)...));
}
/// Makes the sentences of all findings safe to print on a terminal.
void make_safe(Findings& findings);

// leases.cpp: who may use which worker, and which worker is lost
void judge_exclusive_lease(const Case& given, Findings& findings);
void judge_no_dirty_reuse(const Case& given, Findings& findings);
void judge_no_overkill(const Case& given, Findings& findings);

// sessions.cpp: who serves a session
void judge_affinity(const Case& given, Findings& findings);
void judge_session_names(const Case& given, Findings& findings);  // invariant: witnesses

// isolation.cpp: a call fails only by its own worker's or its own client's doing
void judge_isolation(const Case& given, Findings& findings);

// calls.cpp: how a call may end
void judge_pairing(const Case& given, Findings& findings);
void judge_ids(const Case& given, Findings& findings);
// In replies.cpp; invariant: pairing
void judge_foreign_replies(const Case& given, Findings& findings);
// In replies.cpp; invariant: sound_reply
void judge_changed_echoes(const Case& given, Findings& findings);
// In replies.cpp; invariant: expectation
void judge_said_replies(const Case& given, Findings& findings);
void judge_sound_reply(const Case& given, Findings& findings);
void judge_one_outcome(const Case& given, Findings& findings);
// In executions.cpp; invariant: one_outcome
void judge_executions(const Case& given, Findings& findings);
void judge_at_most_once(const Case& given, Findings& findings);
void judge_gate(const Case& given, Findings& findings);
void judge_diagnosis(const Case& given, Findings& findings);
void judge_facts(const Case& given, Findings& findings);   // in facts.cpp; invariant: diagnosis
void judge_starts(const Case& given, Findings& findings);  // in starts.cpp; invariant: diagnosis

// census.cpp: what is left of a pool that was closed, and of its workers while it lives
void judge_reaping(const Case& given, Findings& findings);
void judge_no_survivors(const Case& given, Findings& findings);
void judge_descriptors(const Case& given, Findings& findings);
void judge_threads(const Case& given, Findings& findings);
void judge_full_size(const Case& given, Findings& findings);

// promptness.cpp: what must happen in time
void judge_deadlines(const Case& given, Findings& findings);
void judge_bounded_close(const Case& given, Findings& findings);
void judge_residue(const Case& given, Findings& findings);             // defined in residue.cpp
void judge_unread_answers(const Case& given, Findings& findings);      // defined in residue.cpp
void judge_unsolicited_output(const Case& given, Findings& findings);  // defined in residue.cpp
void judge_prompt_death(const Case& given, Findings& findings);
void judge_recovery(const Case& given, Findings& findings);

// witnesses.cpp
void judge_refusals(const Case& given, Findings& findings);  // defined in facts.cpp
void judge_measures(const Case& given, Findings& findings);  // defined in measures.cpp
void judge_witnesses(const Case& given, Findings& findings);

}  // namespace poolproof::oracle
