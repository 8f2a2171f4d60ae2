#include "reports/table.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "reports/wording.hpp"

namespace poolproof::reports {
namespace {

constexpr std::size_t kVerdictColumn = 1;
constexpr std::size_t kFirstNumber = 3;  ///< this column and all after it are aligned to the right

using Row = std::array<std::string, 5>;
using Widths = std::array<std::size_t, 5>;

Row row_of(const run::ScenarioResult& scenario) {
  return {shortened(label(scenario)), std::string(run::name(scenario.verdict)),
          shortened(struck(scenario)),
          fmt::format("{}/{}", scenario.calls_ok, scenario.calls_failed),
          std::to_string(to_ms(scenario.elapsed))};
}

std::string_view colour(std::string_view verdict) {
  if (verdict == run::name(run::Verdict::pass)) return "\x1b[32m";
  if (verdict == run::name(run::Verdict::fail)) return "\x1b[31m";
  if (verdict == run::name(run::Verdict::divergent)) return "\x1b[31m";
  return "\x1b[33m";
}

std::string line(const Row& row, const Widths& widths, bool coloured) {
  std::string out;
  for (std::size_t i = 0; i < row.size(); ++i) {
    const std::string blanks(widths[i] - row[i].size(), ' ');
    if (i > 0) out += "  ";
    if (i >= kFirstNumber) out += blanks;
    const bool paint = coloured && i == kVerdictColumn;
    out += paint ? fmt::format("{}{}\x1b[0m", colour(row[i]), row[i]) : row[i];
    if (i < kFirstNumber) out += blanks;
  }
  return out + "\n";
}

}  // namespace

std::string table(const run::RunResult& result, bool colours) {
  const Row heads{"scenario", "verdict", "faults struck", "calls ok/failed", "ms"};
  std::vector<Row> rows;
  for (const run::ScenarioResult& scenario : result.scenarios) rows.push_back(row_of(scenario));
  Widths widths{};
  for (std::size_t i = 0; i < heads.size(); ++i) {
    widths[i] = heads[i].size();
    for (const Row& row : rows) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string out = rows.empty() ? "" : line(heads, widths, false);
  for (const Row& row : rows) out += line(row, widths, colours);
  return out + fmt::format("{} in {} ms\n", sentence(totals(result)), to_ms(result.elapsed));
}

}  // namespace poolproof::reports
