#include <algorithm>
#include <array>
#include <optional>

#include <nlohmann/json.hpp>

#include "harness/oracle/rules.hpp"

/// Holds the cause that the pool gives for a failed start against what befell the worker, and
/// against the counts in the pool's own evidence.
namespace poolproof::oracle {
namespace {

using faults::Leaves;

/// Whether the fault leaves a whole, sound reply, be it late or an error.
bool keeps_reply(Leaves left) {
  return left == Leaves::sound || left == Leaves::late || left == Leaves::held_back ||
         left == Leaves::error;
}

/// The cause by which a start fails if this fault alone befalls it; none: that depends.
StartCause cause_by(const faults::Fault& fault, Leaves left) {
  const bool reads_on = fault.moment != faults::Moment::reading;
  switch (left) {
    case Leaves::no_reply:
    case Leaves::no_frame:
      return StartCause::bad_frame;
    case Leaves::held_back:
      return StartCause::reply_unflushed;
    case Leaves::error:
      return StartCause::refused;
    case Leaves::nothing:
      if (fault.closes == faults::Closes::stdout_) return StartCause::stdout_closed;
      if (fault.end == faults::End::exits) return StartCause::exited;
      return fault.end == faults::End::lives && reads_on ? StartCause::ping_unanswered
                                                         : StartCause::none;
    default:
      return StartCause::none;
  }
}

/// Whether the cause is told only when the budget is over: what strikes at that very moment may not
/// have been seen.
bool is_of_budget(StartCause cause) {
  return cause == StartCause::ping_unread || cause == StartCause::ping_unanswered ||
         cause == StartCause::reply_incomplete || cause == StartCause::reply_unflushed ||
         cause == StartCause::budget_spent;
}

/// What is known of a worker whose start is being judged.
class Start {
 public:
  Start(const Case& given, const trace::PoolRecord& judged, const pool::HandshakeEnded& ended)
      : given_(given), judged_(judged), evidence_(ended.evidence) {
    const WorkerId worker = ended.worker;
    const auto known = given.view.find(worker);
    if (known) look_at(*known);
    struck_ = was_struck(given.evidence.trace, worker,
                         [](const trace::EnvironmentRecord& strike) { return strike.delivered; });
  }

  /// Why the cause that was given can't be right; empty: it can.
  [[nodiscard]] std::string wrong() const {
    const StartCause cause = evidence_.cause;
    if (auto other = contradiction(); !other.empty()) return other;
    if (struck_) return "";
    if (cause == StartCause::ping_unread && read_ != nullptr && is_before(read_->at)) {
      return "though it had read its ping";
    }
    const bool only_left = receipts_ == 0 || (receipts_ == 1 && exits_while_idle(receipt_->record));
    if (cause == StartCause::exited && wrote_ && only_left) return "though it had answered before";
    if (cause == StartCause::exited && exits_ && evidence_.exit != ExitStatus{code_, 0}) {
      return fmt::format("though not with the code {} with which it exited", code_);
    }
    if (cause == StartCause::ping_unanswered && only_keep_ && wrote_ &&
        evidence_.late_bytes == wrote_bytes_) {
      return "though its whole reply came at the end of its stdin";
    }
    if (receipts_ == 0) return unfounded(cause);
    if (cause == StartCause::ping_unanswered && receipts_ == 1 && is_still_importing()) {
      return "though it had not begun to read";
    }
    if (receipts_ > 1 || receipt_->record.request.value_or(0) != 0) return "";
    const Leaves left = given_.view.left_by(receipt_->record);
    const StartCause expected = cause_of(left);
    if (expected == cause) return wrong_in_detail();
    if (expected == StartCause::none) return "";
    // The first bytes of a broken frame may happen to be letters.
    if (left == Leaves::no_frame && cause == StartCause::text_on_stdout) return "";
    if (left == Leaves::nothing && cause == StartCause::reply_incomplete) {
      return "though it said nothing";
    }
    // A reply in pieces may not have been read whole; a busy worker may not have looked at its
    // stdin.
    const bool whole = wrote_ && evidence_.late_bytes == wrote_bytes_;
    if (left == Leaves::held_back && !whole) return "";
    const Duration postmortem = given_.evidence.scenario.pool.core.postmortem_budget;
    if (is_of_budget(cause) && !is_before(after(receipt_->at, postmortem))) return "";
    return fmt::format("though what it did was {}", receipt_->record.fault);
  }

 private:
  /// What the evidence itself says against its cause; empty: nothing.
  [[nodiscard]] std::string contradiction() const {
    switch (evidence_.cause) {
      case StartCause::stdout_closed:
      case StartCause::ping_unread:
      case StartCause::ping_unanswered:
      case StartCause::reply_unflushed:
        return evidence_.answered_bytes > 0 ? "though something had come back" : "";
      case StartCause::reply_incomplete:
        return evidence_.answered_bytes == 0 ? "though nothing had come back" : "";
      default:
        return "";
    }
  }

  void look_at(const Incarnation& incarnation) {
    for (const WorkerRecord& record : incarnation.records()) {
      if (record.record.kind == Kind::read && record.record.request == 0U) read_ = &record;
      if (record.record.kind == Kind::exiting) {
        exits_ = true;
        code_ = record.record.code;
      }
      if (record.record.kind == Kind::wrote && record.record.request == 0U) {
        wrote_ = true;
        wrote_bytes_ = record.record.bytes;
      }
      if (record.record.kind != Kind::receipt) continue;
      receipt_ = &record;
      planned_ = given_.view.planned_for(record.record);
      ++receipts_;
      only_keep_ = only_keep_ && keeps_reply(given_.view.left_by(record.record));
    }
  }

  /// The cause to expect: text instead of a frame has a cause of its own.
  [[nodiscard]] StartCause cause_of(Leaves left) const {
    if (planned_ == nullptr) return StartCause::none;
    const auto text = planned_->texts.find("text");
    if (left != Leaves::no_frame || text == planned_->texts.end()) {
      return cause_by(*planned_->fault, left);
    }
    return is_plain(text->second) ? StartCause::text_on_stdout : StartCause::none;
  }

  /// Whether the worker was still in the pause that a fault makes before it reads anything.
  [[nodiscard]] bool is_still_importing() const {
    return planned_ != nullptr && planned_->fault->shows == faults::Shows::pause_before_reading &&
           judged_.at + given_.view.grain < after(receipt_->at, faults::pause_of(*planned_));
  }

  /// What is wrong with the details of a cause that is right; empty: nothing.
  [[nodiscard]] std::string wrong_in_detail() const {
    const StartCause cause = evidence_.cause;
    // These are suspected at once, but told only when the worker's exit has been waited for.
    const bool suspected = cause == StartCause::bad_frame || cause == StartCause::stdout_closed;
    const Duration postmortem = given_.evidence.scenario.pool.core.postmortem_budget;
    if (suspected && judged_.at + given_.view.grain < after(receipt_->at, postmortem)) {
      return "before its post-mortem was over";
    }
    if (cause == StartCause::refused && !is_quoted()) return "but with other words";
    return "";
  }

  /// Whether the evidence quotes the error reply's words, as they are or, from terse messages, as
  /// JSON.
  [[nodiscard]] bool is_quoted() const {
    if (planned_ == nullptr) return true;
    const std::string words(planned_->text("message"));
    const std::string_view told(evidence_.first.data(), evidence_.first_size);
    // In JSON-RPC a code stands behind the words.
    const bool coded = given_.evidence.scenario.pool.speech != wire::Speech::bridge &&
                       told.substr(0, words.size()) == words.substr(0, told.size());
    return coded || told == words.substr(0, evidence_.first.size()) ||
           told == nlohmann::json(words).dump().substr(0, evidence_.first.size());
  }

  /// Whether the text is letters, which no reader can take for a frame's length.
  [[nodiscard]] bool is_plain(std::string_view text) const {
    constexpr std::uint64_t kWordsAsLength = 0x20000000;
    const wire::Framing& framing = given_.evidence.scenario.pool.framing;
    const bool four_bytes = framing.wire == wire::Wire::prefix && framing.prefix_bytes == 4;
    if (!four_bytes || framing.little_endian || framing.max_frame_bytes >= kWordsAsLength)
      return false;
    return text.size() > 4 && std::ranges::all_of(text.substr(0, text.size() - 1), [](char letter) {
             return (letter >= 'a' && letter <= 'z') || letter == ' ';
           });
  }

  /// Why this cause is wrong where no fault struck the worker; empty: it may be right.
  [[nodiscard]] std::string unfounded(StartCause cause) const {
    // The sound reply to a ping may not fit into a small frame.
    constexpr std::size_t kSmallFrame = 512;
    if (given_.evidence.scenario.pool.framing.payload_limit() < kSmallFrame) return "";
    const bool patient = cause == StartCause::ping_unread || cause == StartCause::ping_unanswered ||
                         cause == StartCause::budget_spent ||
                         cause == StartCause::reply_unflushed || cause == StartCause::exec_failed ||
                         cause == StartCause::reply_incomplete;
    if (patient || (cause == StartCause::exited && exits_)) return "";
    return "though no fault had befallen it";
  }

  /// Whether that time was surely before the verdict: on the host, what comes shortly before it may
  /// not have been seen.
  [[nodiscard]] bool is_before(Time at) const {
    return after(at, given_.evidence.bounds.liveness) < judged_.at;
  }

  const Case& given_;
  const trace::PoolRecord& judged_;
  const WorkerRecord* read_ = nullptr;
  const WorkerRecord* receipt_ = nullptr;  ///< the last receipt
  /// The fault of that receipt; null: the plan has none
  const faults::PlannedFault* planned_ = nullptr;
  std::size_t receipts_ = 0;
  bool exits_ = false;
  bool wrote_ = false;  ///< it wrote a reply to the init ping
  std::uint64_t wrote_bytes_ = 0;
  int code_ = 0;  ///< the code with which it exits
  const pool::StartEvidence& evidence_;
  bool only_keep_ = true;  ///< no receipt is of a fault that spoils a reply
  bool struck_ = false;
};

/// Whether the pool put the worker away because of this verdict, and had not told it to go before.
bool is_believed(const trace::PoolRecord& record, WorkerId worker) {
  return std::ranges::any_of(record.effects, [&](const pool::Effect& effect) {
    const auto* stop = std::get_if<pool::Stop>(&effect);
    return stop != nullptr && stop->worker == worker &&
           stop->why == pool::RemovalReason::start_failed;
  });
}

/// With a shorter post-mortem, what looks like one cause may be the first sign of another.
constexpr Duration kPatience{50'000};

}  // namespace

void judge_starts(const Case& given, Findings& findings) {
  const auto& pool = given.evidence.scenario.pool;
  if (!pool.greets() || pool.core.postmortem_budget < kPatience) return;
  if (given.self_report == nullptr) return;
  for (const trace::PoolRecord* bad : given.self_report->noted().bad_handshakes) {
    const trace::PoolRecord& record = *bad;
    const auto* ended = std::get_if<pool::HandshakeEnded>(&record.event);
    if (!given.view.is_ours(ended->worker) || !is_believed(record, ended->worker)) continue;
    const std::string wrong = Start(given, record, *ended).wrong();
    if (wrong.empty()) continue;
    tell(findings, "diagnosis", record.at,
         "the start of worker {} is told to have failed by {}, {}", dotted(ended->worker),
         name(ended->evidence.cause), wrong);
  }
}

}  // namespace poolproof::oracle
