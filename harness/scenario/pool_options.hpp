#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "harness/scenario/scenario.hpp"

namespace poolproof::scenario {

/// One option of a scenario's pool. Reader, writer and schema test all go by this table; its bounds
/// are those of pool::checked().
struct PoolOption {
  enum class Kind : std::uint8_t { whole, milliseconds, choice };
  std::string_view name;
  Kind kind = Kind::whole;
  std::int64_t min = 0;
  std::int64_t max = 0;
  std::span<const std::string_view> names;  ///< choice only; the value is the place in it
  std::int64_t (*get)(const PoolSpec&) = nullptr;
  void (*set)(PoolSpec&, std::int64_t) = nullptr;
};

/// All of them, in the order of the schema.
std::span<const PoolOption> pool_options();

}  // namespace poolproof::scenario
