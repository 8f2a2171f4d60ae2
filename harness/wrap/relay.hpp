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

/// What is known of a relay before it begins.
struct RelaySettings {
  MachineConfig machine;
  std::string program;            ///< the worker's, as a path
  std::vector<std::string> argv;  ///< its words
  std::vector<std::string> env;   ///< its environment, but for the mark
  std::string own_program;        ///< that of the guardian
  std::optional<int> channel;     ///< the socket that stands for stdin and stdout; none: they do
  std::optional<wire::WireLog> wire_log;
  host::Descriptor journal;  ///< none: nothing is noted
  /// Says why the relay can't go on, and returns the exit code: that of bad input, or of trouble of
  /// our own.
  std::function<int(const std::string& why, bool bad_input)> complain;
};

/// Becomes a worker's stand-in: starts it, moves bytes until it is gone, and ends as it did.
[[noreturn]] void relay(RelaySettings settings);

}  // namespace poolproof::wrap
