#include "harness/probe/table.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace poolproof::probe {
namespace {

std::vector<std::string> all_that_are(Verdict verdict, const std::vector<Row>& rows) {
  std::vector<std::string> words;
  for (const Row& row : rows) {
    const Finding& finding = row.finding;
    if (finding.verdict == verdict && !finding.told_elsewhere) words.push_back(finding.what);
  }
  return words;
}

/// Lines for the rows that were not tried, grouped by reason.
std::string not_tried_lines(const std::vector<Row>& rows) {
  std::vector<std::pair<std::string_view, std::vector<std::string_view>>> reasons;
  for (const Row& row : rows) {
    if (row.finding.verdict != Verdict::not_tried) continue;
    if (reasons.empty() || reasons.back().first != row.finding.what)
      reasons.emplace_back(row.finding.what, std::vector<std::string_view>());
    reasons.back().second.push_back(row.id);
  }
  std::string text;
  for (const auto& [why, ids] : reasons)
    text += fmt::format("not tried {}: {}\n", fmt::join(ids, ", "), why);
  return text;
}

}  // namespace

std::string_view name(Verdict verdict) {
  switch (verdict) {
    case Verdict::held:
      return "held";
    case Verdict::remark:
      return "remark";
    case Verdict::broken:
      return "broken";
    case Verdict::not_tried:
      break;
  }
  return "not tried";
}

bool Table::usable() const {
  return std::none_of(rows.begin(), rows.end(),
                      [](const Row& row) { return row.finding.verdict == Verdict::broken; });
}

std::string diagnose(const std::vector<Row>& rows) {
  if (const auto faults = all_that_are(Verdict::broken, rows); !faults.empty())
    return fmt::format("no good worker for a pool: it {}", fmt::join(faults, "; it "));
  if (const auto remarks = all_that_are(Verdict::remark, rows); !remarks.empty())
    return fmt::format("a worker that a pool can use, though it {}",
                       fmt::join(remarks, ", and it "));
  return "a sound worker";
}

std::string told(const Table& table) {
  std::string text;
  for (const Row& row : table.rows) {
    const Finding& finding = row.finding;
    if (finding.verdict == Verdict::not_tried) continue;
    text += fmt::format("{:<10}{:<16}{}\n", name(finding.verdict), row.id, finding.what);
    if (finding.verdict != Verdict::held)
      text += fmt::format("{:<26}(a sound worker {})\n", "", row.fact);
  }
  return text + not_tried_lines(table.rows);
}

}  // namespace poolproof::probe
