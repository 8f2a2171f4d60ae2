#include <filesystem>
#include <unistd.h>

#include <fmt/format.h>

#include "harness/base/text.hpp"
#include "harness/base/write_file.hpp"
#include "harness/cli/commands.hpp"
#include "harness/run/runner.hpp"
#include "reports/junit.hpp"
#include "reports/report_json.hpp"
#include "reports/summary_md.hpp"
#include "reports/table.hpp"

namespace poolproof::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kReports[]{"report.json", "junit.xml", "summary.md"};

std::optional<std::uint64_t> seed_of(std::string_view text) {
  const bool hex = text.starts_with("0x") || text.starts_with("0X");
  if (hex) text.remove_prefix(2);
  return parse_number<std::uint64_t>(text, hex ? 16 : 10);
}

/// Prints one line for each scenario as it ends, on a terminal and into a log alike.
void print_progress(std::size_t done, std::size_t of, const run::ScenarioResult& result) {
  say(fmt::format("[{}/{}] {:<8} {} ({} ms)\n", done, of, run::name(result.verdict), result.name,
                  to_ms(result.elapsed)));
}

void print_troubles(const run::RunResult& result) {
  for (const auto& scenario : result.scenarios) {
    if (scenario.verdict == run::Verdict::pass) continue;
    say(fmt::format("\n{}: {}\n  why it matters: {}\n", scenario.name, run::name(scenario.verdict),
                    printable_message(scenario.why, 500)));
    for (const auto& finding : scenario.findings) {
      say(fmt::format("  {}: {}\n", finding.invariant, printable_message(finding.what, 1000)));
    }
    for (const auto& reason : scenario.reasons) {
      say(fmt::format("  {}\n", printable_page(reason, 4000)));
    }
    say(scenario.timeline);
    say(fmt::format("  again: {}\n", printable_message(scenario.again, 1000)));
  }
}

/// For runs in both worlds: prints which scenarios were not compared, and why.
void print_not_compared(const run::RunResult& result) {
  for (const auto& scenario : result.scenarios) {
    if (!scenario.agreement.starts_with("not compared")) continue;
    say(fmt::format("{}: {}\n", scenario.name, printable_message(scenario.agreement, 1000)));
  }
}

Expected<void, std::string> write_reports(const run::RunResult& result, const fs::path& out) {
  const std::pair<const char*, std::string> files[] = {{kReports[0], reports::report_json(result)},
                                                       {kReports[1], reports::junit(result)},
                                                       {kReports[2], reports::summary_md(result)}};
  for (const auto& [name, text] : files) {
    if (auto written = write_file_whole(out / name, text); !written) return written;
  }
  return {};
}

}  // namespace

int run(const RunArguments& arguments) {
  run::RunOptions options;
  options.self = own_program();
  options.out = arguments.out;
  options.jobs = arguments.jobs;
  options.repeat = arguments.repeat;
  if (arguments.seed) {
    options.seed = seed_of(*arguments.seed);
    if (!options.seed)
      return bad_input("--seed: \"" + *arguments.seed +
                       "\" is no number; 0 to 2^64-1, or 0x and hex digits");
  }
  options.worlds = *named<run::Worlds>(run::kWorldsNames, arguments.world);
  auto scenarios = run::load_scenarios(arguments.paths, worlds::find_programs());
  if (!scenarios) return bad_input(scenarios.error());
  const auto left_out = std::erase_if(*scenarios, [&options](const run::Loaded& loaded) {
    const auto world =
        options.worlds == run::Worlds::sim ? scenario::WorldKind::sim : scenario::WorldKind::host;
    return options.worlds != run::Worlds::both && !loaded.scenario.runs_in(world);
  });
  if (left_out > 0) say(fmt::format("{} left out: not for this world\n", left_out));
  std::error_code error;
  std::error_code ignored;
  fs::create_directories(options.out, error);
  if (!fs::is_directory(options.out, ignored)) {
    return bad_input(fmt::format("--out: \"{}\" can't be made: {}; a folder for the reports",
                                 options.out,
                                 options.out.empty() ? "it has no name" : error.message()));
  }

  options.stale.assign(std::begin(kReports), std::end(kReports));
  auto result = run::run_all(*scenarios, options, print_progress);
  if (!result) {
    return broken(result.error());
  }
  result->command_line = arguments.command_line;
  if (const auto written = write_reports(*result, options.out); !written) {
    return broken(written.error());
  }
  print_troubles(*result);
  print_not_compared(*result);
  const std::string out = printable_message(options.out);
  say(fmt::format(
      "\n{}\nreports: {}/report.json, junit.xml, summary.md; a trace of each scenario in "
      "{}/traces\n",
      reports::table(*result, isatty(STDOUT_FILENO) == 1), out, out));
  return result->exit_code();
}

}  // namespace poolproof::cli
