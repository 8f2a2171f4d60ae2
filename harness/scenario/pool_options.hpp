#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "harness/pool/options.hpp"
#include "harness/scenario/scenario.hpp"

namespace poolproof::scenario {

/// The values between which the generator chooses for an option: the default, with the weight
/// `default_weight`, and each of the others, with a weight of one. Without others it keeps the
/// default.
struct Palette {
  std::uint32_t default_weight = 1;
  std::array<std::int64_t, 8> others{};
  std::uint32_t others_count = 0;
};

template <class... Numbers>
constexpr Palette palette(std::uint32_t default_weight, Numbers... others) {
  return {default_weight, {others...}, sizeof...(others)};
}

/// One option of a scenario's pool. Reader, writer, schema test, generator and shrinker all follow
/// the table of these options.
struct PoolOption : pool::Option<PoolSpec> {
  Palette palette;
  /// False: other parts depend on it, and the shrinker changes it by an edit of its own
  bool stands_alone = true;
};

/// All options, in the order of the schema.
std::span<const PoolOption> pool_options();

}  // namespace poolproof::scenario
