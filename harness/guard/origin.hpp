#pragma once

#include "harness/guard/facts.hpp"
#include "harness/guard/finding.hpp"

namespace poolproof::guard {

/// Whether it is a worker: by its streams, or since it writes a journal.
bool is_worker(const Facts& facts, const Process& process);

/// Who has started that process: the program, a worker or what a worker has started, or nobody can
/// tell. Evidence, the best first: a worker's own journal; the parents, one after the other, as
/// they were seen; a worker that leads its group or its session. Without any of these it is the
/// program's, unless a worker lived when it was started.
Blame starter_of(const Facts& facts, const Process& process);

/// Whose doing it is what a process does: a worker's own and its children's is the worker's.
Blame doer_of(const Facts& facts, const Address& address);

}  // namespace poolproof::guard
