#pragma once

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "harness/oracle/oracle.hpp"
#include "harness/trace/jsonl.hpp"

/// For the oracle's tests: the hand-written traces.
namespace poolproof::oracle {

struct Story {
  scenario::Scenario scenario;
  trace::Trace trace;

  [[nodiscard]] Evidence evidence() const { return {scenario, trace, {}}; }
};

inline Story told(const std::string& name) {
  const std::string path = std::string(POOLPROOF_BAD_TRACES) + "/" + name + ".jsonl";
  std::ifstream file(path);
  INFO(path);
  REQUIRE(file.good());
  std::ostringstream text;
  text << file.rdbuf();
  // The reader of traces knows the censuses of the host only: that of the quiescent is renamed
  // here.
  std::string lines = text.str();
  constexpr std::string_view kQuiescent = "\"kind\":\"quiescent\"";
  const std::size_t quiescent = lines.find(kQuiescent);
  if (quiescent != std::string::npos)
    lines.replace(quiescent, kQuiescent.size(), "\"kind\":\"before\"");
  auto trace = trace::read_trace(lines, name + ".jsonl");
  if (!trace) FAIL(trace.error().line());
  if (quiescent != std::string::npos) trace->os.at(1).when = "quiescent";
  auto scenario = scenario::read_scenario(trace->header.scenario_json, name + ".jsonl#scenario");
  if (!scenario) FAIL(scenario.error().line());
  return {std::move(*scenario), std::move(*trace)};
}

inline std::set<std::string> broken(const Story& story) {
  std::set<std::string> names;
  for (const Finding& finding : judge(story.evidence())) {
    UNSCOPED_INFO(finding.invariant << ": " << finding.what);
    names.insert(finding.invariant);
  }
  return names;
}

/// The client's step, to be changed.
inline trace::ClientStep& step(Story& story, const std::string& client, std::uint32_t place) {
  for (trace::ClientStep& one : story.trace.clients) {
    if (one.client == client && one.step == place) return one;
  }
  FAIL("no such step");
  std::abort();
}

inline Time ms(double at) {
  return Time(Duration(static_cast<std::int64_t>(at * 1000)));
}

/// As in virtual time, where nothing is late.
inline std::vector<Finding> findings_at_once(const Story& story) {
  return judge({story.scenario, story.trace, {Duration::zero()}});
}

/// A receipt of the worker, somewhere in its journal.
inline void strike(Story& story, const char* fault, double at, std::uint64_t request) {
  trace::WorkerRecord record = story.trace.workers.front();
  record.at = ms(at);
  record.record = faults::record_of(faults::JournalRecord::Kind::receipt);
  record.record.fault = fault;
  record.record.plan_id = "f0";
  record.record.request = request;
  auto& all = story.trace.workers;
  const auto later = [&record](const trace::WorkerRecord& one) { return one.at > record.at; };
  all.insert(std::find_if(all.begin(), all.end(), later), record);
}

/// Makes one execution of the checkout, the call and the check-in of client b.
inline void execute_as_b(Story& story) {
  scenario::Execute execute;
  execute.command = "echo";
  story.scenario.clients[1].steps = {execute};
  trace::ClientStep whole;
  for (trace::ClientStep& part : story.trace.clients) {
    if (part.client != "b") continue;
    if (part.kind == StepKind::call) whole = part;
    part.step = 0;
    part.part = true;
    whole.begun = whole.ended = part.ended;
  }
  whole.kind = StepKind::execute;
  whole.since = ms(6);
  whole.step = 0;
  whole.lease = LeaseId::none;
  whole.worker.reset();
  whole.nonce.clear();
  whole.reply_nonce.clear();
  whole.written_bytes = 0;
  whole.in_doubt = false;
  story.trace.clients.insert(std::prev(story.trace.clients.end()), whole);
}

/// Client a cancels client b behind its last step.
inline void cancel_b(Story& story, double at) {
  trace::ClientStep cancel;
  cancel.client = "a";
  cancel.kind = StepKind::cancel;
  cancel.step = 3;
  cancel.begun = cancel.ended = ms(at);
  story.scenario.clients[0].steps.emplace_back(scenario::Cancel{"b"});
  story.trace.clients.insert(std::prev(story.trace.clients.end()), cancel);
}

/// With the parameters that it has by default.
inline void plan(Story& story, const char* fault) {
  faults::PlannedFault planned;
  planned.id = "f0";
  planned.fault = faults::find(fault);
  for (const faults::Param& param : planned.fault->params) {
    if (param.is_text) planned.texts.emplace(param.name, param.default_text);
    if (!param.is_text) planned.numbers.emplace(param.name, param.default_number);
  }
  story.scenario.faults.push_back(planned);
}

/// A small change to the good trace and what it breaks: a rule's further half.
struct Change {
  const char* what;
  void (*apply)(Story&);
  std::set<std::string> broken;
};

inline void without_self_report(Story& story) {
  story.trace.pool.clear();
}

/// Of a checkout whose deadline was over.
inline pool::Refuse refusal(std::uint64_t checkout) {
  pool::Refuse refuse;
  refuse.checkout = CheckoutId{checkout};
  refuse.why = Outcome::checkout_timeout;
  return refuse;
}

}  // namespace poolproof::oracle
