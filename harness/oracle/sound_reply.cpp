#include <algorithm>
#include <array>

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

using namespace std::string_view_literals;
/// There is no frame, or none that is a reply, whatever the parameters.
constexpr std::array kAlways{"json_invalid"sv,  "utf8_invalid"sv,  "nan_result"sv,
                             "json_deep"sv,     "id_text"sv,       "success_missing"sv,
                             "length_zero"sv,   "reply_dropped"sv, "exit_mid_call"sv,
                             "stdout_closed"sv, "reply_unframed"sv};
/// With a shorter prefix the wrong length may happen to be the right one.
constexpr std::array kLengths{"length_too_long"sv, "length_too_short"sv, "length_huge"sv};

/// No reply is that short, with its header.
constexpr std::int64_t kNeverWhole = 20;

template <std::size_t size>
bool among(const std::array<std::string_view, size>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// Goes through one worker's journal, request by request.
class Replies {
 public:
  Replies(const Case& given, Findings& findings)
      : view_(given.view), scenario_(given.evidence.scenario), findings_(findings) {}

  void judge(const Incarnation& incarnation) {
    call_ = nullptr;
    for (const std::uint32_t place : incarnation.records())
      take(view_.trace().workers[place].record);
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
      wrote_ = false;
    }
    if (call_ == nullptr || record.request != request_) return;
    wrote_ = wrote_ || record.kind == Kind::wrote;
    if (record.kind != Kind::receipt) return;
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
    const bool wrong = receipt_->fault == "error_reply" ? ok : is_spoilt(*receipt_);
    if (!wrong) return;
    findings_.push_back({"sound_reply",
                         fmt::format("{} ended with {}, though its reply was spoilt ({})",
                                     who(*call_), name(call_->outcome), receipt_->fault),
                         call_->ended});
  }

  [[nodiscard]] bool is_spoilt(const JournalRecord& receipt) const {
    const std::string_view fault = receipt.fault;
    if (among(kAlways, fault)) return true;
    if (among(kLengths, fault)) return scenario_.pool.framing.prefix_bytes == 4;
    if (fault == "length_over_limit") return scenario_.pool.framing.can_be_exceeded();
    const faults::PlannedFault* const planned = view_.planned_for(receipt);
    if (planned == nullptr) return false;
    // It may be whole, and its worker gone before it noted that.
    if (fault == "reply_truncated") return !wrote_ && planned->number("keep_bytes") <= kNeverWhole;
    // A list is a result like any other.
    if (fault == "reply_reshaped") return planned->text("shape") != "result_list";
    if (fault == "id_wrong") return planned->number("offset") != 0;
    if (fault == "killed_mid_call") return is_deadly(static_cast<int>(planned->number("signal")));
    // Text that says so may be meant to pass for a reply.
    return fault == "text_before_reply" && !planned->text("text").empty() &&
           planned->text("text").find("success") == std::string_view::npos;
  }

  const View& view_;
  const scenario::Scenario& scenario_;
  Findings& findings_;
  const ClientStep* call_ = nullptr;  ///< the one whose request was read last
  std::optional<std::uint64_t> request_;
  const JournalRecord* receipt_ = nullptr;  ///< the last of that request
  std::size_t receipts_ = 0;
  bool wrote_ = false;
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
