#pragma once

#include <cstdint>
#include <string_view>

namespace poolproof {

/// A stream of random numbers for one purpose, split by name from a seed (xoshiro256**, seeded
/// by splitmix64). The same seed and name give the same numbers with every compiler.
/// Draw once per statement: the order of arguments differs between compilers.
class Random {
 public:
  Random(std::uint64_t seed, std::string_view purpose);

  std::uint64_t next();

  /// A number in [0, bound), every one equally likely. `bound` must not be 0.
  std::uint64_t below(std::uint64_t bound);

 private:
  std::uint64_t state_[4];
};

}  // namespace poolproof
