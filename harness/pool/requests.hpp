#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "harness/base/ids.hpp"

/// What the pool itself asks of its workers, as payloads.
namespace poolproof::pool {

/// `SLOT.GENERATION`, as workers are called.
std::string name_of(WorkerId worker);

/// The init ping: request 0 of its incarnation.
std::string ping_request(WorkerId worker, std::string_view timestamp);
std::string shutdown_request(WorkerId worker, std::int64_t request, std::string_view timestamp);

}  // namespace poolproof::pool
