#pragma once

#include <string_view>

namespace poolproof::guard {

/// Whether a command line is that of a runner that starts each file of tests as a process of its
/// own, with pipes for its streams: such a process is no worker, but a part of the program.
bool starts_tests(std::string_view command);

}  // namespace poolproof::guard
