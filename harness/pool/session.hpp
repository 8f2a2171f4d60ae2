#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "harness/base/enumerators.hpp"
#include "harness/base/ids.hpp"

namespace poolproof::pool {

/// Which worker a session's request may get.
enum class Affinity : std::uint8_t {
  any,     ///< whichever is next
  prefer,  ///< the session's worker if it is idle just then, else whichever is next
  strict,  ///< the session's worker and no other; the first request gets whichever is next
};
/// What a strict request does while the session's worker serves others.
enum class WhenBusy : std::uint8_t {
  wait,  ///< it waits, until its deadline
  fail,  ///< it is refused at once
};

inline constexpr auto kAffinityNames = enumerator_names<Affinity>();
inline constexpr auto kWhenBusyNames = enumerator_names<WhenBusy>();

constexpr std::string_view name(Affinity affinity) {
  return kAffinityNames[static_cast<std::size_t>(affinity)];
}

constexpr std::string_view name(WhenBusy when_busy) {
  return kWhenBusyNames[static_cast<std::size_t>(when_busy)];
}

/// How a request belongs to a session. With session `none` it belongs to none.
struct SessionUse {
  SessionId session = SessionId::none;
  Affinity affinity = Affinity::any;
  WhenBusy when_busy = WhenBusy::wait;

  bool operator==(const SessionUse&) const = default;
};

/// A session by its name, and how a request belongs to it. An empty name: it belongs to none.
struct SessionRequest {
  std::string_view name;
  Affinity affinity = Affinity::strict;
  WhenBusy when_busy = WhenBusy::wait;
};

}  // namespace poolproof::pool
