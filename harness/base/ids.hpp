#pragma once

#include <compare>
#include <cstdint>

namespace poolproof {

/// One process in one slot of the pool. Both numbers start at 0. Each attempt to start uses up a
/// generation, even one that fails.
struct WorkerId {
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;
  // clang-tidy 14 takes the 0 inside <=> for a pointer.
  auto operator<=>(const WorkerId&) const = default;  // NOLINT(modernize-use-nullptr)
};

/// One client's exclusive hold of one worker. Unique for the life of a pool; 0 is "none".
enum class LeaseId : std::uint64_t { none = 0 };

/// One request for a lease. The world gives out the numbers in order of arrival, strictly rising; 0
/// is "none".
enum class CheckoutId : std::uint64_t { none = 0 };

/// What requests share that rely on the memory of one worker, so that the same worker serves them.
/// The world gives out the numbers, each once; 0 is "none".
enum class SessionId : std::uint64_t { none = 0 };

}  // namespace poolproof
