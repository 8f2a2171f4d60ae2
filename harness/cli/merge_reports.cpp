#include "harness/cli/merge_reports.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "harness/run/version.hpp"
#include "reports/junit.hpp"
#include "reports/summary_md.hpp"

namespace poolproof::cli {
namespace {

run::ScenarioResult case_of(const search::SweepState& sum, std::string name) {
  run::ScenarioResult result;
  result.name = std::move(name);
  result.file = "sweep/sweep.json";  // its folder is the suite's name
  result.seed = sum.seed;
  result.world = "sim";
  return result;
}

run::ScenarioResult case_of(const search::SweepState& sum, const search::Failure& failure) {
  run::ScenarioResult result = case_of(sum, failure.signature);
  result.seed = failure.seed;
  result.verdict = run::Verdict::fail;
  result.why = fmt::format("failed {} time(s), first as scenario {}",
                           std::max<std::uint64_t>(failure.times, 1), failure.number);
  result.reasons = {failure.what};
  result.again = fmt::format("poolproof sweep --case {:#x}", failure.seed);
  if (!failure.file.empty()) result.file = failure.file;
  return result;
}

std::string failure_words(const search::Failure& failure) {
  std::string text = fmt::format(
      "\n### {}\n\n{}\n\n- failed {} time(s), first as scenario {}\n- again: `poolproof sweep "
      "--case {:#x}`\n",
      reports::markdown_line(failure.signature), reports::markdown_line(failure.what),
      std::max<std::uint64_t>(failure.times, 1), failure.number, failure.seed);
  if (!failure.file.empty()) {
    text += fmt::format("- shrunk to {} step(s) and fault(s): {}\n", failure.size,
                        reports::markdown_line(failure.file));
  }
  if (failure.on_host.runs > 0) {
    text += fmt::format("- on real processes {} of {} runs failed\n", failure.on_host.failed,
                        failure.on_host.runs);
  }
  return text;
}

std::string_view word_for(MergeVerdict verdict) {
  switch (verdict) {
    case MergeVerdict::held:
      return "no failure";
    case MergeVerdict::failed:
      return "FAILED";
    case MergeVerdict::incomplete:
      return "incomplete";
  }
  return "";
}

}  // namespace

std::string extent_of(const search::SweepState& sum) {
  const std::string of = sum.count > 0 ? fmt::format(" of {}", sum.count) : "";
  return fmt::format("{}{} scenarios in {} of {} shard(s)", sum.done, of, sum.parts.size(),
                     sum.shards);
}

std::string merge_junit(const search::MergedSweep& merged, MergeVerdict verdict,
                        const std::vector<std::string>& coverage) {
  run::RunResult result;
  result.version = run::kVersion;
  result.elapsed = merged.sum.elapsed;
  run::ScenarioResult all = case_of(merged.sum, extent_of(merged.sum));
  all.why = "what the shards of a sweep found together";
  all.verdict = verdict == MergeVerdict::incomplete ? run::Verdict::invalid : run::Verdict::pass;
  if (verdict == MergeVerdict::incomplete) all.reasons = {"the sweep is not whole"};
  all.elapsed = merged.sum.elapsed;
  result.scenarios.push_back(std::move(all));
  for (const std::string& line : merged.missing) {
    run::ScenarioResult one = case_of(merged.sum, line);
    // With --partial, a missing shard is expected: it passes, and the rest is judged.
    one.verdict = verdict == MergeVerdict::incomplete ? run::Verdict::invalid : run::Verdict::pass;
    one.reasons = {line};
    result.scenarios.push_back(std::move(one));
  }
  for (const auto& failure : merged.sum.failures) {
    result.scenarios.push_back(case_of(merged.sum, failure));
  }
  if (!coverage.empty()) {
    run::ScenarioResult broken = case_of(merged.sum, "coverage");
    broken.why = "faults strike where it is said that they can, and nowhere else";
    broken.verdict = run::Verdict::fail;
    broken.reasons = coverage;
    result.scenarios.push_back(std::move(broken));
  }
  return reports::junit(result);
}

std::string merge_summary(const search::MergedSweep& merged, MergeVerdict verdict,
                          const std::vector<std::string>& coverage) {
  const search::SweepState& sum = merged.sum;
  std::string text =
      fmt::format("# Poolproof sweep: {}\n\n{}, seed {:#x}, build {}.\n", word_for(verdict),
                  extent_of(sum), sum.seed, reports::markdown_line(sum.build));
  if (sum.repeated > 0) {
    text += fmt::format(
        "\n{} runs were repeated and compared; the hash of their traces is `{:016x}`.\n",
        sum.repeated, sum.traces);
  }
  if (sum.killed > 0) {
    text += fmt::format("\n{} time(s) a process was killed from outside.\n", sum.killed);
  }
  if (!merged.missing.empty()) text += "\n## Missing\n\n";
  for (const std::string& line : merged.missing) {
    text += fmt::format("- {}\n", reports::markdown_line(line));
  }
  if (!coverage.empty()) text += "\n## Coverage\n\n";
  for (const std::string& line : coverage) {
    text += fmt::format("- {}\n", reports::markdown_line(line));
  }
  if (!sum.failures.empty()) text += "\n## Failures\n";
  for (const auto& failure : sum.failures) text += failure_words(failure);
  return text;
}

}  // namespace poolproof::cli
