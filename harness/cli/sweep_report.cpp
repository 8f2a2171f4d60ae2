#include "harness/cli/sweep_report.hpp"

#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "fake_workers/catalogue.hpp"
#include "harness/base/text.hpp"
#include "harness/oracle/coverage.hpp"
#include "harness/search/sweep_shrink.hpp"

namespace poolproof::cli {
namespace {

using oracle::Coverage;
using oracle::Mark;
using oracle::PoolMood;
using oracle::WorkerPhase;

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
  std::vector<std::string> never;         ///< coverage cells that were never reached
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

std::string names(const std::vector<std::string>& all) {
  std::string text;
  for (std::size_t i = 0; i < std::min(all.size(), kNamed); ++i) {
    text += (i == 0 ? "" : ", ") + all[i];
  }
  if (all.size() > kNamed) text += fmt::format(" and {} more", all.size() - kNamed);
  return text;
}

}  // namespace

double seconds(Duration span) {
  return static_cast<double>(span.count()) / 1e6;
}

double per_second(std::uint64_t count, Duration span) {
  return span <= Duration::zero() ? 0 : static_cast<double>(count) / seconds(span);
}

void print_failures(const search::SweepState& state, const std::string& out) {
  for (const auto& failure : state.failures) {
    say(fmt::format("\nfailed {} time(s): {}\n  {}\n  again: poolproof sweep --case {:#x}\n",
                    std::max<std::uint64_t>(failure.times, 1), printable_message(failure.signature),
                    printable_message(failure.what, 1000), failure.seed));
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

std::string repeated_words(const search::SweepState& state) {
  if (state.repeated == 0) return "";
  return fmt::format("; {} runs repeated and compared, their hash {:016x}", state.repeated,
                     state.traces);
}

void print_rates(const search::SweepState& state) {
  // A run in JSON is the second run of its scenario.
  const auto print = [](std::string_view what, const search::CodecTotals& totals) {
    if (totals.runs == 0) return;
    say(fmt::format("  {}: {} runs, {:.0f} Core events/s and {:.0f} runs/s a process\n", what,
                    totals.runs, per_second(totals.core_events, totals.busy),
                    per_second(totals.runs, totals.busy)));
  };
  print("opaque payloads (terse codec)", state.terse);
  print("JSON codec, some of them once more", state.json);
}

void print_kills(const search::SweepState& state) {
  if (state.killed == 0) return;
  say(
      fmt::format("{} time(s) a process was killed from outside (SIGKILL: out of memory?); its "
                  "scenarios were carried out again\n",
                  state.killed));
}

void print_reached(const search::SweepState& state) {
  const Reached reached = reached_by(state.coverage);
  const std::string growth =
      state.last_cases == 0 ? ""
                            : fmt::format("; new in the last {} scenarios: {}", state.last_cases,
                                          state.coverage.count() - state.cells_before_last);
  say(fmt::format("cells struck: {} of {} that can be{}\n", reached.cells, reached.possible,
                  growth));
  if (!reached.never.empty()) {
    say(fmt::format("  never struck ({}): {}\n", reached.never.size(), names(reached.never)));
  }
  say(fmt::format("rare situations seen: {} of {}\n", reached.marks, oracle::kMarks));
  if (!reached.marks_never.empty()) {
    say(fmt::format("  never seen: {}\n", names(reached.marks_never)));
  }
}

std::vector<std::string> broken_coverage(const search::SweepState& state) {
  const Reached reached = reached_by(state.coverage);
  std::vector<std::string> lines;
  if (!reached.contradicted.empty()) {
    lines.push_back(fmt::format("struck, though it is said that they cannot be: {}",
                                names(reached.contradicted)));
  }
  if (state.done >= kEnoughForFaults && !reached.faults_never.empty()) {
    lines.push_back(
        fmt::format("faults that never struck at all: {}", names(reached.faults_never)));
  }
  if (state.done >= kEnough && !reached.never.empty()) {
    lines.emplace_back("after so many scenarios no cell that can be struck may be empty");
  }
  return lines;
}

bool print_broken_coverage(const search::SweepState& state) {
  const std::vector<std::string> lines = broken_coverage(state);
  for (const std::string& line : lines) say(line + "\n");
  return !lines.empty();
}

void print_unshrunk(const search::SweepState& state) {
  const auto left = std::ranges::count_if(state.failures, [](const search::Failure& failure) {
    return failure.file.empty() && failure.signature != search::kNondeterminism;
  });
  if (left == 0) return;
  say(
      fmt::format("{} kind(s) of failure are not shrunk yet: the same command does the next (at "
                  "most {} at once)\n",
                  left, search::kShrunkMost));
}

void print_proved_nothing(const search::SweepState& state) {
  if (state.proved_nothing == 0) return;
  say(fmt::format("{} scenario(s) proved nothing: somebody waited in vain\n",
                  state.proved_nothing));
}

void say_what_is_shrunk(const std::string& signature) {
  say(fmt::format("making small: {}\n", printable_message(signature)));
}

}  // namespace poolproof::cli
