#pragma once

#include <string>
#include <vector>

#include "harness/base/clock.hpp"
#include "harness/base/outcome.hpp"
#include "harness/base/result.hpp"

namespace poolproof::run {

/// How a process of ours ended.
struct Ended {
  ExitStatus exit;
  bool overran = false;  ///< it was killed because its time was over
  std::string said;      ///< the last of its stderr
};

/// Starts `argv` with POOLPROOF_TOKEN=`token`, waits for its end and takes what it says; kills it,
/// and everything else that carries the token, when `limit` is over. Afterwards nothing that
/// carries the token is left. The calling thread must live as long. Error: it could not be started.
Expected<Ended, std::string> run_process(const std::vector<std::string>& argv,
                                         const std::string& token, Duration limit);

}  // namespace poolproof::run
