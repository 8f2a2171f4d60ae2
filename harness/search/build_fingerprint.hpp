#pragma once

#include <string>

namespace poolproof::search {

/// Names this build of the program: its version, and a hash of the program's file. Two builds that
/// differ in a byte have different ones. The version alone if the file can't be read.
std::string build_fingerprint();

/// The fingerprint of the program in `file`.
std::string build_fingerprint_of(const std::string& file);

}  // namespace poolproof::search
