#pragma once

#include <optional>
#include <string_view>

#include "harness/base/result.hpp"
#include "harness/wire/framing.hpp"

namespace poolproof::wire {

/// What is wrong with an option that says something of the length prefix, typed for that wire.
/// Empty `option`: none was typed. (What the environment says is said of every worker, and may mean
/// nothing to this one.)
std::optional<InputError> said_of_no_prefix(std::string_view option, Wire wire);

}  // namespace poolproof::wire
