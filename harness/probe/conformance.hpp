#pragma once

#include <string>

#include "harness/probe/session.hpp"
#include "harness/probe/table.hpp"

namespace poolproof::probe {

/// Tries one fact after the other on processes of the worker, and reports each. What is not well on
/// a process that has requests behind it is tried again on a fresh one, and counts for the row only
/// if it is not well there. What needs an answered call is not tried on a worker that does not
/// answer three. Takes 3 to 4 s and seven starts for a sound worker, and `limit` more for each
/// thing that is waited for in vain. Requires: sys::adopt_orphans().
Table examine(const Settings& settings, const std::string& token, const Say& say);

}  // namespace poolproof::probe
