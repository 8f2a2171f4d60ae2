#pragma once

#include <optional>

#include "harness/host/pool.hpp"
#include "harness/trace/record.hpp"
#include "harness/worlds/board.hpp"

namespace poolproof::worlds {

/// A census of this process, of now.
trace::OsRecord os_record(const char* when);

/// The census "calm": of a moment at which the pool, whose events `board` observes, had nothing to
/// do, and nothing happened. The pool says when; what is there then is the system's word.
///
/// Requires: all clients are done. `before` is of this process before the pool was made. Nothing:
/// somebody has closed the pool, or it did not come to rest in time, as one whose workers never
/// start.
std::optional<trace::OsRecord> census_of_calm(host::Pool& pool, Board& board,
                                              const trace::OsRecord& before);

}  // namespace poolproof::worlds
