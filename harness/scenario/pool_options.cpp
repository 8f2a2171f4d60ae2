#include "harness/scenario/pool_options.hpp"

namespace poolproof::scenario {
namespace {

constexpr std::array<std::string_view, 2> kPayloads{"envelope", "opaque"};
constexpr std::int64_t kFrameBytesMax = 1LL << 30;

/// What a test of pools makes of an option of the Core.
struct CoreRow {
  std::string_view name;
  Palette palette;
  bool stands_alone = true;
};

// A start-up budget below 100 ms, or a frame below 256 bytes, is a pool that can never start.
constexpr std::array kCoreRows{
    CoreRow{"size", palette(5, 2, 2, 2, 2, 2, 3, 3, 4), false},
    CoreRow{"start", palette(2, 1)},
    CoreRow{"init_mode", palette(5, 1)},
    CoreRow{"reuse", palette(2, 1)},
    CoreRow{"waiters_max", palette(9, 1, 2, 3)},
    CoreRow{"starts_max", palette(5, 1, 2)},
    CoreRow{"leaving_max", palette(5, 1, 2)},
    CoreRow{"startup_budget_ms", palette(8, 100, 200, 300, 500, 1000, 3000)},
    CoreRow{"postmortem_budget_ms", palette(8, 0, 1, 10, 50, 100, 1000)},
    CoreRow{"silence_max_ms", palette(8, 0, 10, 100, 1000)},
    CoreRow{"backoff_initial_ms", palette(8, 1, 10, 50, 200, 300, 500, 1000)},
    CoreRow{"backoff_max_ms", palette(6, 100, 300, 1000, 3000)},
    CoreRow{"backoff_jitter_percent", palette(2, 0, 0, 0, 50, 100)},
    CoreRow{"breaker_failures", palette(4, 1, 2, 0)},
    CoreRow{"breaker_open_ms", palette(6, 1, 10, 100, 200, 300, 1000, 3000)},
    CoreRow{"shutdown_grace_ms", palette(6, 0, 1, 10, 100, 200, 1000)},
    CoreRow{"stdin_grace_ms", palette(6, 0, 1, 10, 100, 200, 1000)},
    CoreRow{"term_grace_ms", palette(6, 0, 1, 10, 100, 200, 1000)},
};
static_assert(kCoreRows.size() == pool::kOptions.size(),
              "each option of pool::kOptions has one row here");

constexpr CoreRow row_of(std::string_view name) {
  for (const CoreRow& row : kCoreRows) {
    if (row.name == name) return row;
  }
  throw "an option of pool::kOptions has no row in kCoreRows: the generator does not know it";
}

/// An option of the Core as one of the pool around it.
template <std::size_t place>
constexpr PoolOption of_core() {
  constexpr const pool::Option<pool::Config>& kOption = pool::kOptions[place];
  constexpr CoreRow kRow = row_of(kOption.name);
  return {{kOption.name, kOption.unit, kOption.min, kOption.max, kOption.names,
           [](const PoolSpec& pool) { return pool::kOptions[place].get(pool.core); },
           [](PoolSpec& pool, std::int64_t value) { pool::kOptions[place].set(pool.core, value); },
           [](const PoolSpec& pool, std::int64_t min, std::int64_t max) {
             return pool::kOptions[place].is_within(pool.core, min, max);
           }},
          kRow.palette,
          kRow.stands_alone};
}

using pool::choice;
using pool::option;
using wire::Framing;

/// The options of the pool around the Core. What a payload is decides what clients can say: that
/// is a theme's business.
constexpr std::array kOwn{
    PoolOption{option<&PoolSpec::framing, &Framing::prefix_bytes>("prefix_bytes", 1, 4),
               palette(14, 2, 1)},
    PoolOption{
        option<&PoolSpec::framing, &Framing::max_frame_bytes>("max_frame_bytes", 1, kFrameBytesMax),
        palette(27, 256, 1000, 70'000)},
    PoolOption{option<&PoolSpec::checkout_timeout>("checkout_timeout_ms", 0, kLongestMs),
               palette(6, 0, 10, 100, 200, 300, 1000, 3000)},
    PoolOption{option<&PoolSpec::call_timeout>("call_timeout_ms", 0, kLongestMs),
               palette(6, 1, 10, 100, 200, 300, 1000, 3000)},
    PoolOption{option<&PoolSpec::close_timeout>("close_timeout_ms", 0, kLongestMs),
               palette(8, 0, 1, 10, 100, 300, 1000, 3000)},
    PoolOption{choice<&PoolSpec::on_exception>("on_exception", pool::kOnExceptionNames),
               palette(2, 1)},
    PoolOption{choice<&PoolSpec::opaque>("payload", kPayloads), palette(1), false},
};

template <std::size_t... core, std::size_t... own>
constexpr auto joined(std::index_sequence<core...> /*core*/, std::index_sequence<own...> /*own*/) {
  return std::array{of_core<core>()..., kOwn[own]...};
}
constexpr auto kAll = joined(std::make_index_sequence<pool::kOptions.size()>{},
                             std::make_index_sequence<kOwn.size()>{});

}  // namespace

std::span<const PoolOption> pool_options() {
  return kAll;
}

}  // namespace poolproof::scenario
