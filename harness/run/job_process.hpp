#pragma once

#include <string>
#include <vector>

#include "harness/base/clock.hpp"
#include "harness/base/outcome.hpp"
#include "harness/base/result.hpp"

namespace poolproof::run {

/// How a process that we started ended.
struct Ended {
  ExitStatus exit;
  bool overran = false;  ///< it was killed because its time was over
  std::string said;      ///< the last part of its stderr
};

/// Starts `argv` with POOLPROOF_TOKEN=`token`, waits for its end and collects what it writes. When
/// `limit` is over, kills it and every other process that carries the token. Afterwards no process
/// that carries the token is left. The calling thread must live until the end of the process.
/// Error: it could not be started.
Expected<Ended, std::string> run_process(const std::vector<std::string>& argv,
                                         const std::string& token, Duration limit);

}  // namespace poolproof::run
