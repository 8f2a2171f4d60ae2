#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "harness/base/result.hpp"
#include "harness/run/result.hpp"
#include "harness/scenario/scenario.hpp"
#include "harness/worlds/host_world.hpp"

namespace poolproof::run {

/// A scenario and where it came from.
struct Loaded {
  scenario::Scenario scenario;
  std::string file;
  std::string text;  ///< as it was read
};

/// Every scenario below the paths given (a folder: its *.json files and those of its folders, by
/// name, without
/// *.schema.json), read and checked down to the programs of its workers. Error: the first file that
/// is wrong.
Parsed<std::vector<Loaded>> load_scenarios(const std::vector<std::string>& paths,
                                           const worlds::Programs& programs);
Parsed<Loaded> load_scenario(const std::string& path);

/// `both`: on real processes, in the simulator, and then their agreement.
enum class Worlds : std::uint8_t { sim, host, both };

struct RunOptions {
  std::string self;  ///< our own program: each scenario runs in a process of its own
  std::string out;   ///< output folder; made if need be
  std::optional<std::uint64_t> seed;  ///< instead of the scenarios' own
  Worlds worlds = Worlds::host;
  std::uint32_t jobs = 0;  ///< scenarios side by side; 0: twice the processors
  std::uint32_t repeat = 1;
  bool control = true;  ///< a scenario with faults is run without them as well
  /// Then a scenario that hangs is killed and has failed.
  Duration scenario_limit = std::chrono::seconds(120);
};

/// Called after each scenario, from the thread that ran it, one at a time.
using Progress = std::function<void(std::size_t done, std::size_t of, const ScenarioResult&)>;

/// Runs them all: each in a process of its own, then its control run if it has faults, then the
/// oracle. Traces go to `out`/traces. Leaves no process behind, however it ends (a guardian sees to
/// that). Error: one sentence, when the harness itself can't do it.
Expected<RunResult, std::string> run_all(const std::vector<Loaded>& scenarios,
                                         const RunOptions& options, const Progress& progress);

/// What the process of one scenario does.
struct Errand {
  std::string scenario_file;
  bool control = false;  ///< faults switched off
  scenario::WorldKind world = scenario::WorldKind::host;
  std::string compare;  ///< a trace of the host: compare it with simulated runs, nothing else
  std::optional<std::uint64_t> seed;
  std::string token;
  std::string folder;  ///< of its own; the trace is written there as trace.jsonl
};
/// Returns the exit code: 0 the trace (or agreement.txt: the word, and the reason in a second line)
/// is written, 70 it could not be (a sentence on stderr).
int carry_out_errand(const Errand& errand);

}  // namespace poolproof::run
