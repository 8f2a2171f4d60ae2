#pragma once

#include <fstream>
#include <set>
#include <sstream>
#include <string>

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
  // The reader of traces knows the censuses of the host only: that of the calm is renamed here.
  std::string lines = text.str();
  constexpr std::string_view kCalm = "\"kind\":\"calm\"";
  const std::size_t calm = lines.find(kCalm);
  if (calm != std::string::npos) lines.replace(calm, kCalm.size(), "\"kind\":\"before\"");
  auto trace = trace::read_trace(lines, name + ".jsonl");
  if (!trace) FAIL(trace.error().line());
  if (calm != std::string::npos) trace->os.at(1).when = "calm";
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

}  // namespace poolproof::oracle
