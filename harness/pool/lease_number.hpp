#pragma once

#include <cstdint>

#include "harness/base/ids.hpp"

namespace poolproof::pool {

/// The number of the `count`th lease of a pool of `size` slots. The slot can be read off it, so
/// that nobody keeps a table of leases.
constexpr LeaseId lease_number(std::uint64_t count, std::uint32_t slot, std::uint32_t size) {
  return LeaseId{count * size + slot};
}

/// The slot of a lease with that number.
constexpr std::uint32_t slot_of_lease(LeaseId lease, std::uint32_t size) {
  const auto number = static_cast<std::uint64_t>(lease);
  // A division takes longer than all else that the end of a lease costs here.
  const bool power_of_two = (size & (size - 1)) == 0;
  return static_cast<std::uint32_t>(power_of_two ? number & (size - 1) : number % size);
}

}  // namespace poolproof::pool
