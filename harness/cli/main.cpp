#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <filesystem>
#include <span>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "harness/base/shell.hpp"
#include "harness/base/text.hpp"
#include "harness/cli/commands.hpp"
#include "harness/cli/number.hpp"
#include "harness/host/guardian.hpp"
#include "harness/host/system.hpp"
#include "harness/host/system_below.hpp"
#include "harness/run/runner.hpp"
#include "harness/run/version.hpp"
#include "harness/search/sweep.hpp"

namespace poolproof::cli {
namespace {

/// What was typed, as a line that can be copied.
std::string line_of(int argc, char** argv) {
  std::string line = "poolproof";
  for (int i = 1; i < argc; ++i) line += " " + shell_word(argv[i]);
  return line;
}

/// Adds a subcommand. Its arguments must outlive `app`; what `carry_out` makes of them becomes
/// `code`.
template <class Arguments>
CLI::App& add(CLI::App& app, const char* name, const char* what, const Arguments& arguments,
              int (*carry_out)(const Arguments&), int& code) {
  auto* command = app.add_subcommand(name, what);
  command->callback([&arguments, carry_out, &code] { code = carry_out(arguments); });
  return *command;
}

/// The subcommands that we start ourselves with: hidden, not for people.
void add_hidden(CLI::App& app, std::string& token, run::ScenarioJob& job, int& code) {
  auto* guardian = app.add_subcommand("guardian")->group("");
  guardian->add_option("--token", token)->required();
  const auto* const alone = guardian->add_flag("--processes-only");
  guardian->callback([&token, &code, alone] {
    code = host::guardian_main(token,
                               alone->count() > 0 ? host::Reach::processes : host::Reach::groups);
  });

  auto* carry_out = app.add_subcommand("carry-out")->group("");
  carry_out->add_option("--scenario", job.scenario_file)->required();
  carry_out->add_option("--token", job.token)->required();
  carry_out->add_option("--folder", job.folder)->required();
  carry_out->add_option("--scenario-folder", job.scenario_folder);
  carry_out->add_option("--seed", job.seed);
  carry_out->add_flag("--control", job.control);
  carry_out->add_option("--compare", job.compare);
  carry_out->add_option("--world", job.world)
      ->transform(CLI::CheckedTransformer(std::map<std::string, scenario::WorldKind>{
          {"sim", scenario::WorldKind::sim}, {"host", scenario::WorldKind::host}}));
  carry_out->callback([&] { code = run::carry_out_job(job); });
}

void add_sweep(CLI::App& app, SweepArguments& arguments, int& code) {
  constexpr std::uint64_t kMost = std::uint64_t{1} << 62U;
  auto& command = add(app, "sweep", "generate scenarios, simulate and judge them, shrink failures",
                      arguments, sweep, code);
  command.add_option("--count", arguments.count, "how many scenarios")
      ->transform(within(std::uint64_t{1}, kMost));
  command.add_option("--time", arguments.time_s, "how long, in seconds")
      ->transform(within(1, 1'000'000));
  command.add_option("--seed", arguments.seed, "a number, or any text: a commit hash")
      ->capture_default_str();
  command.add_option("--jobs", arguments.jobs, "processes (default: one a processor we may use)")
      ->transform(within(1U, search::kJobsMax));
  command.add_option("--shard", arguments.shard,
                     "K/N: every Nth scenario, the Kth of them, from 1");
  command.add_option("--shard-index", arguments.shard_index, "the same from 0, beside --shards")
      ->transform(within(0, 99'999));
  command.add_option("--shards", arguments.shards, "how many shards there are")
      ->transform(within(1, 100'000));
  command.add_option("--out", arguments.out, "folder; a sweep that stopped goes on there")
      ->capture_default_str();
  command.add_flag("--no-shrink{false}", arguments.shrink, "leave failures as they are");
  command.add_flag("--no-host{false}", arguments.host,
                   "no real processes: neither try what failed, nor measure their rate");
  command.add_flag("--stop-at-failure", arguments.stop_at_failure, "one is enough");
  auto* const once =
      command.add_option("--case", arguments.once, "carry out the one case of that seed");
  for (const char* other : {"--seed", "--jobs", "--shard", "--shard-index", "--shards", "--out",
                            "--no-shrink", "--no-host", "--stop-at-failure"}) {
    once->excludes(command.get_option(other));
  }
}

void add_explore(CLI::App& app, ExploreArguments& arguments, int& code) {
  auto& command =
      add(app, "explore", "simulate every cut, every few faults, or every order of a race",
          arguments, explore, code);
  command.add_option("WHAT", arguments.what, "cuts, faults or orders")
      ->required()
      ->check(CLI::IsMember({"cuts", "faults", "orders"}));
  command.add_option("--out", arguments.out, "folder for scenarios that fail")
      ->capture_default_str();
  command.add_option("--runs", arguments.runs_most, "at most so many of each part")
      ->transform(within(std::uint64_t{1}, std::uint64_t{1} << 40U));
}

/// The names of subcommands, or of one's options with their hyphens; without the hidden ones.
std::vector<std::string> names_of(const CLI::App& app, bool options) {
  std::vector<std::string> names;
  if (options) {
    for (const auto* option : app.get_options()) {
      for (const auto& name : option->get_lnames()) names.push_back("--" + name);
    }
    return names;
  }
  for (const auto* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (!command->get_group().empty()) names.push_back(command->get_name());
  }
  return names;
}

/// What to say of a first word that is neither an option nor a subcommand; empty: it is one.
std::string wrong_subcommand(const CLI::App& app, int argc, char** argv) {
  if (argc < 2 || *argv[1] == '-') return "";
  const auto known =
      app.get_subcommands([&](const CLI::App* command) { return command->get_name() == argv[1]; });
  if (!known.empty()) return "";
  const auto names = names_of(app, false);
  const std::string near = did_you_mean(argv[1], names);
  return fmt::format("no subcommand \"{}\"; {}", argv[1],
                     near.empty() ? fmt::format("there are {}", fmt::join(names, ", ")) : near);
}

/// Where to look after an error: the help of the subcommand that was typed, or the program's own.
std::string see_help(const CLI::App& app) {
  const auto typed = app.get_subcommands();
  return fmt::format("see poolproof {}--help",
                     typed.empty() ? "" : typed.front()->get_name() + " ");
}

std::string unexpected_word(const CLI::App& app, const CLI::Error& error) {
  std::vector<std::string> names = names_of(app, true);
  std::vector<std::string> words = app.remaining();
  for (const auto* command : app.get_subcommands()) {
    const auto more = names_of(*command, true);
    names.insert(names.end(), more.begin(), more.end());
    words = command->remaining();
  }
  const std::string word = words.empty() ? "" : words.front().substr(0, words.front().find('='));
  const std::string near(word.starts_with("-") ? nearest(word, names) : "");
  return fmt::format("{}; {}", error.what(),
                     near.empty() ? see_help(app) : fmt::format("did you mean {}?", near));
}

/// Whether a subcommand is followed by a command behind `--`.
bool takes_command(std::string_view subcommand) {
  return subcommand == "probe" || subcommand == "guard";
}

/// All words, or those before `--` when a command follows: its words are not ours to read (CLI11
/// takes `[a b]` to be a list).
int words_before_command(int argc, char** argv) {
  if (argc < 2 || !takes_command(argv[1])) return argc;
  for (int i = 2; i < argc; ++i) {
    if (std::string_view(argv[i]) == "--") return i;
  }
  return argc;
}

void add_run(CLI::App& app, RunArguments& arguments, int& code) {
  auto& command = add(app, "run", "run scenarios against the real pool and real processes",
                      arguments, run, code);
  command.add_option("PATH", arguments.paths, "scenario files, or folders of them")->required();
  command.add_option("--out", arguments.out, "folder for the reports")->capture_default_str();
  command.add_option("--seed", arguments.seed, "instead of the scenarios' own: a number, or 0x...");
  command
      .add_option("--world", arguments.world,
                  "real processes, the simulator, or both, compared: host, sim or both")
      ->check(CLI::IsMember({"host", "sim", "both"}))
      ->capture_default_str();
  command
      .add_option("--jobs", arguments.jobs,
                  "scenarios side by side (default: twice the processors)")
      ->transform(within(1, 256));
  command
      .add_option("--repeat", arguments.repeat,
                  "run each that many times, with one seed after the other")
      ->transform(within(1, 10000))
      ->capture_default_str();
}

void add_merge(CLI::App& app, MergeArguments& arguments, int& code) {
  auto& command = add(app, "merge", "add up the shards of a sweep", arguments, merge, code);
  command.add_option("FOLDER", arguments.folders, "what --out was of each shard, or of a merge")
      ->required();
  command.add_option("--out", arguments.out,
                     "folder for sweep.json, junit.xml, summary.md and the failures");
  command.add_flag("--partial", arguments.partial,
                   "judge what there is, although shards are missing or not done");
  command.add_flag("--shrink", arguments.shrink,
                   "shrink each kind of failure that has no file yet");
  command.add_flag("--no-host{false}", arguments.host,
                   "do not try on real processes what is shrunk");
}

void add_list(CLI::App& app, ListArguments& arguments, int& code) {
  auto& command = add(app, "list", "list faults, invariants or scenarios", arguments, list, code);
  command.add_option("WHAT", arguments.what)
      ->required()
      ->check(CLI::IsMember({"faults", "invariants", "scenarios"}));
  command.add_option("PATH", arguments.paths,
                     "where scenarios are looked for (default: the folder scenarios)");
  command.add_flag("--json", arguments.json, "for programs");
}

void add_probe(CLI::App& app, ProbeArguments& arguments, int& code) {
  auto& command = add(app, "probe", "talk to one worker outside any pool and say what it does",
                      arguments, probe, code);
  command
      .add_option("--wire", arguments.wire,
                  "how messages are marked off; left out, it is found by trying")
      ->check(CLI::IsMember({"prefix", "varint", "lines", "headers", "node_ipc"}));
  command
      .add_option("--speech", arguments.speech,
                  "what they say; left out, it is found, too (not opaque: any bytes, a frame back "
                  "for each)")
      ->check(CLI::IsMember({"bridge", "json_rpc", "mcp", "lsp", "opaque"}));
  command.add_option("--byte-order", arguments.byte_order, "of the length prefix")
      ->check(CLI::IsMember({"big", "little"}))
      ->each([&arguments](const std::string&) { arguments.said_of_prefix = "--byte-order"; })
      ->capture_default_str();
  command.add_option("--prefix-bytes", arguments.prefix_bytes, "length prefix")
      ->check(CLI::IsMember({"1", "2", "4", "8"}))
      ->each([&arguments](const std::string&) { arguments.said_of_prefix = "--prefix-bytes"; })
      ->capture_default_str();
  command.add_option("--max-frame-bytes", arguments.max_frame_bytes)
      ->transform(within(std::uint64_t{1}, std::uint64_t{1} << 32U))
      ->capture_default_str();
  command.add_option("--timeout-ms", arguments.timeout_ms, "for each answer")
      ->transform(within(1, 600000))
      ->capture_default_str();
  command.add_option("--wire-log", arguments.wire_log,
                     "a file for every byte each way, with its time, as hex and text");
  command
      .add_option("--wire-log-bytes", arguments.wire_log_bytes,
                  "at so many the file becomes FILE.1")
      ->transform(within(std::uint64_t{1000}, std::uint64_t{1} << 40U))
      ->capture_default_str();
  for (auto [option, file, what] : {std::tuple{"--json", &arguments.json, "the table as JSON"},
                                    std::tuple{"--junit", &arguments.junit, "as JUnit XML"}}) {
    command.add_option(option, *file, fmt::format("{}: into FILE, or to stdout", what))
        ->expected(0, 1)
        ->default_str("-")
        ->type_name("[FILE]");
  }
  command.add_option("COMMAND", arguments.command, "the worker, after --");
}

void add_guard(CLI::App& app, GuardArguments& arguments, int& code) {
  auto& command = add(app, "guard", "run any program and judge what it leaves and how it ends",
                      arguments, guard, code);
  command.add_option("--out", arguments.out, "folder for the reports")->capture_default_str();
  command.add_option("--plan", arguments.plan, "faults for the fake workers that it starts");
  command
      .add_option("--limit", arguments.limit_s, "seconds; a program that runs for longer is broken")
      ->transform(within(0.001, 86'400.0));
  command
      .add_option(
          "--end-limit", arguments.end_limit_s,
          "seconds from its last output to its end; without it, 10 s after the mark \"end\"")
      ->transform(within(0.001, 86'400.0));
  command
      .add_option("--starts", arguments.starts,
                  "so many failing starts of a worker within 10 s are no storm")
      ->transform(within(1U, 1'000'000U))
      ->capture_default_str();
  command.add_flag("--exclusive", arguments.exclusive,
                   "its workers serve one request at a time: judge who is asked again too soon");
  command.add_flag("--distinct", arguments.distinct,
                   "it makes no call twice: judge calls that are alike but for their ids");
  command.add_flag("--pass-through", arguments.pass_through,
                   "exit with the program's exit code instead of the verdict's");
  command.add_option("COMMAND", arguments.command, "the program, after --");
  command.footer("Example: poolproof guard --end-limit 5 -- python3 -m pytest tests");
}

void add_compare(CLI::App& app, CompareArguments& arguments, int& code) {
  auto& command = add(app, "compare", "compare two benchmark outputs, or two report.json",
                      arguments, compare, code);
  command.add_option("BASE", arguments.base)->required();
  command.add_option("NEW", arguments.now)->required();
  command
      .add_option("--limit", arguments.limit, "share of the median by which a row may be slower")
      ->transform(within(0.0, 100.0))
      ->capture_default_str();
}

/// The arguments of all subcommands, as they were typed.
struct Arguments {
  RunArguments run;
  SweepArguments sweep;
  ExploreArguments explore;
  MergeArguments merge;
  std::vector<std::string> check;
  ListArguments list;
  std::string show;
  std::vector<std::string> replay;
  ProbeArguments probe;
  GuardArguments guard;
  CompareArguments compare;
  std::string token;
  run::ScenarioJob job;
};

/// Adds the subcommands in the order in which the help lists them.
void add_commands(CLI::App& app, Arguments& arguments, int& code) {
  add_run(app, arguments.run, code);
  add_sweep(app, arguments.sweep, code);
  add_explore(app, arguments.explore, code);
  add_merge(app, arguments.merge, code);
  add(app, "check", "read scenario files and say what is wrong with them", arguments.check, check,
      code)
      .add_option("FILE", arguments.check, "scenario files, or folders of them")
      ->required();
  add_list(app, arguments.list, code);
  add(app, "show", "print a trace as a time line", arguments.show, show, code)
      .add_option("TRACE", arguments.show, "a trace.jsonl")
      ->required();
  add(app, "replay", "feed recorded traces to the pool of today and show the first difference",
      arguments.replay, replay, code)
      .add_option("TRACE", arguments.replay, "trace.jsonl files")
      ->required();
  add_probe(app, arguments.probe, code);
  // The words behind `wrap` are read in their order by wrap() itself.
  app.add_subcommand("wrap", "stand where a worker stands and spoil what it says");
  add_guard(app, arguments.guard, code);
  add_compare(app, arguments.compare, code);
  add_hidden(app, arguments.token, arguments.job, code);
}

int program(int argc, char** argv) {
  int code = kHeld;
  CLI::App app{
      "Poolproof tests pools of worker processes: scenarios in, verdicts out. Linux only."};
  app.set_version_flag("--version", std::string("poolproof ") + run::kVersion);
  app.require_subcommand(1);
  app.failure_message([](const CLI::App* failed, const CLI::Error& error) {
    return fmt::format("poolproof: {}; {}\n", printable_message(error.what(), 500),
                       see_help(*failed));
  });
  const auto words = std::span(argv, static_cast<std::size_t>(argc));
  if (argc > 1 && std::string_view(argv[1]) == "wrap") return said(wrap(words.subspan(2)));
  // Whoever reads our output may stop before its end: the reports are written all the same.
  host::sys::ignore_sigpipe();
  Arguments arguments;
  arguments.run.command_line = line_of(argc, argv);
  arguments.guard.command_line = arguments.run.command_line;
  add_commands(app, arguments, code);
  if (const auto line = wrong_subcommand(app, argc, argv); !line.empty()) return bad_input(line);
  const int ours = words_before_command(argc, argv);
  for (int i = ours + 1; i < argc; ++i) arguments.probe.command.emplace_back(argv[i]);
  arguments.guard.command = arguments.probe.command;
  try {
    app.parse(ours, argv);
  } catch (const CLI::ExtrasError& error) {
    return bad_input(unexpected_word(app, error));
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kHeld : kBadInput;
  }
  return said(code);
}

/// The errno of the first write to stdout that failed.
int g_stdout_trouble = 0;

void note_trouble() {
  if (g_stdout_trouble == 0) g_stdout_trouble = errno;
}

}  // namespace

std::string own_program() {
  std::error_code error;
  return std::filesystem::read_symlink("/proc/self/exe", error).string();
}

int bad_input(const std::vector<InputError>& errors) {
  for (const InputError& error : errors) (void)bad_input(error.line());
  return kBadInput;
}

int bad_input(const std::string& line) {
  std::fprintf(stderr, "poolproof: %s\n", printable_message(line, 2000).c_str());
  return kBadInput;
}

int broken(const std::string& why) {
  std::fprintf(stderr, "poolproof: %s\n", printable_message(why, 2000).c_str());
  return kBroken;
}

int not_carried_out(std::string_view subcommand, const search::SearchError& error) {
  const std::string line = fmt::format("{}: {}", subcommand, error.line);
  switch (error.kind) {
    case search::SearchError::Kind::input:
      return bad_input(line);
    case search::SearchError::Kind::locked:
    case search::SearchError::Kind::killed:
      return try_again(line);
    case search::SearchError::Kind::broken:
      return broken(line);
  }
  return kBroken;
}

int try_again(const std::string& why) {
  std::fprintf(stderr, "poolproof: %s\n", printable_message(why, 2000).c_str());
  return kTryAgain;
}

void say(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) < text.size()) note_trouble();
  if (std::fflush(stdout) != 0) note_trouble();
}

int said(int code) {
  if (std::fflush(stdout) != 0) note_trouble();
  if (g_stdout_trouble == 0 || g_stdout_trouble == EPIPE) return code;
  std::fprintf(stderr, "poolproof: can't write to stdout: %s\n", std::strerror(g_stdout_trouble));
  return code == kHeld ? kBroken : code;
}

}  // namespace poolproof::cli

int main(int argc, char** argv) {
  poolproof::host::sys::take_places_of_closed_streams();
  try {
    return poolproof::cli::program(argc, argv);
  } catch (const std::exception& broken) {
    std::fprintf(stderr, "poolproof: the harness itself broke: %s\n",
                 poolproof::printable_message(broken.what()).c_str());
    return poolproof::cli::kBroken;
  }
}
