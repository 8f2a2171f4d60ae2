#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "harness/base/ids.hpp"
#include "harness/base/result.hpp"
#include "harness/wire/framing.hpp"
#include "harness/wire/terse.hpp"

namespace poolproof::pool {

/// What is spoken with the workers.
struct WireOptions {
  wire::Framing framing;
  bool opaque = false;  ///< bytes that are nobody's business: no init ping, no shutdown request
  wire::Codec codec = wire::Codec::json;
};

/// `SLOT.GENERATION`, as workers are called.
std::string name_of(WorkerId worker);

/// What the pool itself asks of a worker, as a frame: the init ping is request 0 of its
/// incarnation, any later one is the shutdown request. Error: why no frame can hold it.
Expected<std::string, std::string> own_request(const WireOptions& wire, WorkerId worker,
                                               std::int64_t request, std::string_view timestamp);

/// The idle ping, as request `request` of its incarnation. Error: the same.
Expected<std::string, std::string> idle_ping(const WireOptions& wire, WorkerId worker,
                                             std::int64_t request, std::string_view timestamp);

}  // namespace poolproof::pool
