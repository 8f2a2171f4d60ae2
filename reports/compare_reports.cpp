#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "harness/base/outcome.hpp"
#include "harness/run/result.hpp"
#include "reports/compare_kinds.hpp"

namespace poolproof::reports {
namespace {

using nlohmann::json;
using run::Verdict;

/// The worst verdict of each scenario over its repetitions.
struct Verdicts {
  std::vector<std::string> order;
  std::map<std::string, Verdict> by_name;
};

InputError wrong(const std::string& where, std::string_view what) {
  return {where, std::string(what), "see reports/report.schema.json"};
}

/// Notes the names that several scenarios of one report have, each in a file of its own.
void note_shared(const Document& document, std::set<std::string>& names) {
  const auto scenarios = document.json.find("scenarios");
  if (scenarios == document.json.end() || !scenarios->is_array()) return;
  std::map<std::string, std::set<std::string>> here;
  for (const json& scenario : *scenarios) {
    const auto title = text_at(scenario, "name");
    if (title) here[*title].insert(text_at(scenario, "file").value_or(""));
  }
  for (const auto& [title, of_it] : here) {
    if (of_it.size() > 1) names.insert(title);
  }
}

Parsed<Verdicts> read(const Document& document, const std::set<std::string>& shared) {
  const auto scenarios = document.json.find("scenarios");
  if (scenarios == document.json.end() || !scenarios->is_array()) {
    return unexpected(wrong(document.name + "#/scenarios", "is no list"));
  }
  Verdicts found;
  for (std::size_t i = 0; i < scenarios->size(); ++i) {
    const json& scenario = (*scenarios)[i];
    const std::string where = fmt::format("{}#/scenarios/{}", document.name, i);
    const std::optional<std::string> title = text_at(scenario, "name");
    const std::optional<std::string> world = text_at(scenario, "world");
    if (!title || !world) return unexpected(wrong(where, "no \"name\" or no \"world\""));
    const auto verdict =
        named<Verdict>(run::kVerdictNames, text_at(scenario, "verdict").value_or(""));
    if (!verdict) return unexpected(wrong(where + "/verdict", "is not known here"));
    // One report may hold several scenarios of one name; then their files tell them apart.
    const std::string file =
        shared.contains(*title) ? text_at(scenario, "file").value_or("") : std::string();
    const std::string& which = file.empty() ? *title : file;
    const std::string key = *world == "host" ? which : fmt::format("{} ({})", which, *world);
    const auto [entry, is_new] = found.by_name.try_emplace(key, *verdict);
    if (is_new) found.order.push_back(key);
    entry->second = std::max(entry->second, *verdict);
  }
  return found;
}

Change judged(Verdict before, Verdict after) {
  if (before == after) return Change::same;
  if (after > before) return Change::regression;
  return after == Verdict::pass ? Change::better : Change::changed;
}

}  // namespace

Parsed<Comparison> compare_reports(const Document& base, const Document& fresh, Comparison into) {
  std::set<std::string> shared;
  note_shared(base, shared);
  note_shared(fresh, shared);
  const Parsed<Verdicts> before = read(base, shared);
  if (!before) return unexpected(before.error());
  const Parsed<Verdicts> after = read(fresh, shared);
  if (!after) return unexpected(after.error());

  for (const std::string& key : after->order) {
    const Verdict now = after->by_name.at(key);
    const auto old = before->by_name.find(key);
    if (old == before->by_name.end()) {
      into.added.push_back(fmt::format("{}: {}", key, run::name(now)));
    } else {
      into.rows.push_back({key, judged(old->second, now), std::string(run::name(old->second)),
                           std::string(run::name(now)), std::nullopt});
    }
  }
  for (const std::string& key : before->order) {
    if (!after->by_name.contains(key)) into.removed.push_back(key);
  }
  return into;
}

}  // namespace poolproof::reports
