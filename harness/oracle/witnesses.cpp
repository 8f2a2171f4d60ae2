#include <algorithm>
#include <set>

#include "harness/oracle/rules.hpp"

namespace poolproof::oracle {
namespace {

constexpr const char* kWitnesses = "witnesses";

/// Whether a fault may have made the call's worker answer without reading the request.
bool was_answered_unread(const View& view, const ClientStep& call) {
  return std::any_of(view.receipts.begin(), view.receipts.end(), [&](const Receipt& receipt) {
    return receipt.planned != nullptr && answers_unread(*receipt.planned) &&
           (!call.worker || *call.worker == receipt.record->worker);
  });
}

void judge_clients_and_journal(const View& view, Findings& findings) {
  for (const Read& read : view.reads) {
    if (view.nonces[read.nonce].call != nullptr) continue;
    tell(findings, kWitnesses, read.record->at, "worker {} read {}, which no client's history has",
         dotted(read.record->worker), *read.record->record.nonce);
  }
  for (std::size_t i = 0; i < view.calls.size(); ++i) {
    const ClientStep* call = view.calls[i];
    const bool answered = was_answered(call->outcome);
    if (!answered || call->nonce.empty() || view.read_of(i) != nullptr) continue;
    const bool journalled =
        call->worker ? view.has_journal(*call->worker) : view.all_have_journals();
    if (!journalled || was_answered_unread(view, *call)) continue;
    tell(findings, kWitnesses, *call,
         "was answered, but no worker's journal shows that it was read");
  }
}

bool plans_failed_starts(const scenario::Scenario& scenario) {
  return std::any_of(scenario.faults.begin(), scenario.faults.end(), [](const auto& planned) {
    return planned.fault->moment == faults::Moment::launch;
  });
}

/// Where a worker could not be started, neither its journal nor a client may say that it ran.
void judge_unborn(const View& view, const Incarnation& incarnation, const WorkerRecord& receipt,
                  Findings& findings) {
  const auto contradict = [&](const std::string& how) {
    tell(findings, kWitnesses, receipt.at, "worker {} could not be started ({}), but {}",
         dotted(incarnation.worker), receipt.record.fault, how);
  };
  if (incarnation.signs().started != nullptr) contradict("its journal shows that it ran");
  const auto holds = view.holds_of_worker[incarnation.number];
  if (holds.empty()) return;
  contradict("client " + view.holds[holds.front()].checkout->client + " was given it");
}

void judge_unborn(const Case& given, Findings& findings) {
  if (!plans_failed_starts(given.evidence.scenario)) return;
  std::set<WorkerId> unborn;
  for (const Incarnation& incarnation : given.view.incarnations) {
    const WorkerRecord* receipt = could_not_start(incarnation);
    if (receipt == nullptr) continue;
    unborn.insert(incarnation.worker);
    judge_unborn(given.view, incarnation, *receipt, findings);
  }
  for (const trace::PoolRecord& record : given.evidence.trace.pool) {
    const auto* started = std::get_if<pool::Started>(&record.event);
    if (started == nullptr || !unborn.contains(started->worker)) continue;
    tell(findings, kWitnesses, record.at,
         "worker {} could not be started, but the pool says that it was", dotted(started->worker));
  }
}

/// The system's censuses must be there: without them four invariants would pass unjudged.
void judge_census(const Evidence& evidence, Findings& findings) {
  const auto& os = evidence.trace.os;
  if (os.empty() && evidence.trace.header.world != "host") return;
  for (const std::string_view when : {"before", "after"}) {
    const bool seen = std::any_of(os.begin(), os.end(),
                                  [when](const trace::OsRecord& one) { return one.when == when; });
    if (!seen) tell(findings, kWitnesses, Time{}, "the census {} the pool is missing", when);
  }
}

/// Looks in the self-report for what the clients' histories contradict.
class Testimony {
 public:
  Testimony(const Case& given, Findings& findings)
      : given_(given),
        findings_(findings),
        others_(given.view.memory),
        holders_(given.self_report->leases(), nullptr, given.view.memory) {}

  void judge() {
    const View& view = given_.view;
    for (const std::uint32_t place : view.grants) granted(view.trace().clients[place]);
    for (const std::uint32_t place : view.troubled) {
      if (view.calls[place]->in_doubt) left_in_doubt(*view.calls[place]);
    }
  }

 private:
  void granted(const ClientStep& step) {
    std::uint32_t number = given_.self_report->number_of(step.lease);
    const auto told = number == kNone ? std::nullopt : given_.self_report->lease(number).granted;
    if (!told || (step.worker && *told != *step.worker)) {
      tell(findings_, kWitnesses, step, "was given worker {}, but the pool says it granted {}",
           step.worker ? dotted(*step.worker) : "?", told ? dotted(*told) : "no such lease");
    }
    if (number == kNone) number = number_of_other(step.lease);
    const ClientStep*& holder = holders_[number];
    if (holder == nullptr) {
      holder = &step;
      return;
    }
    tell(findings_, kWitnesses, step.ended, "{} and {} were given the same lease", who(*holder),
         who(step));
  }

  void left_in_doubt(const ClientStep& step) {
    const std::uint32_t number = given_.self_report->number_of(step.lease);
    if (number == kNone || !given_.self_report->lease(number).returned_clean.value_or(false))
      return;
    tell(findings_, kWitnesses, step,
         "left its stream in doubt, but the pool took the worker as clean");
  }

  /// A number for a lease that the self-report does not name.
  std::uint32_t number_of_other(LeaseId lease) {
    const std::uint32_t number = given_.self_report->leases() + others_.number(lease);
    if (number == holders_.size()) holders_.push_back(nullptr);
    return number;
  }

  const Case& given_;
  Findings& findings_;
  Numbering<LeaseId> others_;
  /// By the number of the lease: first those of the self-report, then the others.
  Table<const ClientStep*> holders_;
};

}  // namespace

void judge_witnesses(const Case& given, Findings& findings) {
  judge_session_names(given, findings);
  judge_clients_and_journal(given.view, findings);
  judge_unborn(given, findings);
  judge_census(given.evidence, findings);
  judge_refusals(given, findings);
  judge_measures(given, findings);
  if (given.self_report != nullptr) Testimony(given, findings).judge();
}

}  // namespace poolproof::oracle
