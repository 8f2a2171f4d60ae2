#include <algorithm>
#include <array>
#include <system_error>

#include "fake_workers/launch.hpp"
#include "harness/oracle/clients.hpp"
#include "harness/oracle/rules.hpp"

namespace poolproof::oracle {
namespace {

// ---- one outcome -------------------------------------------------------------------------------

constexpr const char* kOneOutcome = "one_outcome";

bool is_legal(StepKind kind, Outcome outcome) {
  using enum Outcome;
  constexpr std::array kCheckout{ok,           checkout_timeout, queue_full,
                                 start_failed, pool_closed,      cancelled,
                                 worker_busy,  worker_gone,      sessions_full};
  constexpr std::array kNotOfCall{checkout_timeout, queue_full,  start_failed,
                                  worker_busy,      worker_gone, sessions_full};
  constexpr std::array kGivesBack{ok, lease_over};
  constexpr std::array kClose{ok, call_timeout, pool_closed};
  const auto among = [outcome](const auto& outcomes) {
    return std::find(outcomes.begin(), outcomes.end(), outcome) != outcomes.end();
  };
  switch (kind) {
    case StepKind::checkout:
      return among(kCheckout);
    case StepKind::call:
    case StepKind::call_bytes:
      return !among(kNotOfCall);
    case StepKind::checkin:
    case StepKind::thrown:
      return among(kGivesBack);
    case StepKind::execute:
      return true;
    case StepKind::close:
      return among(kClose);
    default:
      return false;
  }
}

/// Holds one client's history against the scenario's steps.
class History {
 public:
  History(const ClientSteps& client, const View& view, Findings& findings)
      : client_(client), view_(view), findings_(findings) {}

  void judge() {
    for (const std::uint32_t place : client_.history) {
      take(view_.trace().clients[place]);
    }
    const bool whole =
        repetition_ + 1 == client_.client->repeat && next_ == client_.client->steps.size();
    if (!whole) skip_to(client_.client->repeat, 0, end_);
  }

 private:
  void take(const ClientStep& step) {
    const auto& steps = client_.client->steps;
    const bool known = step.step < steps.size() && step.repetition < client_.client->repeat;
    if (!known || !is_of(step, steps[step.step])) {
      return report(step, "is no step of the scenario");
    }
    const std::pair place(step.repetition, step.step);
    const std::pair expected(repetition_, next_);
    if (place < expected || step.begun < end_ || step.ended < step.begun) {
      return report(step, "ended twice or out of order");
    }
    if (place > expected) skip_to(step.repetition, step.step, step.begun);
    if (!step.part) next_ = step.step + 1;
    end_ = step.ended;
    if (step.outcome != Outcome::ok && !step.skipped && !is_legal(step.kind, step.outcome)) {
      tell(findings_, kOneOutcome, step, "ended with {}, which it never can", name(step.outcome));
    }
  }

  /// Reports an outcome as missing: no step from the expected one up to the given one has a record.
  void skip_to(std::uint32_t repetition, std::uint32_t step, Time at) {
    if (std::pair(repetition_, next_) >= std::pair(repetition, step)) return;
    const auto& steps = client_.client->steps;
    std::size_t missing = 0;
    std::string first;
    while (std::pair(repetition_, next_) < std::pair(repetition, step)) {
      if (next_ >= steps.size()) {
        ++repetition_;
        next_ = 0;
        continue;
      }
      if (has_outcome(scenario::kind(steps[next_])) && missing++ == 0) {
        first = fmt::format("step {} ({})", next_, name(scenario::kind(steps[next_])));
      }
      ++next_;
    }
    if (missing == 0) return;
    const std::string more = missing > 1 ? fmt::format(", and {} more,", missing - 1) : "";
    tell(findings_, kOneOutcome, at, "client {}, {}{} has no outcome", client_.name(), first, more);
  }

  void report(const ClientStep& step, std::string_view what) {
    tell(findings_, kOneOutcome, step, "{}", what);
  }

  const ClientSteps& client_;
  const View& view_;
  Findings& findings_;
  std::uint32_t repetition_ = 0;
  std::uint32_t next_ = 0;  ///< the number of the step expected next
  Time end_ = Time::min();
};

/// Whether every failed step ended with an outcome that its kind of step can have.
bool all_may_be(const Case& given) {
  const auto& failed = given.view.failed;
  return std::all_of(failed.begin(), failed.end(), [&given](std::uint32_t place) {
    const ClientStep& step = given.evidence.trace.clients[place];
    return is_legal(step.kind, step.outcome);
  });
}

}  // namespace

void judge_one_outcome(const Case& given, Findings& findings) {
  judge_executions(given, findings);
  // This nearly always holds. Where it does not, History finds out what is wrong.
  if (given.view.is_in_order && all_may_be(given)) return;
  const auto clients = clients_of(given.evidence, given.view);
  for (const ClientSteps& client : clients) History(client, given.view, findings).judge();
  for (const std::uint32_t place : strangers(clients, given.view)) {
    const ClientStep& step = given.evidence.trace.clients[place];
    tell(findings, kOneOutcome, step.ended, "{}: no such client", who(step));
  }
}

// ---- pairing -----------------------------------------------------------------------------------

void judge_pairing(const Case& given, Findings& findings) {
  judge_ids(given, findings);
  const View& view = given.view;
  for (const ClientStep* call : view.calls) {
    if (!was_answered(call->outcome) || call->reply_nonce.empty()) continue;
    if (same(std::string_view(call->reply_nonce), std::string_view(call->nonce))) continue;
    tell(findings, "pairing", *call, "got the reply to {}", call->reply_nonce);
  }
  judge_foreign_replies(given, findings);
  for (const Read& one : view.reads) {
    if (view.nonces[one.nonce].call == nullptr) continue;
    const WorkerRecord& read = *one.record;
    const ClientStep& call = *view.nonces[one.nonce].call;
    std::string wrong;
    if (call.worker && *call.worker != read.worker) {
      wrong = fmt::format("was read by worker {}, its lease was of {}", dotted(read.worker),
                          dotted(*call.worker));
    } else if (read.at + view.grain < call.begun) {
      wrong = "was read before it was sent";
    } else if (was_answered(call.outcome) && call.ended + view.grain < read.at) {
      wrong = "was answered before it was read";
    }
    if (!wrong.empty()) tell(findings, "pairing", read.at, "{} {}", who(call), wrong);
  }
}

// ---- ids of requests ---------------------------------------------------------------------------

/// The pool numbers its requests to one worker. With a number used twice, the reply to one request
/// could pass for the reply to the other.
void judge_ids(const Case& given, Findings& findings) {
  if (given.evidence.scenario.pool.opaque) return;
  for (const Incarnation& incarnation : given.view.incarnations) {
    if (!incarnation.signs().ids_fall) continue;
    std::optional<std::int64_t> last;
    for (const WorkerRecord& record : incarnation.records()) {
      if (record.record.kind != Kind::read || !record.record.id) continue;
      if (last && *record.record.id <= *last) {
        tell(findings, "pairing", record.at,
             "worker {} read a request with the id {} after one with {}",
             dotted(incarnation.worker), *record.record.id, *last);
      }
      last = record.record.id;
    }
  }
}

// ---- sound replies -----------------------------------------------------------------------------

/// A reply that a fault spoilt is no answer: the call that it was meant for must end neither with
/// ok nor with worker_error. (Where the fault made it an error reply: not with ok.)
namespace {

/// Goes through one worker's journal, request by request.
class Replies {
 public:
  Replies(const Case& given, Findings& findings) : view_(given.view), findings_(findings) {}

  void judge(const Incarnation& incarnation) {
    call_ = nullptr;
    wrote_unasked_ = false;
    for (const WorkerRecord& one : incarnation.records()) take(one.record);
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
    if (record.kind != Kind::receipt) return;
    const auto* const planned = view_.planned_for(record);
    if (planned != nullptr && faults::writes_unasked(*planned)) wrote_unasked_ = true;
    if (call_ == nullptr || record.request != request_) return;
    receipt_ = &record;
    ++receipts_;
  }

  /// Judges the call whose request was read last, when the next request is read or the journal
  /// ends.
  void finish() {
    // Two faults may undo one another: an "x" before a header of two lengths leaves one valid
    // length.
    if (call_ == nullptr || receipts_ != 1 || wrote_unasked_) return;
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
  const ClientStep* call_ = nullptr;  ///< the call whose request was read last
  /// It wrote unasked output, in whose middle its next reply may begin
  bool wrote_unasked_ = false;
  std::optional<std::uint64_t> request_;
  const JournalRecord* receipt_ = nullptr;  ///< the last receipt at that request
  std::size_t receipts_ = 0;
};

}  // namespace

void judge_sound_reply(const Case& given, Findings& findings) {
  judge_changed_echoes(given, findings);
  if (given.evidence.scenario.faults.empty() || given.evidence.scenario.pool.opaque) return;
  Replies replies(given, findings);
  for (const Incarnation& incarnation : given.view.incarnations) {
    if (incarnation.signs().receipt != nullptr) replies.judge(incarnation);
  }
}

// ---- at most once ------------------------------------------------------------------------------

void judge_at_most_once(const Case& given, Findings& findings) {
  for (const Read& one : given.view.reads) {
    const WorkerRecord& read = *one.record;
    const WorkerRecord& first = *given.view.nonces[one.nonce].read;
    if (&first == &read) continue;
    tell(findings, "at_most_once", read.at, "{} was read by worker {} and again by worker {}",
         *read.record.nonce, dotted(first.worker), dotted(read.worker));
  }
  for (const std::uint32_t place : given.view.troubled) {
    const ClientStep& call = *given.view.calls[place];
    if (!call.retryable || (call.written_bytes == 0 && given.view.read_of(place) == nullptr))
      continue;
    tell(findings, "at_most_once", call,
         "got {} and was told that it is safe to ask again, though {}", name(call.outcome),
         call.written_bytes == 0 ? std::string("a worker had read it")
                                 : fmt::format("{} bytes of it were written", call.written_bytes));
  }
}

// ---- gate --------------------------------------------------------------------------------------

namespace {

/// Whether the record is a receipt of a fault that spoilt the reply to the init ping.
bool spoils_ping(const View& view, const JournalRecord& record) {
  if (record.kind != Kind::receipt || record.request != 0U) return false;
  const faults::Leaves left = view.left_by(record);
  return left == faults::Leaves::error || faults::is_spoilt(left);
}

/// Why the first call to this incarnation came too early; empty: it did not.
std::string gate_broken(const Incarnation& incarnation) {
  bool ponged = false;
  bool pinged = false;
  std::size_t strikes = 0;  // receipts of faults at the init ping
  std::string_view spoiled;
  for (const WorkerRecord& stamped : incarnation.records()) {
    const JournalRecord& record = stamped.record;
    if (record.kind == Kind::read && !record.nonce && record.request == 0U) {
      pinged = is_ping(record);
    }
    ponged = ponged || (record.kind == Kind::wrote && record.request == 0U);
    if (spoils_ping(*incarnation.view, record)) spoiled = record.fault;
    if (record.kind == Kind::receipt && record.request == 0U) ++strikes;
    if (record.kind != Kind::read || !record.nonce) continue;
    if (!pinged) return "it had not got its init ping";
    if (!ponged) return "it had not answered its init ping";
    // Several faults may undo one another: one cuts off a byte and another adds it, one makes an id
    // a text and another makes it a number again.
    if (spoiled.empty() || strikes > 1) return "";
    return fmt::format("its answer to the init ping was no good ({})", spoiled);
  }
  return "";
}

}  // namespace

void judge_gate(const Case& given, Findings& findings) {
  if (!given.evidence.scenario.pool.greets()) return;
  for (const Incarnation& incarnation : given.view.incarnations) {
    if (!incarnation.signs().gate_in_doubt) continue;
    const std::string why = gate_broken(incarnation);
    if (why.empty()) continue;
    const Time at = incarnation.records().front().at;
    tell(findings, "gate", at, "worker {} was sent a call although {}", dotted(incarnation.worker),
         why);
  }
}

// ---- diagnosis ---------------------------------------------------------------------------------

namespace {

/// Whether the error of a start that a fault made fail repeats what exec said. True also where no
/// fault makes a start fail: then only the system knows what exec said.
bool says_why_not_started(const scenario::Scenario& scenario, const ClientStep& step) {
  bool planned = false;
  for (const faults::PlannedFault& fault : scenario.faults) {
    if (fault.fault->moment != faults::Moment::launch) continue;
    planned = true;
    const std::string why = std::generic_category().message(faults::errno_of(fault));
    if (step.message.find(why) != std::string::npos) return true;
  }
  return !planned;
}

}  // namespace

void judge_diagnosis(const Case& given, Findings& findings) {
  for (const std::uint32_t place : given.view.failed) {
    const ClientStep& step = given.evidence.trace.clients[place];
    if (step.outcome == Outcome::worker_error) continue;
    const auto says = [&step](std::string_view word) {
      return step.message.find(word) != std::string::npos;
    };
    std::string lacks;
    if (step.message.empty()) {
      lacks = "says nothing";
    } else if (step.outcome == Outcome::worker_died && !says("signal") && !says("code")) {
      lacks = "tells neither an exit code nor a signal";
    } else if (step.outcome == Outcome::start_failed && step.cause == StartCause::none) {
      lacks = "names no cause";
    } else if (step.cause == StartCause::exec_failed &&
               !says_why_not_started(given.evidence.scenario, step)) {
      lacks = "does not say what exec said";
    }
    if (lacks.empty()) continue;
    tell(findings, "diagnosis", step.ended, "{}: the error {} {}", who(step), name(step.outcome),
         lacks);
  }
  judge_facts(given, findings);
}

}  // namespace poolproof::oracle
