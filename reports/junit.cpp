#include "reports/junit.hpp"

#include <algorithm>
#include <sstream>
#include <utility>

#include <fmt/format.h>
#include <pugixml.hpp>

#include "harness/base/text.hpp"
#include "reports/wording.hpp"

namespace poolproof::reports {
namespace {

/// The numbers that readers of JUnit files expect, for one suite or for all.
struct Counts {
  std::size_t tests = 0;
  std::size_t failures = 0;
  std::size_t errors = 0;
  Duration elapsed{};

  void add(run::Verdict verdict, Duration took) {
    ++tests;
    elapsed += took;
    if (verdict == run::Verdict::fail) {
      ++failures;
    } else if (verdict != run::Verdict::pass) {
      ++errors;
    }
  }
};

std::string seconds(Duration d) {
  return fmt::format("{}.{:06}", d.count() / 1'000'000, d.count() % 1'000'000);
}

void set(pugi::xml_node node, const char* name, const std::string& value) {
  node.append_attribute(name).set_value(legal_line(value).c_str());
}

void append_text(pugi::xml_node parent, const char* name, const std::string& text) {
  parent.append_child(name).text().set(printable_page(text).c_str());
}

void write(const Counts& counts, pugi::xml_node node) {
  set(node, "tests", std::to_string(counts.tests));
  set(node, "failures", std::to_string(counts.failures));
  set(node, "errors", std::to_string(counts.errors));
  set(node, "time", seconds(counts.elapsed));
}

/// The reasons, one line each. Findings come first, because they name the pool's fault.
std::vector<std::string> complaints(const run::ScenarioResult& scenario) {
  std::vector<std::string> lines;
  for (const oracle::Finding& finding : scenario.findings) {
    lines.push_back(fmt::format("{} at {} ms: {}", finding.invariant,
                                to_ms(finding.at.time_since_epoch()), finding.what));
  }
  lines.insert(lines.end(), scenario.reasons.begin(), scenario.reasons.end());
  if (lines.empty()) lines.emplace_back("no reason was given");
  return lines;
}

void append_complaints(pugi::xml_node test, const run::ScenarioResult& scenario) {
  const bool failed = scenario.verdict == run::Verdict::fail;
  pugi::xml_node node = test.append_child(failed ? "failure" : "error");
  const std::vector<std::string> lines = complaints(scenario);
  set(node, "type", std::string(run::name(scenario.verdict)));
  set(node, "message", lines.front());
  std::string text = fmt::format("why: {}\n", scenario.why);
  for (const std::string& line : lines) text += line + "\n";
  for (const run::Said& word : scenario.said) {
    text += fmt::format("the pool said to {} ({}): {}\n", word.client, name(word.kind), told(word));
  }
  if (!scenario.control.empty()) text += fmt::format("control: {}\n", scenario.control);
  if (!scenario.again.empty()) text += fmt::format("again: {}\n", scenario.again);
  node.text().set(printable_page(text).c_str());
  if (!scenario.timeline.empty()) append_text(test, "system-out", scenario.timeline);
}

void append_test(pugi::xml_node suite, const run::ScenarioResult& scenario) {
  pugi::xml_node test = suite.append_child("testcase");
  set(test, "classname", theme(scenario));
  set(test, "name", label(scenario));
  set(test, "file", scenario.file);
  set(test, "time", seconds(scenario.elapsed));
  pugi::xml_node properties = test.append_child("properties");
  for (const auto& [name, value] :
       {std::pair<const char*, std::string>{"seed", seed_text(scenario.seed)},
        {"world", scenario.world},
        {"verdict", std::string(run::name(scenario.verdict))}}) {
    pugi::xml_node property = properties.append_child("property");
    set(property, "name", name);
    set(property, "value", value);
  }
  if (scenario.verdict != run::Verdict::pass) append_complaints(test, scenario);
}

Counts append_suite(pugi::xml_node root, const std::string& suite_theme,
                    const run::RunResult& result) {
  pugi::xml_node suite = root.append_child("testsuite");
  set(suite, "name", suite_theme);
  Counts counts;
  for (const run::ScenarioResult& scenario : result.scenarios) {
    if (theme(scenario) != suite_theme) continue;
    counts.add(scenario.verdict, scenario.elapsed);
    append_test(suite, scenario);
  }
  write(counts, suite);
  return counts;
}

void append_nothing_ran(pugi::xml_node root) {
  pugi::xml_node suite = root.append_child("testsuite");
  set(suite, "name", "scenarios");
  write({1, 0, 1, {}}, suite);
  pugi::xml_node test = suite.append_child("testcase");
  set(test, "classname", "scenarios");
  set(test, "name", "some scenario runs");
  set(test.append_child("error"), "message", "no scenario ran: this proves nothing");
}

/// The themes in the order of their first scenario.
std::vector<std::string> themes(const run::RunResult& result) {
  std::vector<std::string> found;
  for (const run::ScenarioResult& scenario : result.scenarios) {
    std::string next = theme(scenario);
    if (std::find(found.begin(), found.end(), next) == found.end()) {
      found.push_back(std::move(next));
    }
  }
  return found;
}

/// A document with its root, `testsuites`.
struct Document {
  pugi::xml_document xml;
  pugi::xml_node root;

  explicit Document(const std::string& root_name) {
    pugi::xml_node declaration = xml.append_child(pugi::node_declaration);
    set(declaration, "version", "1.0");
    set(declaration, "encoding", "UTF-8");
    root = xml.append_child("testsuites");
    set(root, "name", root_name);
  }

  [[nodiscard]] std::string text() const {
    std::ostringstream out;
    xml.save(out, "  ");
    return out.str();
  }
};

void append_row(pugi::xml_node suite, const probe::Row& row) {
  pugi::xml_node test = suite.append_child("testcase");
  set(test, "classname", "probe");
  set(test, "name", fmt::format("{}: {}", row.id, row.fact));
  set(test, "time", seconds(row.took));
  const std::string words = row.finding.what;
  switch (row.finding.verdict) {
    case probe::Verdict::broken:
      set(test.append_child("failure"), "message", "it " + words);
      break;
    case probe::Verdict::not_tried:
      set(test.append_child("skipped"), "message", words);
      break;
    default:
      append_text(test, "system-out", fmt::format("{}: it {}", name(row.finding.verdict), words));
  }
}

}  // namespace

std::string junit(const run::RunResult& result) {
  Document document("poolproof " + result.version);
  const pugi::xml_node root = document.root;

  Counts all;
  for (const std::string& suite_theme : themes(result)) {
    const Counts counts = append_suite(root, suite_theme, result);
    all.tests += counts.tests;
    all.failures += counts.failures;
    all.errors += counts.errors;
  }
  if (result.scenarios.empty()) {
    append_nothing_ran(root);
    all = {1, 0, 1, {}};
  }
  all.elapsed = result.elapsed;
  write(all, root);
  return document.text();
}

std::string junit_of_probe(const probe::Table& table) {
  Document document("poolproof probe");
  pugi::xml_node suite = document.root.append_child("testsuite");
  set(suite, "name", fmt::format("{}", fmt::join(table.command, " ")));
  Counts counts;
  std::size_t skipped = 0;
  for (const probe::Row& row : table.rows) {
    const bool broken = row.finding.verdict == probe::Verdict::broken;
    counts.add(broken ? run::Verdict::fail : run::Verdict::pass, row.took);
    skipped += row.finding.verdict == probe::Verdict::not_tried ? 1 : 0;
    append_row(suite, row);
  }
  for (pugi::xml_node node : {suite, document.root}) {
    write(counts, node);
    set(node, "skipped", std::to_string(skipped));
  }
  append_text(suite, "system-out", "diagnosis: " + table.diagnosis);
  return document.text();
}

}  // namespace poolproof::reports
