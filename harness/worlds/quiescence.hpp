#pragma once

#include <optional>

#include "harness/host/pool.hpp"
#include "harness/trace/record.hpp"
#include "harness/worlds/milestones.hpp"

namespace poolproof::worlds {

/// A census of this process at this moment.
trace::OsRecord os_record(const char* when);

/// The census "quiescent", taken while the pool, whose events `milestones` observes, has nothing to
/// do. The pool says only when; what is there then is the system's word.
///
/// Requires: all clients are done. `before` is of this process before the pool was made. Nothing:
/// somebody has closed the pool, or it was not quiescent in time, as one whose workers never
/// start.
std::optional<trace::OsRecord> quiescence_census(host::Pool& pool, Milestones& milestones,
                                                 const trace::OsRecord& before);

}  // namespace poolproof::worlds
