#pragma once

#include <bit>
#include <cstdint>
#include <string_view>

namespace poolproof {

/// Turns neighbouring states into numbers that have nothing in common.
std::uint64_t splitmix64(std::uint64_t& state);
inline constexpr std::uint64_t kSplitmixStep =
    0x9e3779b97f4a7c15U;  ///< what a call of splitmix64() adds to `state`

/// A hash (FNV-1a) that no library version changes.
std::uint64_t fnv1a(std::string_view text);

/// A stream of random numbers for one purpose, split by name from a seed (xoshiro256**, seeded
/// by splitmix64). The same seed and name give the same numbers with every compiler.
/// Draw once per statement: the order of arguments differs between compilers.
class Random {
 public:
  Random(std::uint64_t seed, std::string_view purpose);

  std::uint64_t next() {
    const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    const std::uint64_t shifted = state_[1] << 17U;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }

  /// A number in [0, bound), every one equally likely. `bound` must not be 0.
  std::uint64_t below(std::uint64_t bound);

 private:
  std::uint64_t state_[4];
};

}  // namespace poolproof
