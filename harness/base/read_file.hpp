#pragma once

#include <cstdint>
#include <string>

#include "harness/base/result.hpp"

namespace poolproof {

/// A regular file as it is, whole. Errors: there is none, it is something else (a folder, a pipe),
/// it is longer than `most_bytes`, it can't be read; `want` says what would be right.
Parsed<std::string> read_file(const std::string& path, std::uintmax_t most_bytes,
                              const std::string& want);

}  // namespace poolproof
