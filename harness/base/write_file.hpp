#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "harness/base/result.hpp"

namespace poolproof {

/// Writes the file whole or not at all: first into a hidden file in the same folder, then by
/// rename. A killed run leaves the older file or none, never half of one. The folder must exist. An
/// error is one sentence with the path, and leaves nothing behind.
Expected<void, std::string> write_file_whole(const std::filesystem::path& path,
                                             std::string_view text);

}  // namespace poolproof
