#include "harness/cli/commands.hpp"
#include "harness/host/child.hpp"
#include "harness/host/guardian.hpp"
#include "harness/host/system.hpp"
#include "harness/probe/diagnosis.hpp"
#include "harness/worlds/host_world.hpp"

namespace poolproof::cli {

int probe(const ProbeArguments& arguments) {
  host::sys::ignore_sigpipe();
  if (arguments.command.empty())
    return bad_input(
        "probe: no worker's command; write it after --, as in "
        "poolproof probe -- python3 my_worker.py");
  const auto found = host::find_program(arguments.command.front()).and_then(worlds::startable);
  if (!found)
    return bad_input("probe: " + found.error().message +
                     "; the path of a program, or its name on the PATH");
  const std::string token = host::new_token();
  // From here on neither Ctrl-C nor a kill -9 leaves anybody behind.
  const auto guardian = host::Guardian::start(own_program(), token);
  if (!guardian) return broken(guardian.error().message);
  const probe::Settings settings{
      arguments.command,
      {static_cast<std::uint8_t>(arguments.prefix_bytes), arguments.max_frame_bytes},
      std::chrono::milliseconds(arguments.timeout_ms)};
  const auto diagnosis = probe::diagnose(probe::examine(settings, token, say), settings);
  say("\n" + diagnosis.text);
  return diagnosis.faults.empty() ? kHeld : kFailed;
}

}  // namespace poolproof::cli
