#pragma once

#include <cstdint>
#include <string>

#include "harness/base/clock.hpp"
#include "harness/base/result.hpp"

namespace poolproof::search {

/// How fast one pool on real processes served its clients.
struct HostRate {
  std::uint64_t core_events = 0;
  Duration span{};  ///< from the first step of any client to the last
};

/// Runs one sound scenario, a few clients on as many C++ workers, as `poolproof run` does: in a
/// process of its own, judged. `self` is our own program. `folder` is made, and removed afterwards.
///
/// Takes a fraction of a second, a few seconds at most. Error: one sentence why there is no rate:
/// the worker's program is missing, or the run did not pass.
Expected<HostRate, std::string> measure_host_rate(const std::string& self,
                                                  const std::string& folder);

}  // namespace poolproof::search
