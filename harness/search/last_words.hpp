#pragma once

#include <string>
#include <string_view>

#include "harness/base/outcome.hpp"

namespace poolproof::search {

/// Under which signature a process that ended in this way has failed, by the last of its stderr:
/// the promise of the code that was broken, or what a sanitizer found and where, else how it ended.
/// The same fault has the same one again: no addresses, no values, no folders of this machine.
std::string signature_of_end(ExitStatus exit, std::string_view last_words);

}  // namespace poolproof::search
