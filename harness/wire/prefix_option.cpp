#include "harness/wire/prefix_option.hpp"

#include <string>

#include <fmt/format.h>

#include "harness/wire/wires.hpp"

namespace poolproof::wire {

std::optional<InputError> said_of_no_prefix(std::string_view option, Wire wire) {
  if (option.empty() || wire == Wire::prefix) return std::nullopt;
  return InputError{std::string(option), fmt::format("is said of the wire {}", row_of(wire).name),
                    "the wire prefix, or nothing"};
}

}  // namespace poolproof::wire
