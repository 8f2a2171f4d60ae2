
#include <array>
#include <optional>

#include "harness/base/text.hpp"
#include "harness/oracle/coverage_marks.hpp"
#include "harness/oracle/judge.hpp"
#include "harness/oracle/rules.hpp"

namespace poolproof::oracle {
namespace {

constexpr std::array kInvariants{
    Invariant{"exclusive_lease", "S1", "a worker is leased to one client at a time",
              judge_exclusive_lease},
    Invariant{"pairing", "S3", "a reply is the one to this call, from the worker that was leased",
              judge_pairing},
    Invariant{"sound_reply", "S7", "only a whole and sound reply ends a call well",
              judge_sound_reply},
    Invariant{"one_outcome", "S4",
              "every step ends exactly once, in order, with an outcome that it can have",
              judge_one_outcome},
    Invariant{"no_dirty_reuse", "S5",
              "a worker whose stream is in doubt is never leased or asked again",
              judge_no_dirty_reuse},
    Invariant{"no_overkill", "S5b", "no worker is put away without a reason", judge_no_overkill},
    Invariant{"gate", "S6", "no call reaches a worker that has not answered its init ping",
              judge_gate},
    Invariant{"reaping", "S9", "no zombie is left", judge_reaping},
    Invariant{"descriptors", "S10",
              "after the pool descriptors are as before, in quiescence as its workers need",
              judge_descriptors},
    Invariant{"threads", "S10", "as many threads run after the pool as before", judge_threads},
    Invariant{"no_survivors", "S11", "no process outlives the pool, nor do its children",
              judge_no_survivors},
    Invariant{"at_most_once", "S12",
              "a call is read by a worker at most once, and safe to ask again only if by none",
              judge_at_most_once},
    Invariant{"order", "S15",
              "who waits is served in the order of arrival, by the worker whose turn it is",
              nullptr},
    Invariant{"affinity", "S21",
              "a strict session meets its own worker or none, and is told why; one that prefers a "
              "worker gets it if it is idle",
              judge_affinity},
    Invariant{"accounting", "S18", "every request, lease and incarnation is accounted for once",
              nullptr},
    Invariant{"isolation", "S13",
              "a call fails only by its own worker, its own client or the pool's closing",
              judge_isolation},
    Invariant{"bounds", "S16", "slots, waiters and workers told to go are as many as may be",
              nullptr},
    Invariant{"diagnosis", "S19", "every error says what happened", judge_diagnosis},
    Invariant{"deadlines", "L1", "everything ends by its time limit, and no limit comes early",
              judge_deadlines},
    Invariant{"no_waiter_beside_idle", "L2",
              "nobody waits while a worker is idle or could be started", nullptr},
    Invariant{"full_size", "L3",
              "when all is quiescent the pool is whole, and nothing is left over", judge_full_size},
    Invariant{"bounded_starts", "L4", "starts are bounded, paused after failures, and few",
              nullptr},
    Invariant{"ladder", "L5", "a worker told to go is pushed rung by rung, each in its time",
              nullptr},
    Invariant{"bounded_close", "L6", "close ends in time and lets nobody wait or in",
              judge_bounded_close},
    Invariant{"prompt_death", "L7", "the end of a worker ends its call, not the call's timeout",
              judge_prompt_death},
    Invariant{"recovery", "L8", "after the last fault clients are served again", judge_recovery},
    Invariant{"witnesses", "S20", "clients, workers, system and pool tell the same story",
              judge_witnesses},
};

constexpr std::size_t kSentenceBytesMax = 1000;

}  // namespace

std::span<const Invariant> invariants() {
  return kInvariants;
}

std::vector<Finding> judge(const Evidence& evidence) {
  return Judge().judge(evidence);
}

void make_safe(std::vector<Finding>& findings) {
  for (Finding& finding : findings) {
    finding.what = printable_message(finding.what, kSentenceBytesMax);
  }
}

std::vector<Finding> Judge::judge(const Evidence& evidence) {
  memory_.release();
  coverage_ = {};
  const View view(evidence, &memory_);
  std::optional<PoolMarks> self_report;
  if (!evidence.trace.pool.empty()) self_report.emplace(evidence, &memory_, coverage_);
  look_for_coverage(evidence, view, self_report ? &*self_report : nullptr, coverage_);
  const Case given{evidence, view, self_report ? &*self_report : nullptr};
  Findings findings;
  for (const Invariant& invariant : kInvariants) {
    if (invariant.judge != nullptr) invariant.judge(given, findings);
    if (!self_report) continue;
    for (const Finding& told : self_report->findings()) {
      if (told.invariant == invariant.name) findings.push_back(told);
    }
  }
  make_safe(findings);
  return findings;
}

}  // namespace poolproof::oracle
