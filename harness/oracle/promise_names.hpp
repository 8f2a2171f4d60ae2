#pragma once

#include <cstdint>

#include "harness/base/ids.hpp"

/// The names of the invariants that promises belong to, and the number by which a request is named.
namespace poolproof::oracle {

inline constexpr const char* kOrder = "order";
inline constexpr const char* kAccounting = "accounting";
inline constexpr const char* kNoWaiter = "no_waiter_beside_idle";
inline constexpr const char* kStarts = "bounded_starts";
inline constexpr const char* kBounds = "bounds";
inline constexpr const char* kDeadlines = "deadlines";
inline constexpr const char* kLadder = "ladder";
inline constexpr const char* kDiagnosis = "diagnosis";
inline constexpr const char* kAffinity = "affinity";

constexpr std::uint64_t number(CheckoutId checkout) {
  return static_cast<std::uint64_t>(checkout);
}

}  // namespace poolproof::oracle
