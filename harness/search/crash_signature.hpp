#pragma once

#include <string>
#include <string_view>

#include "harness/base/outcome.hpp"

namespace poolproof::search {

/// The signature of a process that ended in this way, from the last lines of its stderr: the broken
/// promise of the code, or what a sanitizer found and where, or else how the process ended. The
/// same fault always has the same signature: it has no addresses, values or folders in it.
std::string crash_signature(ExitStatus exit, std::string_view last_words);

}  // namespace poolproof::search
