#pragma once

#include <string>

#include "harness/base/result.hpp"
#include "harness/host/child.hpp"
#include "harness/scenario/scenario.hpp"
#include "harness/trace/record.hpp"

namespace poolproof::worlds {

/// The programs that stand behind the worker kinds.
struct Programs {
  std::string fake_worker;  ///< the path of our fake worker
  std::string python;       ///< the path of the interpreter
  std::string python_path;  ///< the folder that holds the package poolproof_worker
  std::string own = {};     ///< our own program, which is `poolproof wrap` before a wrapped worker
};

/// Finds the programs where the environment says (POOLPROOF_FAKE_WORKER, POOLPROOF_PYTHON,
/// POOLPROOF_PYTHONPATH); else beside our own program and in the source tree if it stands where it
/// was built, or below the prefix under which it was installed.
Programs find_programs();

/// `path` if a program can be started from there.
Expected<std::string, host::LaunchError> startable(const std::string& path);

/// Checks that all is there that a scenario needs from the machine. `where` is its file,
/// `scenario_folder` the file's folder. Error: which worker's program is missing, and where it was
/// looked for.
Parsed<bool> check_programs(const scenario::Scenario& scenario, const Programs& programs,
                            const std::string& where, const std::string& scenario_folder);

struct HostWorld {
  Programs programs;
  std::string token;            ///< every worker carries it: POOLPROOF_TOKEN
  std::string folder;           ///< for the plan and the journal; must exist
  std::string scenario_folder;  ///< the scenario's folder, from which its commands' paths are taken
};

/// Carries a scenario out: a real pool, real processes, a thread for each client. In a process of
/// its own, since descriptors, threads and zombies are counted per process.
///
/// Returns the trace with what the clients, the workers, the OS and the pool saw; it judges
/// nothing. Error: one sentence why the harness itself could not carry it out (an await that never
/// came true...).
Expected<trace::Trace, std::string> carry_out(const scenario::Scenario& scenario,
                                              const HostWorld& world);

}  // namespace poolproof::worlds
