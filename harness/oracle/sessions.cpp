#include <algorithm>
#include <map>
#include <set>
#include <string_view>

#include "harness/oracle/rules.hpp"

/// What clients see of their sessions. What the pool says of them is judged in promises.cpp.
namespace poolproof::oracle {
namespace {

bool names_sessions(const trace::Trace& trace) {
  return std::ranges::any_of(trace.clients,
                             [](const ClientStep& step) { return !step.session.empty(); });
}

}  // namespace

/// A session that is used strictly and never ended keeps one worker all its life. Not judged where
/// a session may be over by itself: it may then begin anew.
void judge_affinity(const Case& given, Findings& findings) {
  const trace::Trace& trace = given.evidence.trace;
  if (given.evidence.scenario.pool.core.session_idle_timeout > Duration::zero()) return;
  if (!names_sessions(trace)) return;
  std::set<std::string_view> ended;
  for (const ClientStep& step : trace.clients) {
    if (step.kind == StepKind::end_session) ended.insert(step.session);
  }
  /// The first checkout that was served in each session
  std::map<std::string_view, const ClientStep*> served;
  for (const ClientStep& step : trace.clients) {
    const bool granted = step.kind == StepKind::checkout && step.worker;
    if (!granted || step.session.empty() || step.affinity != pool::Affinity::strict) continue;
    if (ended.contains(step.session)) continue;
    const ClientStep& first = *served.emplace(step.session, &step).first->second;
    if (*first.worker == *step.worker) continue;
    tell(findings, "affinity", step,
         "got worker {} in the strict session \"{}\", which {} had got worker {} in",
         dotted(*step.worker), step.session, who(first), dotted(*first.worker));
  }
}

/// Each name that clients give a session must belong to one session in the self-report.
void judge_session_names(const Case& given, Findings& findings) {
  const trace::Trace& trace = given.evidence.trace;
  if (trace.pool.empty() || !names_sessions(trace)) return;
  std::map<CheckoutId, SessionId> asked;
  std::map<LeaseId, SessionId> granted;
  for (const trace::PoolRecord& record : trace.pool) {
    if (const auto* asks = std::get_if<pool::CheckoutRequested>(&record.event)) {
      asked[asks->checkout] = asks->use.session;
    }
    for (const pool::Effect& effect : record.effects) {
      if (const auto* grant = std::get_if<pool::Grant>(&effect)) {
        granted[grant->lease] = asked[grant->checkout];
      }
    }
  }
  std::map<SessionId, std::string_view> names;
  for (const ClientStep& step : trace.clients) {
    const auto session = granted.find(step.lease);
    if (step.kind != StepKind::checkout || !step.worker || session == granted.end()) continue;
    const std::string_view known = names.emplace(session->second, step.session).first->second;
    const bool is_none = session->second == SessionId::none;
    if (is_none == step.session.empty() && (is_none || known == step.session)) continue;
    tell(findings, "witnesses", step,
         "asked for a worker in the session \"{}\", the pool took it for one of session #{} "
         "(\"{}\")",
         step.session, static_cast<std::uint64_t>(session->second), known);
  }
}

}  // namespace poolproof::oracle
