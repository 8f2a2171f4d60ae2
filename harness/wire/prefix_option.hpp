#pragma once

#include <optional>
#include <string_view>

#include "harness/base/result.hpp"
#include "harness/wire/framing.hpp"

namespace poolproof::wire {

/// The error of a command-line option about the length prefix, if the wire has no prefix. Empty
/// `option`: none was given. (The environment may set one all the same: it speaks to every worker,
/// and is ignored by those on another wire.)
std::optional<InputError> said_of_no_prefix(std::string_view option, Wire wire);

}  // namespace poolproof::wire
