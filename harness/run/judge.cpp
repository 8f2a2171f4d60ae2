#include "harness/run/judge.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "harness/oracle/oracle.hpp"
#include "harness/trace/merge.hpp"
#include "harness/trace/timeline.hpp"

namespace poolproof::run {
namespace {

constexpr std::size_t kTimelineLines = 20;
constexpr std::size_t kSaidMost = 20;

/// How late a pool may be: in virtual time, only a fault of the pool makes anything late.
oracle::Bounds bounds_of(const trace::Trace& trace) {
  return trace.header.world == "sim" ? oracle::Bounds{Duration::zero()} : oracle::Bounds{};
}

void worsen(ScenarioResult& result, Verdict verdict) {
  result.verdict = std::max(result.verdict, verdict);
}

/// The verdict without a trace. A hang or a crash is the pool's failure, everything else is the
/// harness's.
void judge_without_trace(const Attempt& attempt, const std::string& which, ScenarioResult& result) {
  if (attempt.overran) {
    worsen(result, Verdict::fail);
    result.findings.push_back({"hang", which + " was not over in its time and was killed", Time{}});
  } else if (attempt.crashed) {
    worsen(result, Verdict::fail);
    result.findings.push_back({"crash", which + " " + attempt.trouble, Time{}});
  } else {
    worsen(result, Verdict::unknown);
    result.reasons.push_back(which + ": " + attempt.trouble);
  }
}

/// Judges a run that got into trouble: what happened before the trouble is judged as usual.
void judge_trouble(const trace::Header& header, const std::string& which, ScenarioResult& result) {
  if (header.endless) {
    result.findings.push_back({"hang", which + std::string(kEndless), Time{}});
  } else if (!header.trouble.empty()) {
    worsen(result, Verdict::unknown);
    result.reasons.push_back(which + header.trouble);
  }
}

void count_calls(const trace::Trace& trace, ScenarioResult& result) {
  for (const auto& step : trace.clients) {
    if (is_call(step.kind) && !step.skipped)
      ++(step.outcome == Outcome::ok ? result.calls_ok : result.calls_failed);
    if (step.outcome != Outcome::ok && result.said.size() < kSaidMost) {
      result.said.push_back({step.client, step.kind, step.outcome, step.message});
    }
  }
}

/// Takes over what was found in a trace; its times count from the first record, as people see them.
void add(std::vector<oracle::Finding> findings, const trace::Trace& trace, const std::string& where,
         ScenarioResult& result) {
  const Time begin = trace::begin_of(trace::merged(trace));
  for (oracle::Finding& finding : findings) {
    finding.at = Time(std::max(Duration::zero(), finding.at - begin));
    finding.what = where + finding.what;
    result.findings.push_back(std::move(finding));
  }
}

std::string control_sentence(const trace::Trace& control) {
  ScenarioResult counted;
  count_calls(control, counted);
  return fmt::format("with the faults switched off: {} call(s) ok, {} not", counted.calls_ok,
                     counted.calls_failed);
}

void judge_control(const scenario::Scenario& scenario, const trace::Trace& run,
                   const Attempt& control, ScenarioResult& result) {
  if (!control.trace) return judge_without_trace(control, "the control run", result);
  result.control = control_sentence(*control.trace);
  const scenario::Scenario without = scenario::control_of(scenario);
  judge_trouble(control.trace->header, "in the control run: ", result);
  if (control.trace->header.endless) return;
  add(oracle::judge({without, *control.trace, bounds_of(*control.trace)}), *control.trace,
      "in the control run: ", result);
  for (auto& reason : oracle::ineffective_faults(scenario, run, *control.trace)) {
    worsen(result, Verdict::invalid);
    result.reasons.push_back(std::move(reason));
  }
}

}  // namespace

ScenarioResult judge(const scenario::Scenario& scenario, const Attempt& run,
                     const std::optional<Attempt>& control) {
  ScenarioResult result;
  result.name = scenario.name;
  result.why = scenario.why;
  result.tags = scenario.tags;
  result.verdict = Verdict::pass;
  if (!run.trace) {
    judge_without_trace(run, "the run", result);
    return result;
  }
  const trace::Trace& trace = *run.trace;
  count_calls(trace, result);
  const auto strikes = oracle::strikes(scenario, trace);
  for (std::size_t i = 0; i < scenario.faults.size(); ++i) {
    result.strikes.push_back(
        {scenario.faults[i].id, std::string(scenario.faults[i].fault->name), strikes[i]});
  }
  judge_trouble(trace.header, "", result);
  if (!trace.header.endless) {
    for (const auto judging : {oracle::judge, oracle::judge_expectations}) {
      add(judging({scenario, trace, bounds_of(trace)}), trace, "", result);
    }
  }
  for (const auto& signal : trace.environment) {
    if (signal.delivered) continue;
    worsen(result, Verdict::invalid);
    result.reasons.push_back(fmt::format("signal {} for worker {}.{} reached nobody", signal.signal,
                                         signal.worker.slot, signal.worker.generation));
  }
  if (control) judge_control(scenario, trace, *control, result);
  if (!result.findings.empty()) worsen(result, Verdict::fail);
  if (result.verdict != Verdict::pass) result.timeline = trace::timeline(trace, kTimelineLines);
  return result;
}

}  // namespace poolproof::run
