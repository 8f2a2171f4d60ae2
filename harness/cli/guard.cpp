#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <unistd.h>

#include <fmt/format.h>

#include "fake_workers/plan.hpp"
#include "harness/base/read_file.hpp"
#include "harness/base/text.hpp"
#include "harness/base/write_file.hpp"
#include "harness/cli/commands.hpp"
#include "harness/guard/front.hpp"
#include "harness/guard/judge.hpp"
#include "harness/guard/run_folder.hpp"
#include "harness/guard/watch.hpp"
#include "harness/host/child.hpp"
#include "harness/host/guardian.hpp"
#include "harness/host/system.hpp"
#include "reports/guard_reports.hpp"
#include "reports/junit.hpp"
#include "reports/report_json.hpp"
#include "reports/summary_md.hpp"

namespace poolproof::cli {
namespace {

namespace fs = std::filesystem;

constexpr int kShellSignal = 128;
constexpr std::uintmax_t kPlanBytesMost = std::uintmax_t{16} << 20U;

/// What is made ready before the program begins.
struct Prepared {
  guard::Command command;
  guard::RunFolder folder;
  faults::Plan plan;
};

std::optional<Duration> span_of(std::optional<double> seconds) {
  if (!seconds) return std::nullopt;
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(*seconds));
}

/// The program's environment: all of ours, and what the run adds to it.
std::vector<std::string> environment(const std::string& token, const guard::RunFolder& folder) {
  std::vector<std::string> ours = folder.environment();
  ours.push_back("POOLPROOF_TOKEN=" + token);
  std::vector<std::string> all = ours;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::string_view name = text.substr(0, text.find('=') + 1);
    const auto is_it = [&](const std::string& own) { return own.starts_with(name); };
    if (std::ranges::none_of(ours, is_it)) all.emplace_back(text);
  }
  return all;
}

/// A new token for this run. Below another guard it begins with that one's token, so that the outer
/// guard recognises our processes, too.
std::string token_below() {
  const char* const outer = std::getenv("POOLPROOF_TOKEN");
  const std::string own = host::new_token();
  return outer == nullptr || *outer == '\0' ? own : std::string(outer) + "/" + own;
}

Expected<faults::Plan, std::string> plan_of(const std::string& file) {
  if (file.empty()) return faults::Plan{};
  return read_file(file, kPlanBytesMost, "a plan file")
      .and_then([&](const std::string& text) { return faults::read_plan(text, file); })
      .map_error([](const InputError& error) { return error.line(); });
}

Expected<Prepared, std::string> prepare(const GuardArguments& arguments, const std::string& token) {
  if (arguments.command.empty()) {
    return unexpected(
        std::string("no program; write it after --, as in poolproof guard -- python3 -m pytest"));
  }
  const auto program = host::find_program(arguments.command.front());
  if (!program) return unexpected(program.error().message);
  auto plan = plan_of(arguments.plan);
  if (!plan) return unexpected("--plan: " + plan.error());
  auto folder =
      guard::RunFolder::make(arguments.out, plan->empty() ? "" : faults::write_plan(*plan));
  if (!folder) return unexpected("--out: " + folder.error());
  Prepared prepared;
  prepared.command = {*program,
                      arguments.command,
                      environment(token, *folder),
                      span_of(arguments.limit_s),
                      span_of(arguments.end_limit_s),
                      folder->marks(),
                      folder->journals()};
  prepared.plan = std::move(*plan);
  prepared.folder = std::move(*folder);
  return prepared;
}

void add_journals(const guard::RunFolder& folder, guard::Facts& facts) {
  std::size_t spoilt = 0;
  std::size_t number = 0;
  for (const auto& journal : folder.read_journals(spoilt)) {
    for (auto& one : guard::incarnations_of(journal, facts.begun)) {
      one.journal = number;
      facts.incarnations.push_back(std::move(one));
    }
    ++number;
  }
}

Expected<void, std::string> write_reports(const GuardArguments& arguments,
                                          const guard::Judgement& judgement, Duration elapsed) {
  const run::RunResult run =
      reports::run_of_guard(judgement, arguments.command, arguments.command_line, elapsed);
  const std::pair<const char*, std::string> files[] = {
      {"guard.json", reports::guard_json(judgement, arguments.command)},
      {"report.json", reports::report_json(run)},
      {"junit.xml", reports::junit(run)},
      {"summary.md", reports::summary_md(run)}};
  for (const auto& [name, text] : files) {
    const auto written = write_file_whole(fs::path(arguments.out) / name, text, Durable::no);
    if (!written) return written;
  }
  return {};
}

int exit_code(const GuardArguments& arguments, const guard::Judgement& judgement, ExitStatus exit) {
  if (arguments.pass_through) return exit.signal != 0 ? kShellSignal + exit.signal : exit.code;
  switch (judgement.verdict()) {
    case guard::Verdict::pass:
      return kHeld;
    case guard::Verdict::invalid:
      return kInvalid;
    case guard::Verdict::fail:
      break;
  }
  return kFailed;
}

/// Watches and judges, in the process behind the front. stdout is the program's own.
int watch_and_judge(const GuardArguments& arguments, const Prepared& prepared, pid_t front) {
  const Time begun = host::sys::now();
  auto facts = guard::watch(prepared.command, front);
  if (!facts) {
    return bad_input("guard: " +
                     host::cannot_start(arguments.command.front(), facts.error()).message);
  }
  add_journals(prepared.folder, *facts);
  facts->plan = prepared.plan;
  facts->exclusive = arguments.exclusive;
  facts->distinct = arguments.distinct;
  facts->starts_most = arguments.starts;
  const guard::Judgement judgement = guard::judge(*facts);
  const Duration elapsed = host::sys::now() - begun;
  if (const auto written = write_reports(arguments, judgement, elapsed); !written) {
    return broken(written.error());
  }
  const std::string out = printable_message(arguments.out);
  const std::string text = fmt::format(
      "poolproof guard: {}, {} ms\n{}reports: {}/guard.json, report.json, junit.xml, "
      "summary.md\n",
      guard::name(judgement.verdict()), to_ms(elapsed), reports::told(judgement), out);
  std::fwrite(text.data(), 1, text.size(), stderr);
  return exit_code(arguments, judgement, facts->end.exit);
}

}  // namespace

int guard(const GuardArguments& arguments) {
  const std::string token = token_below();
  auto prepared = prepare(arguments, token);
  if (!prepared) return bad_input("guard: " + prepared.error());
  // For the case that both the front and the process behind it are killed at once.
  const auto guardian = host::Guardian::start(own_program(), token);
  if (!guardian) return broken(guardian.error().message);
  const auto code = guard::run_in_guarded_copy(
      guardian->pid(), [&](pid_t front) { return watch_and_judge(arguments, *prepared, front); });
  return code ? *code : broken("guard: the process that watches was killed; nothing is proved");
}

}  // namespace poolproof::cli
