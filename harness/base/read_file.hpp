#pragma once

#include <cstdint>
#include <string>

#include "harness/base/result.hpp"

namespace poolproof {

/// Reads a regular file whole. Errors: the file does not exist, is no regular file (a folder, a
/// pipe), is longer than `most_bytes`, or can't be read. `want` goes into the error: it says what
/// would be right.
Parsed<std::string> read_file(const std::string& path, std::uintmax_t most_bytes,
                              const std::string& want);

}  // namespace poolproof
