#include <set>

#include <fmt/format.h>

#include "harness/oracle/rules.hpp"
#include "harness/oracle/view.hpp"
#include "harness/trace/fields.hpp"

namespace poolproof::oracle {
namespace {

using trace::ClientStep;
using trace::dotted;
using Kind = faults::JournalRecord::Kind;

void report(Findings& findings, std::string what, Time at) {
  findings.push_back({"witnesses", std::move(what), at});
}

void judge_clients_and_journal(const View& view, Findings& findings) {
  std::set<std::string_view> read;
  for (const auto& [worker, incarnation] : view.incarnations) {
    for (const auto* record : incarnation.records) {
      if (record->record.kind != Kind::read || !record->record.nonce) continue;
      const std::string& nonce = *record->record.nonce;
      read.insert(nonce);
      if (view.call_of_nonce.contains(nonce)) continue;
      report(findings,
             fmt::format("worker {} read {}, which no client's history has", dotted(worker), nonce),
             record->at);
    }
  }
  for (const ClientStep* call : view.calls) {
    const bool answered = call->outcome == Outcome::ok || call->outcome == Outcome::worker_error;
    const bool journalled =
        call->worker ? view.has_journal(*call->worker) : view.all_have_journals();
    if (!answered || !journalled || call->nonce.empty() || read.contains(call->nonce)) continue;
    report(findings, who(*call) + " was answered, but no worker's journal shows that it was read",
           call->ended);
  }
}

/// The system's word must be there at all: without it four invariants would pass unjudged.
void judge_census(const Evidence& evidence, Findings& findings) {
  std::set<std::string_view> seen;
  for (const trace::OsRecord& record : evidence.trace.os) seen.insert(record.when);
  const bool wanted = evidence.trace.header.world == "host" || !seen.empty();
  for (const std::string_view when : {"before", "after"}) {
    if (!wanted || seen.contains(when)) continue;
    report(findings, fmt::format("the census {} the pool is missing", when), Time{});
  }
}

/// What the pool says of itself is read here only to contradict it.
void judge_testimony(const Evidence& evidence, Findings& findings) {
  std::map<LeaseId, WorkerId> granted;
  std::map<LeaseId, bool> returned_clean;
  for (const trace::PoolRecord& record : evidence.trace.pool) {
    if (const auto* back = std::get_if<pool::CheckedIn>(&record.event)) {
      returned_clean.emplace(back->lease, back->clean);
    }
    for (const pool::Effect& effect : record.effects) {
      if (const auto* grant = std::get_if<pool::Grant>(&effect)) {
        granted.emplace(grant->lease, grant->worker);
      }
    }
  }
  std::map<LeaseId, const ClientStep*> holder;
  for (const ClientStep& step : evidence.trace.clients) {
    if (is_grant(step)) {
      const auto found = granted.find(step.lease);
      if (found == granted.end() || (step.worker && found->second != *step.worker)) {
        report(findings,
               fmt::format("{} was given worker {}, but the pool says it granted {}", who(step),
                           step.worker ? dotted(*step.worker) : "?",
                           found == granted.end() ? "no such lease" : dotted(found->second)),
               step.ended);
      }
      const auto [before, fresh] = holder.emplace(step.lease, &step);
      if (!fresh) {
        report(findings,
               fmt::format("{} and {} were given the same lease", who(*before->second), who(step)),
               step.ended);
      }
    }
    const bool in_doubt = is_call(step) && !step.skipped && step.in_doubt;
    const auto back = returned_clean.find(step.lease);
    if (in_doubt && back != returned_clean.end() && back->second) {
      report(findings,
             who(step) + " left its stream in doubt, but the pool took the worker as clean",
             step.ended);
    }
  }
}

}  // namespace

void judge_witnesses(const Evidence& evidence, Findings& findings) {
  judge_clients_and_journal(View(evidence), findings);
  judge_census(evidence, findings);
  if (!evidence.trace.pool.empty()) judge_testimony(evidence, findings);
}

}  // namespace poolproof::oracle
