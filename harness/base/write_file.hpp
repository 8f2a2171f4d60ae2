#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "harness/base/result.hpp"

namespace poolproof {

/// Whether a file must outlive a power cut.
enum class Durable : bool { no, yes };

/// Writes the file whole or not at all: first into a hidden file in the same folder, which is
/// flushed to the disk, then by rename. A killed run leaves the older file or none, never half of
/// one; so does a full disk. The folder must exist. An error is one sentence with the path, and
/// leaves nothing behind. `Durable::no` skips the flush, for files that only processes of the same
/// run read.
Expected<void, std::string> write_file_whole(const std::filesystem::path& path,
                                             std::string_view text, Durable durable = Durable::yes);

}  // namespace poolproof
