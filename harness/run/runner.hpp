#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
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
  std::string text;  ///< the file's text as it was read

  /// The folder that the file lies in, as an absolute path.
  [[nodiscard]] std::string folder() const;
};

/// Reads and checks every scenario below the given paths, down to the programs of its workers. In a
/// folder these are its *.json files and those of its folders, in order of name, without
/// *.schema.json. Errors: what is wrong, for each file or path; a file with another name than its
/// scenario is wrong.
Expected<std::vector<Loaded>, std::vector<InputError>> load_scenarios(
    const std::vector<std::string>& paths, const worlds::Programs& programs);
/// Reads one scenario file, whatever its name is.
Parsed<Loaded> load_scenario(const std::string& path);

/// `both`: on real processes, then in the simulator, then the comparison of both.
enum class Worlds : std::uint8_t { sim, host, both };
inline constexpr std::array<std::string_view, 3> kWorldsNames{"sim", "host", "both"};

struct RunOptions {
  std::string self;  ///< our own program, which runs each scenario in a process of its own
  std::string out;   ///< output folder; made if need be
  /// Files there that an earlier run has left and that are removed first: a run that is killed must
  /// not seem to have another one's verdict.
  std::vector<std::string> stale;
  std::optional<std::uint64_t> seed;  ///< replaces the scenarios' own seeds
  Worlds worlds = Worlds::host;
  std::uint32_t jobs = 0;  ///< how many scenarios run side by side; 0: two for each processor
  std::uint32_t repeat = 1;
  bool control = true;  ///< run a scenario with faults or signals without them as well
  /// After this time, a scenario that hangs is killed and has failed.
  Duration scenario_limit = std::chrono::seconds(120);
};

/// Called after each scenario by the thread that ran it, one call at a time.
using Progress = std::function<void(std::size_t done, std::size_t of, const ScenarioResult&)>;

/// Runs all scenarios: each in a process of its own, then its control run if it has faults or
/// signals, then the oracle. Writes traces to `out`/traces. Leaves no process behind, however it
/// ends (a guardian sees to that). Error: one sentence why the harness itself can't do it.
Expected<RunResult, std::string> run_all(const std::vector<Loaded>& scenarios,
                                         const RunOptions& options, const Progress& progress);

/// What the process that carries out one scenario is to do.
struct ScenarioJob {
  std::string scenario_file;
  bool control = false;  ///< run it with its faults switched off
  scenario::WorldKind world = scenario::WorldKind::host;
  std::string compare;  ///< a trace of the host world: only compare it with simulated runs
  std::optional<std::uint64_t> seed;
  std::string token;
  std::string folder;           ///< a folder of its own; the trace is written there as trace.jsonl
  std::string scenario_folder;  ///< the folder of the file that the scenario came from
};
/// Returns the exit code. 0: the trace is written, or agreement.txt (a word, and the reason in a
/// second line). 70: it could not be written, and a sentence on stderr says why.
int carry_out_job(const ScenarioJob& job);

}  // namespace poolproof::run
