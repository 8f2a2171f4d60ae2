#include "reports/report_json.hpp"

#include <nlohmann/json.hpp>

#include "reports/wording.hpp"

namespace poolproof::reports {
namespace {

using Json = nlohmann::ordered_json;

Json findings(const run::ScenarioResult& scenario) {
  Json list = Json::array();
  for (const oracle::Finding& finding : scenario.findings) {
    list.push_back({{"invariant", finding.invariant},
                    {"what", finding.what},
                    {"at_ms", to_ms(finding.at.time_since_epoch())}});
  }
  return list;
}

Json strikes(const run::ScenarioResult& scenario) {
  Json list = Json::array();
  for (const run::Strikes& strike : scenario.strikes) {
    list.push_back({{"id", strike.id}, {"fault", strike.fault}, {"count", strike.count}});
  }
  return list;
}

Json said(const run::ScenarioResult& scenario) {
  Json list = Json::array();
  for (const run::Said& word : scenario.said) {
    list.push_back({{"client", word.client},
                    {"op", name(word.kind)},
                    {"outcome", name(word.outcome)},
                    {"message", word.message}});
  }
  return list;
}

Json scenario_json(const run::ScenarioResult& scenario) {
  return {{"name", scenario.name},
          {"file", scenario.file},
          {"why", scenario.why},
          {"tags", scenario.tags},
          {"world", scenario.world},
          {"seed", seed_text(scenario.seed)},
          {"repetition", scenario.repetition},
          {"verdict", run::name(scenario.verdict)},
          {"reasons", scenario.reasons},
          {"findings", findings(scenario)},
          {"strikes", strikes(scenario)},
          {"calls", {{"ok", scenario.calls_ok}, {"failed", scenario.calls_failed}}},
          {"said", said(scenario)},
          {"control", scenario.control},
          {"agreement", scenario.agreement},
          {"elapsed_ms", to_ms(scenario.elapsed)},
          {"trace_file", scenario.trace_file},
          {"timeline", scenario.timeline},
          {"again", scenario.again}};
}

Json totals_json(const Totals& sums) {
  Json out{{"scenarios", sums.scenarios}};
  for (std::size_t i = 0; i < sums.by_verdict.size(); ++i) {
    out[std::string(run::kVerdictNames[i])] = sums.by_verdict[i];
  }
  return out;
}

}  // namespace

std::string report_json(const run::RunResult& result) {
  Json scenarios = Json::array();
  for (const run::ScenarioResult& scenario : result.scenarios) {
    scenarios.push_back(scenario_json(scenario));
  }
  const Json report{{"report_version", kReportVersion},    {"poolproof_version", result.version},
                    {"command_line", result.command_line}, {"jobs", result.jobs},
                    {"elapsed_ms", to_ms(result.elapsed)}, {"verdict", run::name(result.worst())},
                    {"exit_code", result.exit_code()},     {"totals", totals_json(totals(result))},
                    {"scenarios", std::move(scenarios)}};
  return report.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace poolproof::reports
