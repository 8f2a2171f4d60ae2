#include "harness/base/random.hpp"

#include "harness/base/assert.hpp"

namespace poolproof {

std::uint64_t splitmix64(std::uint64_t& state) {
  state += kSplitmixStep;
  std::uint64_t z = state;
  z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31U);
}

std::uint64_t fnv1a(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  return hash;
}

Random::Random(std::uint64_t seed, std::string_view purpose) : state_{} {
  std::uint64_t mixed = seed ^ fnv1a(purpose);
  for (auto& word : state_) word = splitmix64(mixed);
}

std::uint64_t Random::below(std::uint64_t bound) {
  POOLPROOF_ASSERT(bound > 0);
  // The few numbers above the last whole multiple of `bound` are rejected, so that no result is
  // favoured.
  const std::uint64_t limit = UINT64_MAX - UINT64_MAX % bound;
  std::uint64_t drawn = next();
  while (drawn >= limit) drawn = next();
  return drawn % bound;
}

}  // namespace poolproof
