#include <cstdint>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "fake_workers/plan.hpp"
#include "harness/agreement/replay.hpp"
#include "harness/base/read_file.hpp"
#include "harness/base/text.hpp"
#include "harness/cli/commands.hpp"
#include "harness/guard/judge.hpp"
#include "harness/oracle/oracle.hpp"
#include "harness/run/runner.hpp"
#include "harness/trace/jsonl.hpp"
#include "harness/trace/timeline.hpp"
#include "reports/compare.hpp"

namespace poolproof::cli {
namespace {

using nlohmann::json;

/// The largest file that is read: no trace or report that we write is longer.
constexpr std::uintmax_t kLongestFile = std::uintmax_t{1} << 30U;

Parsed<trace::Trace> read_trace_file(const std::string& file) {
  return read_file(file, kLongestFile, "the path of a trace.jsonl")
      .and_then([&](const std::string& text) { return trace::read_trace(text, file); });
}

std::string param_text(const faults::Param& param) {
  if (!param.words.empty()) {
    return fmt::format("\"{}\" (of {})", param.default_text, fmt::join(param.words, ", "));
  }
  if (param.is_text) return fmt::format("\"{}\"", printable(param.default_text));
  return fmt::format("{} ({} to {})", param.default_number, param.min, param.max);
}

int list_faults(bool as_json) {
  json all = json::array();
  for (const auto& fault : faults::catalogue()) {
    json row = faults::describe(fault);
    row["summary"] = fault.summary;
    row["source"] = fault.source;
    all.push_back(std::move(row));
    if (as_json) continue;
    fmt::print("{:<22} {:<9} {:<9} {}\n", fault.name, faults::name(fault.family),
               faults::name(fault.moment), fault.summary);
    for (const auto& param : fault.params) {
      fmt::print("{:<42}   {}: {}\n", "", param.name, param_text(param));
    }
  }
  if (as_json) fmt::print("{}\n", all.dump(2));
  return kHeld;
}

/// Lists the invariants of runs and sweeps first, then those of guard.
int list_invariants(bool as_json) {
  json all = json::array();
  for (const auto& invariant : oracle::invariants()) {
    all.push_back({{"name", invariant.name},
                   {"code", invariant.code},
                   {"summary", invariant.summary},
                   {"needs_self_report", invariant.needs_self_report()},
                   {"judged_by", "run"}});
    if (!as_json)
      fmt::print("{:<24} {:<4} {}\n", invariant.name, invariant.code, invariant.summary);
  }
  if (!as_json) fmt::print("\nof any program, by poolproof guard:\n");
  for (const auto& invariant : guard::invariants()) {
    all.push_back({{"name", invariant.name},
                   {"summary", invariant.summary},
                   {"needs_self_report", false},
                   {"judged_by", "guard"}});
    if (!as_json) fmt::print("{:<24} {:<4} {}\n", invariant.name, "", invariant.summary);
  }
  if (as_json) fmt::print("{}\n", all.dump(2));
  return kHeld;
}

int list_scenarios(const std::vector<std::string>& paths, bool as_json) {
  const auto scenarios = run::load_scenarios(paths, worlds::find_programs());
  if (!scenarios) return bad_input(scenarios.error());
  json all = json::array();
  for (const auto& [scenario, file, text] : *scenarios) {
    json faults = json::array();
    for (const auto& fault : scenario.faults) faults.push_back(fault.fault->name);
    all.push_back({{"name", scenario.name},
                   {"file", file},
                   {"why", scenario.why},
                   {"tags", scenario.tags},
                   {"faults", faults}});
    if (!as_json) fmt::print("{:<44} {}\n", scenario.name, printable(scenario.why, 500));
  }
  if (as_json) fmt::print("{}\n", all.dump(2, ' ', false, json::error_handler_t::replace));
  return kHeld;
}

}  // namespace

int check(const std::vector<std::string>& paths) {
  const auto scenarios = run::load_scenarios(paths, worlds::find_programs());
  if (!scenarios) return bad_input(scenarios.error());
  fmt::print("{} scenario(s) are sound\n", scenarios->size());
  return kHeld;
}

int list(const ListArguments& arguments) {
  if (arguments.what != "scenarios" && !arguments.paths.empty()) {
    return bad_input(fmt::format("list {}: \"{}\" behind it; nothing, or list scenarios PATH",
                                 arguments.what, printable(arguments.paths.front(), 100)));
  }
  if (arguments.what == "faults") return list_faults(arguments.json);
  if (arguments.what == "invariants") return list_invariants(arguments.json);
  const std::vector<std::string> here{"scenarios"};
  return list_scenarios(arguments.paths.empty() ? here : arguments.paths, arguments.json);
}

int show(const std::string& trace_file) {
  const auto trace = read_trace_file(trace_file);
  if (!trace) return bad_input(trace.error().line());
  fmt::print("{} ({}, seed {:#x})\n{}", printable(trace->header.scenario),
             printable(trace->header.role), trace->header.seed, trace::timeline(*trace));
  return kHeld;
}

int replay(const std::vector<std::string>& trace_files) {
  int code = kHeld;
  for (const auto& file : trace_files) {
    const auto replayed = read_trace_file(file).and_then(
        [&](const trace::Trace& trace) { return agreement::replay(trace, file); });
    if (!replayed) return bad_input(replayed.error().line());
    const bool named = trace_files.size() > 1 && !replayed->difference;
    if (named) say(printable_message(file) + ": ");
    say(agreement::words(*replayed, printable_message(file)));
    if (replayed->difference) code = kFailed;
  }
  return code;
}

int compare(const CompareArguments& arguments) {
  constexpr const char* kReportWanted = "the path of a report.json or of a benchmark's output";
  const auto base = read_file(arguments.base, kLongestFile, kReportWanted);
  if (!base) return bad_input(base.error().line());
  const auto now = read_file(arguments.now, kLongestFile, kReportWanted);
  if (!now) return bad_input(now.error().line());
  const auto comparison =
      reports::compare(*base, arguments.base, *now, arguments.now, {arguments.limit});
  if (!comparison) return bad_input(comparison.error().line());
  fmt::print("{}", reports::text(*comparison));
  return comparison->regressed() ? kGateFailed : kHeld;
}

}  // namespace poolproof::cli
