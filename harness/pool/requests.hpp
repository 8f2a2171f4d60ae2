#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "harness/base/ids.hpp"
#include "harness/base/result.hpp"
#include "harness/wire/framing.hpp"
#include "harness/wire/speech.hpp"
#include "harness/wire/terse.hpp"

namespace poolproof::pool {

/// What is spoken with the workers.
struct WireOptions {
  wire::Framing framing;
  bool opaque = false;  ///< bytes that are nobody's business: no init ping, no shutdown request
  wire::Codec codec = wire::Codec::json;
  wire::Speech speech = wire::Speech::bridge;

  [[nodiscard]] const wire::SpeechRow& row() const { return wire::row_of(speech); }
  /// A worker is greeted, and good once it has answered.
  [[nodiscard]] bool greets() const { return !opaque && row().greeting != nullptr; }
  [[nodiscard]] bool pings() const { return !opaque && row().ping != nullptr; }
  /// A request asks a worker to leave.
  [[nodiscard]] bool says_goodbye() const { return !opaque && row().goodbye != nullptr; }
  /// What workers write unasked is no fault.
  [[nodiscard]] bool hears_unasked() const { return !opaque && row().speaks_unasked; }
};

/// `SLOT.GENERATION`, as workers are called.
std::string name_of(WorkerId worker);

/// Each of these gives what the pool itself says to a worker, as frames. Error: why no frame can
/// hold it. The greeting is request 0 of its incarnation. Requires: greets().
Expected<std::string, std::string> greeting(const WireOptions& wire, WorkerId worker,
                                            std::string_view timestamp);

/// A frame must hold the longest of them. Error: max_frame_bytes or prefix_bytes is too small.
Parsed<void> checked(const WireOptions& wire);

/// What asks it to leave, as request `request`. Requires: says_goodbye().
Expected<std::string, std::string> goodbye(const WireOptions& wire, WorkerId worker,
                                           std::int64_t request, std::string_view timestamp);

/// The idle ping, as request `request`. Requires: pings().
Expected<std::string, std::string> idle_ping(const WireOptions& wire, WorkerId worker,
                                             std::int64_t request, std::string_view timestamp);

}  // namespace poolproof::pool
