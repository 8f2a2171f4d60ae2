#pragma once

#include <optional>

#include "harness/oracle/oracle.hpp"

namespace poolproof::oracle {

class View;

/// How an incarnation ended. Judged by what it wrote and what was done to it. Where nothing else
/// tells whether the pool put it away before it was closed, the pool's self-report does.
///
/// Nothing: a worker without a journal, in a pool that gives no self-report.
std::optional<scenario::Fate> fate_of(const Evidence& evidence, WorkerId worker);
/// The same with the evidence's view, when several are asked for.
std::optional<scenario::Fate> fate_of(const Evidence& evidence, const View& view, WorkerId worker);

/// Every incarnation that any witness knows, in order.
std::vector<WorkerId> incarnations_of(const Evidence& evidence);

}  // namespace poolproof::oracle
