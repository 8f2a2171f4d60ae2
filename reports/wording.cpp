#include "reports/wording.hpp"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "harness/base/text.hpp"

namespace poolproof::reports {

Totals totals(const run::RunResult& result) {
  Totals sums;
  sums.scenarios = result.scenarios.size();
  for (const run::ScenarioResult& scenario : result.scenarios) {
    ++sums.by_verdict[static_cast<std::size_t>(scenario.verdict)];
  }
  return sums;
}

std::string sentence(const Totals& totals) {
  if (totals.scenarios == 0) return "no scenario ran";
  std::string out =
      fmt::format("{} scenario{}", totals.scenarios, totals.scenarios == 1 ? "" : "s");
  std::string_view before = ": ";
  for (std::size_t i = 0; i < totals.by_verdict.size(); ++i) {
    if (totals.by_verdict[i] == 0) continue;
    out += fmt::format("{}{} {}", before, totals.by_verdict[i], run::kVerdictNames[i]);
    before = ", ";
  }
  return out;
}

std::string label(const run::ScenarioResult& scenario) {
  std::string out = legal_line(scenario.name);
  if (scenario.world != "host") out += fmt::format(" ({})", legal_line(scenario.world));
  if (scenario.repetition > 0) out += fmt::format(" #{}", scenario.repetition + 1);
  return out;
}

std::string struck(const run::ScenarioResult& scenario) {
  std::string out;
  for (const run::Strikes& strikes : scenario.strikes) {
    if (!out.empty()) out += ", ";
    out += fmt::format("{} x{}", legal_line(strikes.fault), strikes.count);
  }
  return out.empty() ? "-" : out;
}

std::string told(const run::Said& word) {
  const std::string_view outcome = name(word.outcome);
  if (word.message.rfind(outcome, 0) == 0) return word.message;
  return word.message.empty() ? std::string(outcome) : fmt::format("{}: {}", outcome, word.message);
}

std::string seed_text(std::uint64_t seed) {
  return fmt::format("{:#x}", seed);
}

std::string theme(const run::ScenarioResult& scenario) {
  const std::string folder = std::filesystem::path(scenario.file).parent_path().filename().string();
  return folder.empty() || folder == "." ? "scenarios" : legal_line(folder);
}

std::string legal_line(std::string_view bytes) {
  std::string out = printable_page(bytes);
  std::replace(out.begin(), out.end(), '\n', ' ');
  return out;
}

std::string shortened(std::string text) {
  constexpr std::size_t kWidest = 60;
  if (text.size() <= kWidest) return text;
  std::size_t end = kWidest - 3;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  return text.substr(0, end) + "...";
}

}  // namespace poolproof::reports
