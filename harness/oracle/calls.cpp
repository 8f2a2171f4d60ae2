#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "harness/oracle/clients.hpp"
#include "harness/oracle/rules.hpp"
#include "harness/oracle/view.hpp"
#include "harness/trace/fields.hpp"

namespace poolproof::oracle {
namespace {

using faults::JournalRecord;
using trace::ClientStep;
using trace::dotted;
using Kind = JournalRecord::Kind;

bool was_answered(const ClientStep& call) {
  return call.outcome == Outcome::ok || call.outcome == Outcome::worker_error;
}

/// Every journal record of a call that was read.
template <class Visit>
void each_read(const View& view, Visit visit) {
  for (const auto& [worker, incarnation] : view.incarnations) {
    for (const auto* record : incarnation.records) {
      if (record->record.kind == Kind::read && record->record.nonce) visit(*record);
    }
  }
}

// ---- one outcome -------------------------------------------------------------------------------

bool is_legal(const ClientStep& step) {
  using enum Outcome;
  constexpr std::array kCheckout{ok,           checkout_timeout, queue_full,
                                 start_failed, pool_closed,      cancelled};
  constexpr std::array kNotOfCall{checkout_timeout, queue_full, start_failed};
  const auto among = [&step](const auto& outcomes) {
    return std::find(outcomes.begin(), outcomes.end(), step.outcome) != outcomes.end();
  };
  if (step.op == "checkout") return among(kCheckout);
  if (is_call(step)) return !among(kNotOfCall);
  if (step.op == "checkin" || step.op == "throw") return among(std::array{ok, lease_over});
  if (step.op == "close") return among(std::array{ok, call_timeout, pool_closed});
  return step.outcome == ok;
}

/// Holds one client's history against the scenario's steps.
class History {
 public:
  History(const ClientSteps& client, Findings& findings) : client_(client), findings_(findings) {}

  void judge() {
    for (const ClientStep* step : client_.history) take(*step);
    skip_to(client_.client->repeat, 0, end_);
  }

 private:
  void take(const ClientStep& step) {
    const auto& steps = client_.client->steps;
    const bool known = step.step < steps.size() && step.repetition < client_.client->repeat;
    if (!known || scenario::name(steps[step.step]) != step.op) {
      return report(who(step) + " is no step of the scenario", step.ended);
    }
    const bool again = std::pair(step.repetition, step.step) < std::pair(repetition_, next_);
    if (again || step.begun < end_ || step.ended < step.begun) {
      return report(who(step) + " ended twice or out of order", step.ended);
    }
    skip_to(step.repetition, step.step, step.begun);
    next_ = step.step + 1;
    end_ = step.ended;
    if (!step.skipped && !is_legal(step)) {
      report(fmt::format("{} ended with {}, which it never can", who(step), name(step.outcome)),
             step.ended);
    }
  }

  /// Everything from the next expected step up to that one has no record: an outcome is missing.
  void skip_to(std::uint32_t repetition, std::uint32_t step, Time at) {
    const auto& steps = client_.client->steps;
    std::size_t missing = 0;
    std::string first;
    while (std::pair(repetition_, next_) < std::pair(repetition, step)) {
      if (next_ >= steps.size()) {
        ++repetition_;
        next_ = 0;
        continue;
      }
      if (scenario::has_outcome(steps[next_]) && missing++ == 0) {
        first = fmt::format("step {} ({})", next_, scenario::name(steps[next_]));
      }
      ++next_;
    }
    if (missing == 0) return;
    const std::string more = missing > 1 ? fmt::format(", and {} more,", missing - 1) : "";
    report(fmt::format("client {}, {}{} has no outcome", client_.name, first, more), at);
  }

  void report(std::string what, Time at) {
    findings_.push_back({"one_outcome", std::move(what), at});
  }

  const ClientSteps& client_;
  Findings& findings_;
  std::uint32_t repetition_ = 0;
  std::uint32_t next_ = 0;  ///< step
  Time end_ = Time::min();
};

}  // namespace

void judge_one_outcome(const Evidence& evidence, Findings& findings) {
  for (const ClientSteps& client : clients_of(evidence)) History(client, findings).judge();
  for (const ClientStep& step : strangers(evidence)) {
    findings.push_back({"one_outcome", who(step) + ": no such client", step.ended});
  }
}

// ---- pairing -----------------------------------------------------------------------------------

void judge_pairing(const Evidence& evidence, Findings& findings) {
  const View view(evidence);
  const auto report = [&findings](const ClientStep& call, const std::string& what, Time at) {
    findings.push_back({"pairing", who(call) + " " + what, at});
  };
  for (const ClientStep* call : view.calls) {
    if (!was_answered(*call) || call->reply_nonce.empty()) continue;
    if (call->reply_nonce == call->nonce) continue;
    report(*call, "got the reply to " + call->reply_nonce, call->ended);
  }
  each_read(view, [&](const trace::WorkerRecord& read) {
    const auto found = view.call_of_nonce.find(*read.record.nonce);
    if (found == view.call_of_nonce.end()) return;
    const ClientStep& call = *found->second;
    if (call.worker && *call.worker != read.worker) {
      report(call,
             fmt::format("was read by worker {}, its lease was of {}", dotted(read.worker),
                         dotted(*call.worker)),
             read.at);
    } else if (read.at + kGrain < call.begun) {
      report(call, "was read before it was sent", read.at);
    } else if (was_answered(call) && call.ended + kGrain < read.at) {
      report(call, "was answered before it was read", read.at);
    }
  });
}

// ---- at most once ------------------------------------------------------------------------------

void judge_at_most_once(const Evidence& evidence, Findings& findings) {
  const View view(evidence);
  std::map<std::string_view, const trace::WorkerRecord*> first;
  each_read(view, [&](const trace::WorkerRecord& read) {
    const auto [before, fresh] = first.emplace(*read.record.nonce, &read);
    if (fresh) return;
    findings.push_back(
        {"at_most_once",
         fmt::format("{} was read by worker {} and again by worker {}", *read.record.nonce,
                     dotted(before->second->worker), dotted(read.worker)),
         read.at});
  });
}

// ---- gate --------------------------------------------------------------------------------------

namespace {

/// Faults that make a reply to the init ping no good reply, whatever their parameters.
bool spoils_ping(const JournalRecord& record) {
  constexpr std::array<std::string_view, 6> kSpoilers{
      "error_reply", "id_text", "success_missing", "json_invalid", "nan_result", "utf8_invalid"};
  if (record.kind != Kind::receipt || record.request != 0U) return false;
  return std::find(kSpoilers.begin(), kSpoilers.end(), record.fault) != kSpoilers.end();
}

/// Why the first call to this incarnation came too early; empty: it did not.
std::string gate_broken(const Incarnation& incarnation) {
  bool ponged = false;
  bool pinged = false;
  std::string spoiled;
  for (const auto* stamped : incarnation.records) {
    const JournalRecord& record = stamped->record;
    if (record.kind == Kind::read && !record.nonce && record.request == 0U) {
      pinged = record.command == "ping" && record.id == 0;
    }
    ponged = ponged || (record.kind == Kind::wrote && record.request == 0U);
    if (spoils_ping(record)) spoiled = record.fault;
    if (record.kind != Kind::read || !record.nonce) continue;
    if (!pinged) return "it had not got its init ping";
    if (!ponged) return "it had not answered its init ping";
    return spoiled.empty() ? "" : "its answer to the init ping was no good (" + spoiled + ")";
  }
  return "";
}

}  // namespace

void judge_gate(const Evidence& evidence, Findings& findings) {
  if (evidence.scenario.pool.opaque) return;
  const View view(evidence);
  for (const auto& [worker, incarnation] : view.incarnations) {
    const std::string why = gate_broken(incarnation);
    if (why.empty()) continue;
    findings.push_back({"gate",
                        fmt::format("worker {} was sent a call although {}", dotted(worker), why),
                        incarnation.records.front()->at});
  }
}

// ---- diagnosis ---------------------------------------------------------------------------------

void judge_diagnosis(const Evidence& evidence, Findings& findings) {
  for (const ClientStep& step : evidence.trace.clients) {
    if (step.skipped || step.outcome == Outcome::ok || step.outcome == Outcome::worker_error) {
      continue;
    }
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
    }
    if (lacks.empty()) continue;
    findings.push_back({"diagnosis",
                        fmt::format("{}: the error {} {}", who(step), name(step.outcome), lacks),
                        step.ended});
  }
}

}  // namespace poolproof::oracle
