#include "reports/guard_reports.hpp"

#include <filesystem>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "harness/base/text.hpp"
#include "harness/run/version.hpp"

namespace poolproof::reports {
namespace {

using Json = nlohmann::ordered_json;
using guard::Finding;

run::Verdict verdict_of(guard::Verdict verdict) {
  switch (verdict) {
    case guard::Verdict::pass:
      return run::Verdict::pass;
    case guard::Verdict::invalid:
      return run::Verdict::invalid;
    case guard::Verdict::fail:
      break;
  }
  return run::Verdict::fail;
}

std::string with_blame(const Finding& finding) {
  return fmt::format("{} (blame: {})", finding.what, guard::name(finding.blame));
}

Json findings_json(const std::vector<Finding>& findings) {
  Json list = Json::array();
  for (const Finding& finding : findings) {
    Json processes = Json::array();
    for (const guard::Address& one : finding.of) {
      processes.push_back({{"pid", one.pid},
                           {"command", one.command},
                           {"parent", one.parent},
                           {"parent_command", one.parent_command},
                           {"started_ms", to_ms(one.started)}});
    }
    list.push_back({{"invariant", finding.invariant},
                    {"blame", guard::name(finding.blame)},
                    {"what", finding.what},
                    {"at_ms", to_ms(finding.at)},
                    {"processes", std::move(processes)}});
  }
  return list;
}

}  // namespace

run::RunResult run_of_guard(const guard::Judgement& judgement,
                            const std::vector<std::string>& words, const std::string& began,
                            Duration elapsed) {
  run::ScenarioResult result;
  result.file = words.front();
  result.name = std::filesystem::path(words.front()).filename().string();
  result.why = "what a program leaves behind, and how it treats its workers";
  result.verdict = verdict_of(judgement.verdict());
  result.reasons = judgement.reasons;
  for (const Finding& finding : judgement.findings) {
    result.findings.push_back({finding.invariant, with_blame(finding), Time(finding.at)});
  }
  for (const guard::Strikes& strikes : judgement.strikes) {
    result.strikes.push_back({strikes.id, strikes.fault, strikes.count});
  }
  result.elapsed = elapsed;
  result.again = began;
  run::RunResult run;
  run.version = run::kVersion;
  run.command_line = began;
  run.elapsed = elapsed;
  run.scenarios.push_back(std::move(result));
  return run;
}

std::string guard_json(const guard::Judgement& judgement, const std::vector<std::string>& words) {
  Json strikes = Json::array();
  for (const guard::Strikes& one : judgement.strikes) {
    strikes.push_back({{"id", one.id}, {"fault", one.fault}, {"count", one.count}});
  }
  const Json document{{"schema_version", 1},
                      {"command", words},
                      {"verdict", guard::name(judgement.verdict())},
                      {"findings", findings_json(judgement.findings)},
                      {"remarks", findings_json(judgement.remarks)},
                      {"reasons", judgement.reasons},
                      {"strikes", std::move(strikes)}};
  return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string told(const guard::Judgement& judgement) {
  std::string text;
  for (const Finding& finding : judgement.findings) {
    text +=
        fmt::format("  {}: {}\n", finding.invariant, printable_message(with_blame(finding), 2000));
  }
  for (const std::string& reason : judgement.reasons) {
    text += fmt::format("  {}\n", printable_message(reason, 2000));
  }
  for (const Finding& remark : judgement.remarks) {
    text += fmt::format("  remark, {}: {}\n", remark.invariant,
                        printable_message(with_blame(remark), 2000));
  }
  for (const guard::Strikes& one : judgement.strikes) {
    text += fmt::format("  {} ({}) struck {} time{}\n", printable_message(one.fault),
                        printable_message(one.id), one.count, one.count == 1 ? "" : "s");
  }
  return text;
}

}  // namespace poolproof::reports
