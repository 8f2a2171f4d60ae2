#pragma once

#include <string>

namespace poolproof::search {

/// Names this build of the program: its version, and a hash of the program's file. Two builds that
/// differ in a byte have different ones. Throws if the program's file can't be read.
std::string build_fingerprint();

/// The fingerprint of the program in `file`; empty: it can't be read.
std::string build_fingerprint_of(const std::string& file);

}  // namespace poolproof::search
