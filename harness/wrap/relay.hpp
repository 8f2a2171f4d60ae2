#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "harness/base/result.hpp"
#include "harness/host/guardian.hpp"
#include "harness/wire/wire_log.hpp"
#include "harness/wrap/machine.hpp"
#include "harness/wrap/system.hpp"

namespace poolproof::wrap {

/// What a relay must know before it begins.
struct RelaySettings {
  MachineConfig machine;
  std::string program;            ///< the path of the worker's program
  std::vector<std::string> argv;  ///< the words of the worker's command line
  std::vector<std::string> env;   ///< the worker's environment, without the mark
  std::string own_program;        ///< the program that is started as the guardian
  /// The socket that serves as stdin and stdout; none: these serve themselves
  std::optional<int> channel;
  std::optional<wire::WireLog> wire_log;
  host::Descriptor journal;  ///< where records are written; none: nothing is recorded
  /// Says why the relay can't go on. Returns the exit code: the one for bad input, or the one for
  /// trouble of our own.
  std::function<int(const std::string& why, bool bad_input)> complain;
};

/// Stands in for a worker: starts it, moves bytes until it is gone, and ends as it did.
[[noreturn]] void relay(RelaySettings settings);

}  // namespace poolproof::wrap
