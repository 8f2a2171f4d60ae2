#include "harness/pool/config.hpp"

#include <fmt/format.h>

#include "harness/pool/options.hpp"

namespace poolproof::pool {
namespace {

InputError out_of_bounds(const Option<Config>& option, const Config& config, std::int64_t min,
                         std::int64_t max) {
  const std::string_view unit = option.unit == Unit::milliseconds ? " ms" : "";
  return {std::string(option.name), "is " + option.words(config),
          fmt::format("{} to {}{}", min, max, unit)};
}

/// The least value that the option may have in this config.
std::int64_t least(const Option<Config>& option, const Config& config) {
  return option.name == "backoff_max_ms" ? to_ms(config.backoff_initial) : option.min;
}

/// The largest value that the option may have in this config.
std::int64_t most(const Option<Config>& option, const Config& config) {
  return option.name == "min_idle" ? config.size : option.max;
}

}  // namespace

std::string in_ms(Duration span) {
  const auto us = span.count();
  const auto whole = us / 1000;
  const auto rest = us % 1000;
  if (rest == 0) return fmt::format("{} ms", whole);
  return fmt::format("{}{}.{:03} ms", us < 0 && whole == 0 ? "-" : "", whole,
                     rest < 0 ? -rest : rest);
}

Parsed<Config> checked(const Config& config) {
  for (const Option<Config>& option : kOptions) {
    const std::int64_t min = least(option, config);
    const std::int64_t max = most(option, config);
    if (!option.is_within(config, min, max)) {
      return unexpected(out_of_bounds(option, config, min, max));
    }
  }
  return config;
}

}  // namespace poolproof::pool
