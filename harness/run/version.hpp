#pragma once

namespace poolproof::run {

inline constexpr const char* kVersion = POOLPROOF_VERSION;

}  // namespace poolproof::run
