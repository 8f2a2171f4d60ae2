#pragma once

#include <variant>
#include <vector>

#include "harness/trace/record.hpp"

namespace poolproof::trace {

/// A pointer to one record of any witness in the trace.
struct Merged {
  Time at;
  int rank;  ///< orders records of the same time
  std::variant<const ClientStep*, const WorkerRecord*, const OsRecord*, const EnvironmentRecord*,
               const PoolRecord*>
      record;
};

/// All records in the order of time. At the same time: a census "before", the environment, workers,
/// the pool, clients, a census "after". Records of one witness keep their order.
std::vector<Merged> merged(const Trace& trace);

/// The time of the first record; times that a person reads count from there. Time{}: there is none.
/// `all` is what merged() gives.
Time begin_of(const std::vector<Merged>& all);

}  // namespace poolproof::trace
