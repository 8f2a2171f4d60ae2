#pragma once

#include <variant>
#include <vector>

#include "harness/trace/record.hpp"

namespace poolproof::trace {

/// One record of any witness; it points into the trace.
struct Merged {
  Time at;
  int rank;  ///< among records of the same time
  std::variant<const ClientStep*, const WorkerRecord*, const OsRecord*, const EnvironmentRecord*,
               const PoolRecord*>
      record;
};

/// All records in the order of time; at the same time a census "before", the environment, workers,
/// the pool, clients, a census "after"; then as they stand in the trace.
std::vector<Merged> merged(const Trace& trace);

}  // namespace poolproof::trace
