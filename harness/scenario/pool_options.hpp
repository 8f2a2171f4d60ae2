#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "harness/pool/options.hpp"
#include "harness/scenario/scenario.hpp"

namespace poolproof::scenario {

/// What the generator sets an option to: `default_weight` times its default, once each of the
/// others. Without others it leaves the option alone.
struct Palette {
  std::uint32_t default_weight = 1;
  std::array<std::int64_t, 8> others{};
  std::uint32_t others_count = 0;
};

template <class... Numbers>
constexpr Palette palette(std::uint32_t default_weight, Numbers... others) {
  return {default_weight, {others...}, sizeof...(others)};
}

/// One option of a scenario's pool. Reader, writer, schema test, generator and shrinker go by this
/// table.
struct PoolOption : pool::Option<PoolSpec> {
  Palette palette;
  bool stands_alone = true;  ///< false: other parts hang on it, the shrinker has an edit for it
};

/// All of them, in the order of the schema.
std::span<const PoolOption> pool_options();

}  // namespace poolproof::scenario
