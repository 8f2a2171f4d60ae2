#pragma once

#include <string>

#include "harness/probe/session.hpp"
#include "harness/probe/table.hpp"

namespace poolproof::probe {

/// Tries one fact after the other on processes of the worker and says what came of each. After a
/// broken fact it goes on with a fresh process; what needs an answered call is not tried on a
/// worker that answers none. Takes 3 to 5 s and eight starts for a sound worker, and `limit` more
/// for each thing that is waited for in vain. Requires: sys::adopt_orphans().
Table examine(const Settings& settings, const std::string& token, const Say& say);

}  // namespace poolproof::probe
