#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "harness/oracle/rules.hpp"
#include "harness/oracle/view.hpp"
#include "harness/trace/fields.hpp"

namespace poolproof::oracle {
namespace {

using faults::JournalRecord;
using trace::ClientStep;
using trace::dotted;
using Kind = JournalRecord::Kind;

/// A moment after which nobody may use that incarnation.
struct Doubt {
  WorkerId worker;
  LeaseId lease;
  Time at;
  const ClientStep* why;
};

/// In virtual time several leases may begin and end in one moment; their numbers tell the order.
bool comes_after(const Doubt& doubt, Time at, LeaseId lease) {
  return at > doubt.at || (at == doubt.at && lease > doubt.lease);
}

std::set<std::string_view> nonces_read(const View& view) {
  std::set<std::string_view> nonces;
  for (const auto& [worker, incarnation] : view.incarnations) {
    for (const auto* record : incarnation.records) {
      if (record->record.kind == Kind::read && record->record.nonce) {
        nonces.insert(*record->record.nonce);
      }
    }
  }
  return nonces;
}

std::vector<Doubt> doubts(const Evidence& evidence, const View& view) {
  std::vector<Doubt> found;
  const auto read = nonces_read(view);
  for (const ClientStep* call : view.calls) {
    if (!call->worker || !leaves_doubt(*call, read.contains(call->nonce))) continue;
    found.push_back({*call->worker, call->lease, call->ended, call});
  }
  if (evidence.scenario.pool.on_exception != pool::OnException::discard) return found;
  for (const ClientStep& step : evidence.trace.clients) {
    if (step.op != "throw" || step.skipped || !step.worker) continue;
    found.push_back({*step.worker, step.lease, step.begun, &step});
  }
  return found;
}

/// A fault after which a sound pool may put the worker away. Those of the shutdown family act only
/// when it has been told to go.
bool excuses_loss(const JournalRecord& receipt) {
  const faults::Fault* fault = fault_of(receipt);
  if (fault == nullptr) return true;
  return !fault->harmless && fault->family != faults::Family::shutdown &&
         fault->name != "error_reply";
}

/// The record that shows that the pool had told this incarnation to go; null: none.
const trace::WorkerRecord* told_to_go(const Incarnation& incarnation) {
  for (const auto* record : incarnation.records) {
    const Kind kind = record->record.kind;
    if (kind == Kind::term || kind == Kind::stdin_end) return record;
    if (kind == Kind::read && record->record.command == "shutdown" && !record->record.nonce) {
      return record;
    }
  }
  return nullptr;
}

/// The first sign that the incarnation had been lost to the pool; kNever: it may be there still.
Time lost_at(const View& view, WorkerId worker, const Incarnation& incarnation) {
  Time lost = kNever;
  if (const auto* record = told_to_go(incarnation)) lost = record->at;
  for (const auto& [other, later] : view.incarnations) {
    const bool successor = other.slot == worker.slot && other.generation > worker.generation;
    const auto* started = successor ? later.first(Kind::started) : nullptr;
    if (started != nullptr) lost = std::min(lost, started->at);
  }
  return lost;
}

class Overkill {
 public:
  explicit Overkill(const Evidence& evidence) : evidence_(evidence), view_(evidence) {
    for (const Doubt& doubt : doubts(evidence, view_)) excused_.insert(doubt.worker);
    for (const auto& strike : evidence.trace.environment) {
      if (strike.delivered) excused_.insert(strike.worker);
    }
    for (const Hold& hold : view_.holds) served_.insert(hold.worker);
  }

  void judge(Findings& findings) const {
    for (const auto& [worker, incarnation] : view_.incarnations) {
      const Time lost = lost_at(view_, worker, incarnation);
      if (lost == kNever || lost + kGrain >= view_.close_begun) continue;
      if (excused(worker, incarnation, lost)) continue;
      findings.push_back(
          {"no_overkill",
           fmt::format("worker {} was put away before the pool was closed, though no "
                       "fault, no signal and no call had given a reason",
                       dotted(worker)),
           lost});
    }
  }

 private:
  [[nodiscard]] bool excused(WorkerId worker, const Incarnation& incarnation, Time lost) const {
    if (excused_.contains(worker)) return true;
    // Its start may have taken longer than its budget: that can be ruled out only when the budget,
    // counted from before there was a pool, was not over.
    const Duration budget = evidence_.scenario.pool.core.startup_budget;
    if (!served_.contains(worker) && lost + kGrain >= after(view_.begun, budget)) return true;
    for (const auto* record : incarnation.records) {
      if (record->record.kind == Kind::receipt && excuses_loss(record->record)) return true;
    }
    return incarnation.first(Kind::exiting) != nullptr && told_to_go(incarnation) == nullptr;
  }

  const Evidence& evidence_;
  View view_;
  std::set<WorkerId> excused_;
  std::set<WorkerId> served_;  ///< leased at least once
};

void judge_holds(const View& view, Findings& findings) {
  std::map<WorkerId, std::vector<const Hold*>> by_worker;
  for (const Hold& hold : view.holds) by_worker[hold.worker].push_back(&hold);
  for (auto& [worker, holds] : by_worker) {
    std::stable_sort(holds.begin(), holds.end(),
                     [](const Hold* a, const Hold* b) { return a->from < b->from; });
    const Hold* longest = nullptr;
    for (const Hold* hold : holds) {
      // Strict on both sides: in virtual time a whole hold may take no time at all.
      if (longest != nullptr && hold->from < longest->to && longest->from < hold->to) {
        findings.push_back(
            {"exclusive_lease",
             fmt::format("worker {} was leased to client {} while client {} held it",
                         dotted(worker), hold->checkout->client, longest->checkout->client),
             hold->from});
      }
      if (longest == nullptr || hold->to > longest->to) longest = hold;
    }
  }
}

/// A stranger's request, read while somebody held the worker.
void judge_strangers(const View& view, Findings& findings) {
  for (const Hold& hold : view.holds) {
    const auto found = view.incarnations.find(hold.worker);
    if (found == view.incarnations.end()) continue;
    for (const auto* record : found->second.records) {
      const bool inside = record->at > hold.from + kGrain && record->at + kGrain < hold.to;
      if (!inside || record->record.kind != Kind::read || !record->record.nonce) continue;
      const auto call = view.call_of_nonce.find(*record->record.nonce);
      if (call == view.call_of_nonce.end()) continue;
      if (call->second->client == hold.checkout->client) continue;
      findings.push_back(
          {"exclusive_lease",
           fmt::format("worker {} read {} while client {} held it", dotted(hold.worker),
                       *record->record.nonce, hold.checkout->client),
           record->at});
    }
  }
}

}  // namespace

void judge_exclusive_lease(const Evidence& evidence, Findings& findings) {
  const View view(evidence);
  judge_holds(view, findings);
  judge_strangers(view, findings);
}

void judge_no_dirty_reuse(const Evidence& evidence, Findings& findings) {
  const View view(evidence);
  const auto report = [&findings](const Doubt& doubt, const std::string& what, Time at) {
    findings.push_back(
        {"no_dirty_reuse",
         fmt::format("worker {} {} after {} had left its stream in doubt ({})",
                     dotted(doubt.worker), what, who(*doubt.why), name(doubt.why->outcome)),
         at});
  };
  for (const Doubt& doubt : doubts(evidence, view)) {
    for (const Hold& hold : view.holds) {
      if (hold.worker == doubt.worker && comes_after(doubt, hold.from, hold.checkout->lease)) {
        report(doubt, "was leased to client " + hold.checkout->client, hold.from);
      }
    }
    const auto incarnation = view.incarnations.find(doubt.worker);
    if (incarnation == view.incarnations.end()) continue;
    for (const auto* record : incarnation->second.records) {
      if (record->record.kind != Kind::read || !record->record.nonce) continue;
      const auto call = view.call_of_nonce.find(*record->record.nonce);
      const bool later = call != view.call_of_nonce.end() && call->second->begun >= doubt.at &&
                         comes_after(doubt, record->at, call->second->lease);
      if (later) report(doubt, "read " + *record->record.nonce, record->at);
    }
  }
}

void judge_no_overkill(const Evidence& evidence, Findings& findings) {
  Overkill(evidence).judge(findings);
}

}  // namespace poolproof::oracle
