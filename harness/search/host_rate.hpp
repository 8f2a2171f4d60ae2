#pragma once

#include <cstdint>
#include <string>

#include "harness/base/clock.hpp"
#include "harness/base/result.hpp"

namespace poolproof::search {

/// What one pool on real processes came to while its clients were at it.
struct HostRate {
  std::uint64_t core_events = 0;
  Duration span{};  ///< from the first client's first step to the last one's last
};

/// Runs one sound scenario, a few clients on as many C++ workers, as `poolproof run` does: in a
/// process of its own, judged. `self` is our own program; `folder` is made, and gone afterwards.
///
/// Takes a fraction of a second, and a few seconds at most. Error: one sentence why there is no
/// rate: the worker's program is missing, the run did not pass.
Expected<HostRate, std::string> measure_host_rate(const std::string& self,
                                                  const std::string& folder);

}  // namespace poolproof::search
