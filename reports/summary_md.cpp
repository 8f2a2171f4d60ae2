#include "reports/summary_md.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "harness/base/text.hpp"
#include "reports/wording.hpp"

namespace poolproof::reports {
namespace {

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

std::string row(const run::ScenarioResult& scenario) {
  return fmt::format("| {} | {} | {} | {}/{} | {} |\n", markdown_line(label(scenario)),
                     run::name(scenario.verdict), markdown_line(struck(scenario)),
                     scenario.calls_ok, scenario.calls_failed, to_ms(scenario.elapsed));
}

std::string found(const run::ScenarioResult& scenario) {
  std::string out;
  for (const oracle::Finding& finding : scenario.findings) {
    out += fmt::format("- **{}** at {} ms: {}\n", markdown_line(finding.invariant),
                       to_ms(finding.at.time_since_epoch()), markdown_line(finding.what));
  }
  for (const std::string& reason : scenario.reasons) {
    out += fmt::format("- {}: {}\n", run::name(scenario.verdict), markdown_line(reason));
  }
  return out.empty() ? "" : "\n" + out;
}

std::string said(const run::ScenarioResult& scenario) {
  if (scenario.said.empty()) return "";
  std::string out = "\nWhat the pool said:\n\n";
  for (const run::Said& word : scenario.said) {
    out += fmt::format("- to {} ({}): **{}** {}\n", markdown_line(word.client), name(word.kind),
                       markdown_line(name(word.outcome)), markdown_line(word.message));
  }
  return out;
}

std::string details(const run::ScenarioResult& scenario) {
  std::string out = fmt::format("\n## {}: {}\n\nWhy: {}\n\n- seed {}, world {}, file {}\n",
                                markdown_line(label(scenario)), run::name(scenario.verdict),
                                markdown_line(scenario.why), seed_text(scenario.seed),
                                markdown_line(scenario.world), markdown_line(scenario.file));
  out += fmt::format("- faults struck: {}\n", markdown_line(struck(scenario)));
  if (!scenario.trace_file.empty()) {
    out += fmt::format("- trace: {}\n", markdown_line(scenario.trace_file));
  }
  out += found(scenario);
  out += said(scenario);
  if (!scenario.control.empty()) {
    out += fmt::format("\nControl: {}\n", markdown_line(scenario.control));
  }
  if (!scenario.timeline.empty()) {
    out += "\nTime line:\n\n" + markdown_block(scenario.timeline);
  }
  if (!scenario.again.empty()) out += "\nRun it again:\n\n" + markdown_block(scenario.again);
  return out;
}

}  // namespace

std::string markdown_line(std::string_view text) {
  const std::string line = legal_line(text);
  std::string out;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    const bool inside_word =
        i > 0 && i + 1 < line.size() && is_word(line[i - 1]) && is_word(line[i + 1]);
    if (c == '<' || c == '&') {
      out += c == '<' ? "&lt;" : "&amp;";
    } else if (std::string_view("\\`*[]|~").find(c) != std::string_view::npos ||
               (c == '_' && !inside_word)) {
      out += {'\\', c};
    } else {
      out += c;
    }
  }
  return out;
}

std::string markdown_block(std::string_view text) {
  std::string body = printable_page(text);
  if (!body.empty() && body.back() != '\n') body += '\n';
  std::size_t longest = 2;
  std::size_t running = 0;
  for (const char c : body) {
    running = c == '`' ? running + 1 : 0;
    longest = std::max(longest, running);
  }
  const std::string fence(longest + 1, '`');
  return fence + "text\n" + body + fence + "\n";
}

std::string summary_md(const run::RunResult& result) {
  std::string out = fmt::format("# Poolproof: {}\n\n{} in {} ms ({} jobs, version {}).\n",
                                run::name(result.worst()), sentence(totals(result)),
                                to_ms(result.elapsed), result.jobs, markdown_line(result.version));
  if (result.scenarios.empty()) return out + "\nNothing ran, so nothing is proved.\n";
  out +=
      "\n| scenario | verdict | faults struck | calls ok/failed | ms |\n|---|---|---|---:|---:|\n";
  for (const run::ScenarioResult& scenario : result.scenarios) out += row(scenario);
  for (const run::ScenarioResult& scenario : result.scenarios) {
    if (scenario.verdict != run::Verdict::pass) out += details(scenario);
  }
  return out;
}

}  // namespace poolproof::reports
