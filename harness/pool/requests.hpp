#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "harness/base/ids.hpp"
#include "harness/base/result.hpp"
#include "harness/pool/config.hpp"
#include "harness/wire/framing.hpp"
#include "harness/wire/speech.hpp"
#include "harness/wire/terse.hpp"

namespace poolproof::pool {

/// How the pool speaks with its workers.
struct WireOptions {
  wire::Framing framing;
  bool opaque = false;  ///< payloads are any bytes: there is no init ping and no shutdown request
  wire::Codec codec = wire::Codec::json;
  wire::Speech speech = wire::Speech::bridge;

  [[nodiscard]] const wire::SpeechRow& row() const { return wire::row_of(speech); }
  /// Whether a worker is greeted, and good only once it has answered.
  [[nodiscard]] bool greets() const { return !opaque && row().greeting != nullptr; }
  [[nodiscard]] bool pings() const { return !opaque && row().ping != nullptr; }
  /// Whether a request asks a worker to leave.
  [[nodiscard]] bool says_goodbye() const { return !opaque && row().goodbye != nullptr; }
  /// Whether workers may write unasked.
  [[nodiscard]] bool hears_unasked() const { return !opaque && row().speaks_unasked; }
};

/// `SLOT.GENERATION`, as workers are called.
std::string name_of(WorkerId worker);

/// The frame that greets a worker, which is request 0 of its incarnation. Error: why no frame can
/// hold it. Requires: greets().
Expected<std::string, std::string> greeting(const WireOptions& wire, WorkerId worker,
                                            std::string_view timestamp);

/// Checks that a frame can hold the pool's own requests. Error: max_frame_bytes or prefix_bytes is
/// too small.
Parsed<void> checked(const WireOptions& wire);

/// Checks that workers can be asked what the config has the pool ask. Error: idle_ping_interval_ms
/// is set, and the speech has no ping.
Parsed<void> checked(const Config& config, const WireOptions& wire);

/// The frames that ask a worker to leave, as request `request`. Requires: says_goodbye().
Expected<std::string, std::string> goodbye(const WireOptions& wire, WorkerId worker,
                                           std::int64_t request, std::string_view timestamp);

/// The idle ping, as request `request`. Requires: pings().
Expected<std::string, std::string> idle_ping(const WireOptions& wire, WorkerId worker,
                                             std::int64_t request, std::string_view timestamp);

}  // namespace poolproof::pool
