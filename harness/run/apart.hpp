#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "harness/base/clock.hpp"
#include "harness/host/offshoot.hpp"
#include "harness/scenario/scenario.hpp"
#include "harness/wire/terse.hpp"

namespace poolproof::run {

/// A simulated run in a process of its own: it may crash, break a promise of the code or never end.
struct Apart {
  std::vector<std::string> signatures;  ///< of its findings, in their order; empty: it held
  std::string what;                     ///< the first finding's sentence
};
Apart run_apart(const scenario::Scenario& scenario, Duration limit,
                wire::Codec codec = wire::Codec::json);

/// Reads all of `offshoot`'s words until it has ended or `limit` is over (then it is killed).
struct LastWords {
  std::string said;
  std::string errors;
  ExitStatus exit;
  bool overran = false;
};
LastWords hear(host::Offshoot& offshoot, Duration limit);

}  // namespace poolproof::run
