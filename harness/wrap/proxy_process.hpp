#pragma once

#include <optional>
#include <string>
#include <vector>

#include "harness/host/guardian.hpp"
#include "harness/wrap/pump.hpp"
#include "harness/wrap/relay.hpp"
#include "harness/wrap/system.hpp"

namespace poolproof::wrap {

/// This process's place between a client and its worker: our streams, the worker's streams, and how
/// worker and process begin and end. Destroyed only with the process.
class ProxyProcess {
 public:
  explicit ProxyProcess(RelaySettings& settings);

  void start_worker();
  /// Passes a signal on to the worker; before there is a worker, the signal ends us.
  void pass_on(const sys::Signals::Came& came);
  /// How the worker ended; nothing: it lives, or has not been started.
  [[nodiscard]] std::optional<ExitStatus> ended() const;
  /// Ends this process as the worker ended by itself. A copy of this process goes on serving what
  /// the worker left in its pipes, and whoever still holds them: `down` to the worker, `up` from
  /// it.
  [[noreturn]] void end_with_it(ExitStatus status, Pump& down, Pump& up);
  /// Ends this process with that status, and before it the worker with all that it started.
  [[noreturn]] void end_before_it(ExitStatus status);

  sys::Signals signals;
  std::vector<int> inherited;
  sys::Stream input;
  sys::Stream output;
  sys::Below below;

 private:
  [[noreturn]] void give_up(const std::string& why, bool bad_input = false);
  void start_guardian(const std::string& token);
  void serve_what_is_left(Pump& down, Pump& up);

  RelaySettings& settings_;
  std::optional<host::Guardian> guardian_;
};

}  // namespace poolproof::wrap
