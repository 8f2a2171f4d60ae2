#include "harness/search/sweep.hpp"

#include <cstdio>
#include <filesystem>
#include <thread>

#include <fmt/format.h>

#include "fake_workers/catalogue.hpp"
#include "harness/base/text.hpp"
#include "harness/base/write_file.hpp"
#include "harness/cli/commands.hpp"
#include "harness/search/case.hpp"
#include "harness/search/host_rate.hpp"
#include "harness/search/sweep_state.hpp"
#include "harness/trace/timeline.hpp"

namespace poolproof::cli {
namespace {

using oracle::Coverage;
using oracle::Mark;
using oracle::PoolMood;
using oracle::WorkerPhase;

constexpr std::size_t kTimelineLines = 60;
constexpr std::size_t kNamed = 12;
/// From this number of scenarios on, a coverage cell that was never reached is a failure: the
/// generator has lost its aim.
constexpr std::uint64_t kEnough = 1'000'000;
constexpr std::uint64_t kEnoughForFaults = 50'000;

template <class Visit>
void each_cell(Visit visit) {
  const auto rows = faults::catalogue();
  for (std::size_t fault = 0; fault < rows.size(); ++fault) {
    for (std::size_t phase = 0; phase < oracle::kWorkerPhaseNames.size(); ++phase) {
      for (std::size_t mood = 0; mood < oracle::kPoolMoodNames.size(); ++mood) {
        const oracle::Cell cell{fault, static_cast<WorkerPhase>(phase),
                                static_cast<PoolMood>(mood)};
        const bool can = oracle::reason_it_cannot_be(rows[fault], cell.phase, cell.mood).empty();
        visit(rows[fault], cell, can);
      }
    }
  }
}

struct Reached {
  std::size_t cells = 0;
  std::size_t possible = 0;
  std::vector<std::string> never;         ///< coverage cells
  std::vector<std::string> contradicted;  ///< cells that were reached although they cannot be
  std::vector<std::string> faults_never;
  std::size_t marks = 0;
  std::vector<std::string> marks_never;
};

Reached reached_by(const Coverage& coverage) {
  Reached reached;
  std::string last;
  bool struck_at_all = true;
  const auto finish_fault = [&] {
    if (!struck_at_all) reached.faults_never.push_back(last);
  };
  each_cell([&](const faults::Fault& fault, const oracle::Cell& cell, bool can) {
    if (fault.name != last) {
      finish_fault();
      last = fault.name;
      struck_at_all = false;
    }
    const bool struck = coverage.struck(cell);
    struck_at_all = struck_at_all || struck;
    const auto words = fmt::format("{} {} {}", fault.name,
                                   oracle::kWorkerPhaseNames[static_cast<std::size_t>(cell.phase)],
                                   oracle::kPoolMoodNames[static_cast<std::size_t>(cell.mood)]);
    if (can) ++reached.possible;
    if (can && struck) ++reached.cells;
    if (can && !struck) reached.never.push_back(words);
    if (!can && struck) reached.contradicted.push_back(words);
  });
  finish_fault();
  for (std::size_t i = 0; i < oracle::kMarks; ++i) {
    const auto mark = static_cast<Mark>(i);
    if (coverage.seen(mark)) {
      ++reached.marks;
    } else {
      reached.marks_never.emplace_back(oracle::kMarkNames[i]);
    }
  }
  return reached;
}

double seconds(Duration span) {
  return static_cast<double>(span.count()) / 1e6;
}

double per_second(std::uint64_t count, Duration span) {
  return span <= Duration::zero() ? 0 : static_cast<double>(count) / seconds(span);
}

std::string names(const std::vector<std::string>& all) {
  std::string text;
  for (std::size_t i = 0; i < std::min(all.size(), kNamed); ++i) {
    text += (i == 0 ? "" : ", ") + all[i];
  }
  if (all.size() > kNamed) text += fmt::format(" and {} more", all.size() - kNamed);
  return text;
}

void print_progress(const search::SweepState& state, Duration left) {
  const std::string rest =
      left < Duration::zero() ? "" : fmt::format(", {:.0f} s left", seconds(left));
  say(fmt::format("{} scenarios, {:.0f}/s, {} kind(s) of failure, {} cells and marks{}\n",
                  state.done, per_second(state.done, state.elapsed), state.failures.size(),
                  state.coverage.count(), rest));
}

void print_failures(const search::SweepState& state, const std::string& out) {
  for (const auto& failure : state.failures) {
    say(fmt::format(
        "\nfailed at least {} time(s): {}\n  {}\n  again: poolproof sweep --case {:#x}\n",
        failure.times, failure.signature, printable_message(failure.what, 1000), failure.seed));
    if (failure.file.empty()) continue;
    const std::string file = out.empty() ? failure.file : out + "/" + failure.file;
    say(fmt::format("  shrunk to {} step(s) and fault(s) in {} attempts: {}\n", failure.size,
                    failure.shrink_attempts, printable_message(file)));
    say(failure.reproduces_with == search::ReproducesWith::file
            ? again_lines(file, failure.on_host)
            : fmt::format("  {}\n",
                          search::why_no_file_shows_it(failure.reproduces_with, failure.seed)));
  }
}

/// The rate of one process in one codec. A run in JSON is the second run of its scenario.
void print_rates(const search::SweepState& state) {
  const auto print = [](std::string_view what, const search::Spoken& spoken) {
    if (spoken.runs == 0) return;
    say(fmt::format("  {}: {} runs, {:.0f} Core events/s and {:.0f} runs/s a process\n", what,
                    spoken.runs, per_second(spoken.core_events, spoken.busy),
                    per_second(spoken.runs, spoken.busy)));
  };
  print("opaque payloads (terse codec)", state.terse);
  print("JSON codec, some of them once more", state.json);
}

void print_work(const search::SweepState& state) {
  say(fmt::format("\n{} scenarios in {:.1f} s: {:.0f}/s", state.done, seconds(state.elapsed),
                  per_second(state.done, state.elapsed)));
  if (state.repeated > 0) {
    say(fmt::format("; {} runs repeated and compared, their hash {:016x}", state.repeated,
                    state.traces));
  }
  say("\n");
  print_rates(state);
}

void print_reached(const search::SweepState& state, const Reached& reached) {
  say(fmt::format("cells struck: {} of {} that can be; new in the last 100000 scenarios: {}\n",
                  reached.cells, reached.possible,
                  state.coverage.count() - state.cells_before_last));
  if (!reached.never.empty()) {
    say(fmt::format("  never struck ({}): {}\n", reached.never.size(), names(reached.never)));
  }
  say(fmt::format("rare situations seen: {} of {}\n", reached.marks, oracle::kMarks));
  if (!reached.marks_never.empty()) {
    say(fmt::format("  never seen: {}\n", names(reached.marks_never)));
  }
}

/// The host world's rate, measured now, for comparison.
std::string host_rate_line(const std::string& out) {
  const auto folder = std::filesystem::path(out) / ".host-rate";
  const auto rate = search::measure_host_rate(own_program(), folder.string());
  if (!rate) {
    return fmt::format("  on real processes: not measured: {}\n",
                       printable_message(rate.error(), 500));
  }
  return fmt::format("  on real processes: {:.0f} Core events/s with C++ workers\n",
                     per_second(rate->core_events, rate->span));
}

/// The exit code. `host_rate`: a line to print beside the sweep's own rates.
int print_end(const search::SweepState& state, const std::string& out,
              const std::string& host_rate) {
  print_failures(state, out);
  if (state.gave_up) say("\ngiven up: it crashed too often, and the rest was left\n");
  print_work(state);
  say(host_rate);
  const Reached reached = reached_by(state.coverage);
  if (state.stopped_early) {
    say("stopped before its end: what it did not reach says nothing\n");
  } else {
    print_reached(state, reached);
  }
  bool failed = !state.failures.empty();
  if (!reached.contradicted.empty()) {
    say(fmt::format("struck, though it is said that they cannot be: {}\n",
                    names(reached.contradicted)));
    failed = true;
  }
  if (state.done >= kEnoughForFaults && !reached.faults_never.empty()) {
    say(fmt::format("faults that never struck at all: {}\n", names(reached.faults_never)));
    failed = true;
  }
  if (state.done >= kEnough && !reached.never.empty()) {
    say("after so many scenarios no cell that can be struck may be empty\n");
    failed = true;
  }
  if (state.proved_nothing > 0) {
    say(fmt::format("{} scenario(s) proved nothing: somebody waited in vain\n",
                    state.proved_nothing));
  }
  say(fmt::format("{}\n", failed ? "FAILED" : "no failure"));
  if (failed) return kFailed;
  return state.done == 0 ? kInvalid : kHeld;
}

int once_more(std::uint64_t seed) {
  search::CaseRunner runner;
  const auto& scenario = runner.make(seed);
  say(scenario::write_scenario(scenario));
  bool failed = false;
  for (const auto codec : {wire::Codec::terse, wire::Codec::json}) {
    const auto result = runner.run(scenario, codec);
    failed = failed || result.failed();
    say(codec == wire::Codec::terse ? "\nwith opaque payloads (terse codec):\n"
                                    : "\nthe same scenario once more, with the JSON codec:\n");
    say(trace::timeline(runner.trace(), kTimelineLines));
    for (const auto& finding : result.findings) {
      say(fmt::format("{}: {}\n", finding.invariant, finding.what));
    }
    if (!result.trouble.empty()) say(result.trouble + "\n");
    say(fmt::format("trace hash {:016x}\n", search::hash_of(runner.trace())));
  }
  return failed ? kFailed : kHeld;
}

}  // namespace

std::string again_lines(const std::string& file, search::OnHost on_host) {
  const std::string printable = printable_message(file);
  const std::string tried =
      on_host.runs == 0 ? "" : fmt::format(" ({} of {} runs failed)", on_host.failed, on_host.runs);
  return fmt::format(
      "  in the simulator: poolproof run {0} --world sim\n"
      "  on real processes{1}: poolproof run {0} --world host\n",
      printable, tried);
}

int sweep(const SweepArguments& arguments) {
  if (arguments.once) return once_more(search::seed_of_text(*arguments.once));
  search::SweepOptions options;
  options.seed = search::seed_of_text(arguments.seed);
  options.count = arguments.count;
  options.time = std::chrono::seconds(arguments.time_s);
  if (options.count == 0 && arguments.time_s == 0) {
    return bad_input("sweep: neither --count nor --time; at least one of them");
  }
  options.jobs =
      arguments.jobs > 0 ? arguments.jobs : std::max(1U, std::thread::hardware_concurrency());
  const std::size_t slash = arguments.shard.find('/');
  const auto shard = search::seed_of_text(arguments.shard.substr(0, slash));
  const auto shards =
      slash == std::string::npos ? 0 : search::seed_of_text(arguments.shard.substr(slash + 1));
  if (shard < 1 || shard > shards || shards > 100'000) {
    return bad_input(
        fmt::format("--shard: \"{}\"; K/N with K from 1 to N, as 2/8", arguments.shard));
  }
  options.shard = static_cast<std::uint32_t>(shard - 1);
  options.shards = static_cast<std::uint32_t>(shards);
  options.out = arguments.out;
  options.shrink = arguments.shrink;
  options.stop_at_failure = arguments.stop_at_failure;
  if (arguments.host) options.self = own_program();
  options.before_shrinking = [](const std::string& signature) {
    say(fmt::format("making small: {}\n", signature));
  };
  const auto state = search::sweep(options, print_progress);
  if (!state) return bad_input("sweep: " + state.error());
  return print_end(*state, options.out, options.stop_at_failure ? "" : host_rate_line(options.out));
}

int merge(const std::vector<std::string>& folders) {
  const auto merged = search::merge_sweeps(folders);
  if (!merged) return bad_input(merged.error().line());
  return print_end(*merged, "", "");
}

}  // namespace poolproof::cli
