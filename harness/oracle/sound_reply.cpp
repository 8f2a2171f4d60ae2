#include <fmt/format.h>

#include "harness/oracle/rules.hpp"
#include "harness/trace/fields.hpp"

/// A reply that a fault spoilt, or that never came, is no answer: whatever the pool makes of it,
/// the call that it was meant for does not end well.
namespace poolproof::oracle {
namespace {

using faults::JournalRecord;
using trace::ClientStep;
using Kind = JournalRecord::Kind;

/// Goes through one worker's journal, request by request.
class Replies {
 public:
  Replies(const Case& given, Findings& findings) : view_(given.view), findings_(findings) {}

  void judge(const Incarnation& incarnation) {
    call_ = nullptr;
    for (const trace::WorkerRecord& one : incarnation.records()) take(one.record);
    finish();
  }

 private:
  void take(const JournalRecord& record) {
    if (record.kind == Kind::read) {
      finish();
      call_ = record.nonce ? view_.call_of(*record.nonce) : nullptr;
      request_ = record.request;
      receipt_ = nullptr;
      receipts_ = 0;
    }
    if (call_ == nullptr || record.request != request_ || record.kind != Kind::receipt) return;
    receipt_ = &record;
    ++receipts_;
  }

  /// The next request is read, or none any more.
  void finish() {
    // Two faults may undo one another.
    if (call_ == nullptr || receipts_ != 1) return;
    const bool ok = call_->outcome == Outcome::ok;
    const bool error = call_->outcome == Outcome::worker_error;
    if (!ok && !error) return;
    const faults::Leaves left = view_.left_by(*receipt_);
    const bool wrong = left == faults::Leaves::error ? ok : faults::is_spoilt(left);
    if (!wrong) return;
    tell(findings_, "sound_reply", *call_, "ended with {}, though its reply was spoilt ({})",
         name(call_->outcome), receipt_->fault);
  }

  const View& view_;
  Findings& findings_;
  const ClientStep* call_ = nullptr;  ///< the one whose request was read last
  std::optional<std::uint64_t> request_;
  const JournalRecord* receipt_ = nullptr;  ///< the last of that request
  std::size_t receipts_ = 0;
};

}  // namespace

void judge_sound_reply(const Case& given, Findings& findings) {
  if (given.evidence.scenario.faults.empty() || given.evidence.scenario.pool.opaque) return;
  if (given.view.receipts.empty()) return;
  Replies replies(given, findings);
  for (const Incarnation& incarnation : given.view.incarnations) {
    if (incarnation.signs().receipt != nullptr) replies.judge(incarnation);
  }
}

}  // namespace poolproof::oracle
