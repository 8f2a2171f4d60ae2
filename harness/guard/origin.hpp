#pragma once

#include "harness/guard/facts.hpp"
#include "harness/guard/finding.hpp"

namespace poolproof::guard {

/// Whether a process is a worker: its streams look like it, or it writes a journal.
bool is_worker(const Facts& facts, const Process& process);

/// Who started that process: the program, a worker or its children, or unknown. Evidence, the best
/// first: a worker's own journal; the chain of parents, as they were seen; a worker that leads its
/// group or session. Without any of these it is the program, unless a worker lived when the process
/// was started.
Blame starter_of(const Facts& facts, const Process& process);

/// Who is to blame for what a process does: a worker for its own deeds and those of its children.
Blame doer_of(const Facts& facts, const Address& address);

}  // namespace poolproof::guard
