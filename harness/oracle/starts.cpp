#include <algorithm>
#include <array>
#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "harness/oracle/rules.hpp"
#include "harness/trace/fields.hpp"

/// Why a start failed, as the pool says, held against what befell the worker and against what its
/// own evidence counts.
namespace poolproof::oracle {
namespace {

using faults::JournalRecord;
using trace::dotted;
using Kind = JournalRecord::Kind;

using namespace std::string_view_literals;
constexpr std::array kBadFrames{"json_invalid"sv, "utf8_invalid"sv,    "nan_result"sv,
                                "id_text"sv,      "success_missing"sv, "reply_reshaped"sv};
constexpr std::array kSilent{"reply_dropped"sv, "input_read_as_lines"sv};
constexpr std::array kKeepReply{"error_reply"sv, "reply_unflushed"sv, "reply_slow"sv,
                                "import_slow"sv, "stderr_flood"sv};
constexpr std::array kExits{"exit_at_start"sv, "exit_mid_call"sv};

/// The reply is late, or an error, but a whole one that is sound.
bool keeps_reply(std::string_view fault) {
  return std::find(kKeepReply.begin(), kKeepReply.end(), fault) != kKeepReply.end();
}

/// What a start comes to by this fault, if nothing else befalls it; none: that depends.
StartCause cause_by(std::string_view fault) {
  const auto among = [fault](const auto& names) {
    return std::find(names.begin(), names.end(), fault) != names.end();
  };
  if (among(kBadFrames)) return StartCause::bad_frame;
  if (among(kExits)) return StartCause::exited;
  if (among(kSilent)) return StartCause::ping_unanswered;
  if (fault == "reply_unflushed") return StartCause::reply_unflushed;
  if (fault == "error_reply") return StartCause::refused;
  if (fault == "stdout_closed") return StartCause::stdout_closed;
  return StartCause::none;
}

/// Told when the budget is over: what strikes at that very moment may not have been seen.
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
    for (const trace::EnvironmentRecord& strike : given.evidence.trace.environment) {
      struck_ = struck_ || (strike.worker == worker && strike.delivered);
    }
  }

  /// Why that can't be the cause; empty: it can.
  [[nodiscard]] std::string wrong() const {
    const StartCause cause = evidence_.cause;
    if (auto other = contradiction(); !other.empty()) return other;
    if (struck_) return "";
    if (cause == StartCause::ping_unread && read_ != nullptr && is_before(read_->at)) {
      return "though it had read its ping";
    }
    const bool left = receipts_ == 0 || (receipts_ == 1 && is("exit_while_idle"));
    if (cause == StartCause::exited && wrote_ && left) return "though it had answered before";
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
    const bool spoke = is("banner") && is_plain_banner();
    const bool too_long =
        is("length_over_limit") && given_.evidence.scenario.pool.framing.can_be_exceeded();
    const StartCause expected = spoke      ? StartCause::text_on_stdout
                                : too_long ? StartCause::bad_frame
                                           : cause_by(receipt_->record.fault);
    if (expected == cause) return wrong_in_detail();
    if (expected == StartCause::none) return "";
    // Its first bytes may happen to be letters.
    if (too_long && cause == StartCause::text_on_stdout) return "";
    if (is("stdout_closed") && cause == StartCause::reply_incomplete)
      return "though it said nothing";
    // Torn to pieces, it may not have been read whole; busy, it may not have looked at its stdin.
    if (is("reply_unflushed") && (!wrote_ || evidence_.late_bytes != wrote_bytes_)) return "";
    const Duration postmortem = given_.evidence.scenario.pool.core.postmortem_budget;
    if (is_of_budget(cause) && !is_before(after(receipt_->at, postmortem))) return "";
    return fmt::format("though what it did was {}", receipt_->record.fault);
  }

 private:
  /// What the evidence itself says against its cause.
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
    for (const std::uint32_t place : incarnation.records()) {
      const trace::WorkerRecord& record = given_.evidence.trace.workers[place];
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
      ++receipts_;
      only_keep_ = only_keep_ && keeps_reply(record.record.fault);
    }
  }

  [[nodiscard]] bool is(std::string_view fault) const { return receipt_->record.fault == fault; }

  /// It pauses before it reads anything.
  [[nodiscard]] bool is_still_importing() const {
    if (!is("import_slow")) return false;
    const faults::PlannedFault* const planned = given_.view.planned_for(receipt_->record);
    if (planned == nullptr) return false;
    const std::chrono::milliseconds pause(planned->number("delay_ms"));
    return judged_.at + given_.view.grain < after(receipt_->at, pause);
  }

  /// The cause is the right one; what is told of it may not be.
  [[nodiscard]] std::string wrong_in_detail() const {
    const StartCause cause = evidence_.cause;
    // Both are seen at once, and then its exit is waited for.
    const bool suspected = cause == StartCause::bad_frame || cause == StartCause::stdout_closed;
    const Duration postmortem = given_.evidence.scenario.pool.core.postmortem_budget;
    if (suspected && judged_.at + given_.view.grain < after(receipt_->at, postmortem)) {
      return "before its post-mortem was over";
    }
    if (cause == StartCause::refused && !is_quoted()) return "but with other words";
    return "";
  }

  /// The error reply's words, as they were or, from terse messages, as JSON.
  [[nodiscard]] bool is_quoted() const {
    const faults::PlannedFault* const planned = given_.view.planned_for(receipt_->record);
    if (planned == nullptr) return true;
    const std::string words(planned->text("message"));
    const std::string_view told(evidence_.first.data(), evidence_.first_size);
    return told == words.substr(0, evidence_.first.size()) ||
           told == nlohmann::json(words).dump().substr(0, evidence_.first.size());
  }

  /// Words, which nobody can take for a length.
  [[nodiscard]] bool is_plain_banner() const {
    constexpr std::uint64_t kWordsAsLength = 0x20000000;
    const auto& scenario = given_.evidence.scenario;
    const wire::Framing& framing = scenario.pool.framing;
    if (framing.prefix_bytes != 4 || framing.max_frame_bytes >= kWordsAsLength) return false;
    const faults::PlannedFault* const planned = given_.view.planned_for(receipt_->record);
    if (planned == nullptr) return false;
    const std::string_view text = planned->text("text");
    return text.size() > 4 && std::all_of(text.begin(), text.end() - 1, [](char letter) {
             return (letter >= 'a' && letter <= 'z') || letter == ' ';
           });
  }

  /// What only a fault can bring about, and none did.
  [[nodiscard]] std::string unfounded(StartCause cause) const {
    // A ping's sound reply may be too long for a small frame.
    constexpr std::size_t kSmallFrame = 512;
    if (given_.evidence.scenario.pool.framing.payload_limit() < kSmallFrame) return "";
    const bool patient = cause == StartCause::ping_unread || cause == StartCause::ping_unanswered ||
                         cause == StartCause::budget_spent ||
                         cause == StartCause::reply_unflushed || cause == StartCause::exec_failed ||
                         cause == StartCause::reply_incomplete;
    if (patient || (cause == StartCause::exited && exits_)) return "";
    return "though no fault had befallen it";
  }

  /// In the host world, what comes shortly before may still be unseen.
  [[nodiscard]] bool is_before(Time at) const {
    return after(at, given_.evidence.bounds.liveness) < judged_.at;
  }

  const Case& given_;
  const trace::PoolRecord& judged_;
  const trace::WorkerRecord* read_ = nullptr;
  const trace::WorkerRecord* receipt_ = nullptr;
  std::size_t receipts_ = 0;
  bool exits_ = false;
  bool wrote_ = false;  ///< its reply to the ping
  std::uint64_t wrote_bytes_ = 0;
  int code_ = 0;  ///< with which it exits
  const pool::StartEvidence& evidence_;
  bool only_keep_ = true;  ///< no receipt is of a fault that spoils a reply
  bool struck_ = false;
};

/// Because of it, the worker is put away: it had not been told to go before.
bool is_believed(const trace::PoolRecord& record, WorkerId worker) {
  return std::any_of(record.effects.begin(), record.effects.end(), [&](const pool::Effect& effect) {
    const auto* stop = std::get_if<pool::Stop>(&effect);
    return stop != nullptr && stop->worker == worker &&
           stop->why == pool::RemovalReason::start_failed;
  });
}

/// With less, what looks like one cause may be the first sign of another.
constexpr Duration kPatience{50'000};

}  // namespace

void judge_starts(const Case& given, Findings& findings) {
  const auto& pool = given.evidence.scenario.pool;
  if (pool.opaque || pool.core.postmortem_budget < kPatience) return;
  if (given.testimony == nullptr) return;
  for (const trace::PoolRecord* bad : given.testimony->noted().bad_handshakes) {
    const trace::PoolRecord& record = *bad;
    const auto* ended = std::get_if<pool::HandshakeEnded>(&record.event);
    if (!given.view.has_journal(ended->worker) || !is_believed(record, ended->worker)) continue;
    const std::string wrong = Start(given, record, *ended).wrong();
    if (wrong.empty()) continue;
    findings.push_back({"diagnosis",
                        fmt::format("the start of worker {} is told to have failed by {}, {}",
                                    dotted(ended->worker), name(ended->evidence.cause), wrong),
                        record.at});
  }
}

}  // namespace poolproof::oracle
