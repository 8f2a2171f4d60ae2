#include "harness/scenario/pool_options.hpp"

#include "harness/base/json_node.hpp"

namespace poolproof::scenario {
namespace {

using Kind = PoolOption::Kind;

constexpr std::array<std::string_view, 2> kStarts{"lazy", "eager"};
constexpr std::array<std::string_view, 2> kInitModes{"async", "blocking"};
constexpr std::array<std::string_view, 2> kReuses{"lifo", "fifo"};
constexpr std::array<std::string_view, 2> kOnExceptions{"keep", "discard"};
constexpr std::array<std::string_view, 2> kPayloads{"envelope", "opaque"};
constexpr std::int64_t kFrameBytesMax = 1LL << 30;

template <auto member>
constexpr PoolOption count(std::string_view name, std::int64_t min, std::int64_t max) {
  return {name,
          Kind::whole,
          min,
          max,
          {},
          [](const PoolSpec& pool) { return std::int64_t{pool.core.*member}; },
          [](PoolSpec& pool, std::int64_t value) {
            pool.core.*member = static_cast<std::uint32_t>(value);
          }};
}

/// Whole numbers of the framing.
template <auto member>
constexpr PoolOption framing(std::string_view name, std::int64_t max) {
  return {name,
          Kind::whole,
          1,
          max,
          {},
          [](const PoolSpec& pool) { return static_cast<std::int64_t>(pool.framing.*member); },
          [](PoolSpec& pool, std::int64_t value) {
            using Number = std::remove_reference_t<decltype(pool.framing.*member)>;
            pool.framing.*member = static_cast<Number>(value);
          }};
}

template <auto member>
constexpr PoolOption core_span(std::string_view name, std::int64_t min) {
  return {name,
          Kind::milliseconds,
          min,
          kLongestMs,
          {},
          [](const PoolSpec& pool) { return to_ms(pool.core.*member); },
          [](PoolSpec& pool, std::int64_t value) {
            pool.core.*member = std::chrono::milliseconds(value);
          }};
}

template <auto member>
constexpr PoolOption span(std::string_view name) {
  return {
      name,
      Kind::milliseconds,
      0,
      kLongestMs,
      {},
      [](const PoolSpec& pool) { return to_ms(pool.*member); },
      [](PoolSpec& pool, std::int64_t value) { pool.*member = std::chrono::milliseconds(value); }};
}

template <auto member>
constexpr PoolOption core_choice(std::string_view name, std::span<const std::string_view> names) {
  return {name,
          Kind::choice,
          0,
          1,
          names,
          [](const PoolSpec& pool) { return static_cast<std::int64_t>(pool.core.*member); },
          [](PoolSpec& pool, std::int64_t value) {
            using Enum = std::remove_reference_t<decltype(pool.core.*member)>;
            pool.core.*member = static_cast<Enum>(value);
          }};
}

template <auto member>
constexpr PoolOption choice(std::string_view name, std::span<const std::string_view> names) {
  return {name,
          Kind::choice,
          0,
          1,
          names,
          [](const PoolSpec& pool) { return static_cast<std::int64_t>(pool.*member); },
          [](PoolSpec& pool, std::int64_t value) {
            using Enum = std::remove_reference_t<decltype(pool.*member)>;
            pool.*member = static_cast<Enum>(value);
          }};
}

using Core = pool::Config;

constexpr std::array kOptions{
    count<&Core::size>("size", 1, 100'000),
    core_choice<&Core::start>("start", kStarts),
    core_choice<&Core::init_mode>("init_mode", kInitModes),
    core_choice<&Core::reuse>("reuse", kReuses),
    count<&Core::waiters_max>("waiters_max", 1, 10'000'000),
    count<&Core::starts_max>("starts_max", 1, 100'000),
    count<&Core::leaving_max>("leaving_max", 1, 100'000),
    core_span<&Core::startup_budget>("startup_budget_ms", 1),
    core_span<&Core::postmortem_budget>("postmortem_budget_ms", 0),
    core_span<&Core::silence_max>("silence_max_ms", 0),
    core_span<&Core::backoff_initial>("backoff_initial_ms", 1),
    core_span<&Core::backoff_max>("backoff_max_ms", 1),
    count<&Core::backoff_jitter_percent>("backoff_jitter_percent", 0, 100),
    count<&Core::breaker_failures>("breaker_failures", 0, 1'000'000),
    core_span<&Core::breaker_open>("breaker_open_ms", 1),
    core_span<&Core::shutdown_grace>("shutdown_grace_ms", 0),
    core_span<&Core::stdin_grace>("stdin_grace_ms", 0),
    core_span<&Core::term_grace>("term_grace_ms", 0),
    framing<&wire::Framing::prefix_bytes>("prefix_bytes", 4),
    framing<&wire::Framing::max_frame_bytes>("max_frame_bytes", kFrameBytesMax),
    span<&PoolSpec::checkout_timeout>("checkout_timeout_ms"),
    span<&PoolSpec::call_timeout>("call_timeout_ms"),
    span<&PoolSpec::close_timeout>("close_timeout_ms"),
    choice<&PoolSpec::on_exception>("on_exception", kOnExceptions),
    choice<&PoolSpec::opaque>("payload", kPayloads),
};

}  // namespace

std::span<const PoolOption> pool_options() {
  return kOptions;
}

}  // namespace poolproof::scenario
