#pragma once

#include <charconv>
#include <concepts>
#include <optional>
#include <string>
#include <string_view>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "harness/base/text.hpp"

/// The numbers of the command line, in one way for all options: decimal digits and nothing else.
namespace poolproof::cli {

template <std::integral Number>
std::optional<Number> read_decimal(std::string_view text) {
  return parse_number<Number>(text);
}

template <std::floating_point Number>
std::optional<Number> read_decimal(std::string_view text) {
  Number number{};
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number, std::chars_format::fixed);
  if (error != std::errc() || stop != end) return std::nullopt;
  return number;
}

/// A check for an option: a number from `min` to `max`, both included; nan is refused.
template <class Number>
CLI::Validator within(Number min, Number max) {
  const std::string bounds = fmt::format("{} to {}", min, max);
  const auto check = [min, max, bounds](std::string& text) -> std::string {
    const auto number = read_decimal<Number>(text);
    if (number && *number >= min && *number <= max) {
      // CLI11 would take a zero in front for an octal number.
      text = fmt::format("{}", *number);
      return "";
    }
    return fmt::format("\"{}\" will not do; a {}number from {}", printable(text),
                       std::integral<Number> ? "whole " : "", bounds);
  };
  return CLI::Validator(check, bounds);
}

}  // namespace poolproof::cli
