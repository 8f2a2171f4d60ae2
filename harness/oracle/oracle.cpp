#include "harness/oracle/oracle.hpp"

#include <array>
#include <optional>

#include "harness/base/assert.hpp"
#include "harness/base/text.hpp"
#include "harness/oracle/judge.hpp"
#include "harness/oracle/rules.hpp"

namespace poolproof::oracle {
namespace {

constexpr std::array kInvariants{
    Invariant{"exclusive_lease", "S1", "a worker is leased to one client at a time", false,
              judge_exclusive_lease},
    Invariant{"pairing", "S3", "a reply is the one to this call, from the worker that was leased",
              false, judge_pairing},
    Invariant{"sound_reply", "S7", "only a whole and sound reply ends a call well", false,
              judge_sound_reply},
    Invariant{"one_outcome", "S4",
              "every step ends exactly once, in order, with an outcome that it can have", false,
              judge_one_outcome},
    Invariant{"no_dirty_reuse", "S5",
              "a worker whose stream is in doubt is never leased or asked again", false,
              judge_no_dirty_reuse},
    Invariant{"no_overkill", "S5b", "no worker is put away without a reason", false,
              judge_no_overkill},
    Invariant{"gate", "S6", "no call reaches a worker that has not answered its init ping", false,
              judge_gate},
    Invariant{"reaping", "S9", "no zombie is left", false, judge_reaping},
    Invariant{"descriptors", "S10",
              "after the pool descriptors are as before, in quiescence as its workers need", false,
              judge_descriptors},
    Invariant{"threads", "S10", "as many threads run after the pool as before", false,
              judge_threads},
    Invariant{"no_survivors", "S11", "no process outlives the pool, nor do its children", false,
              judge_no_survivors},
    Invariant{"at_most_once", "S12",
              "a call is read by a worker at most once, and safe to ask again only if by none",
              false, judge_at_most_once},
    Invariant{"order", "S15",
              "who waits is served in the order of arrival, by the worker whose turn it is", true,
              judge_order},
    Invariant{"accounting", "S18", "every request, lease and incarnation is accounted for once",
              true, judge_accounting},
    Invariant{"isolation", "S13",
              "a call fails only by its own worker, its own client or the pool's closing", false,
              judge_isolation},
    Invariant{"bounds", "S16", "slots, waiters and workers told to go are as many as may be", true,
              judge_bounds},
    Invariant{"diagnosis", "S19", "every error says what happened", false, judge_diagnosis},
    Invariant{"deadlines", "L1", "everything ends by its time limit, and no limit comes early",
              false, judge_deadlines},
    Invariant{"no_waiter_beside_idle", "L2",
              "nobody waits while a worker is idle or could be started", true,
              judge_no_waiter_beside_idle},
    Invariant{"full_size", "L3",
              "when all is quiescent the pool is whole, and nothing is left over", false,
              judge_full_size},
    Invariant{"bounded_starts", "L4", "starts are bounded, paused after failures, and few", true,
              judge_bounded_starts},
    Invariant{"ladder", "L5", "a worker told to go is pushed rung by rung, each in its time", true,
              judge_ladder},
    Invariant{"bounded_close", "L6", "close ends in time and lets nobody wait or in", false,
              judge_bounded_close},
    Invariant{"prompt_death", "L7", "the end of a worker ends its call, not the call's timeout",
              false, judge_prompt_death},
    Invariant{"recovery", "L8", "after the last fault clients are served again", false,
              judge_recovery},
    Invariant{"witnesses", "S20", "clients, workers, system and pool tell the same story", false,
              judge_witnesses},
};

constexpr std::size_t kSentenceBytesMax = 1000;

std::vector<Finding> judge_by(const Evidence& evidence, const View& view) {
  std::optional<Promises> self_report;
  if (!evidence.trace.pool.empty()) self_report.emplace(evidence, view.memory());
  const Case given{evidence, view, self_report ? &*self_report : nullptr};
  std::vector<Finding> findings;
  for (const Invariant& invariant : kInvariants) {
    if (invariant.needs_self_report && !self_report) continue;
    invariant.judge(given, findings);
  }
  for (Finding& finding : findings)
    finding.what = printable_message(finding.what, kSentenceBytesMax);
  return findings;
}

constexpr std::size_t kUsualBytes = std::size_t{64} * 1024;

}  // namespace

std::span<const Invariant> invariants() {
  return kInvariants;
}

std::vector<Finding> judge(const Evidence& evidence) {
  std::pmr::monotonic_buffer_resource memory(kUsualBytes);
  return judge_by(evidence, View(evidence, &memory));
}

Judge::Judge() : memory_(kUsualBytes) {}

void Judge::look_at(const Evidence& evidence) {
  looked_.reset();
  memory_.release();
  looked_.emplace(evidence, &memory_);
}

std::vector<Finding> Judge::judge() const {
  POOLPROOF_ASSERT(looked_);
  return judge_by(looked_->evidence, looked_->view);
}

Coverage Judge::coverage() const {
  POOLPROOF_ASSERT(looked_);
  return oracle::coverage(looked_->evidence, looked_->view);
}

}  // namespace poolproof::oracle
