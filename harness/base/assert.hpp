#pragma once

namespace poolproof {

/// Prints the condition that does not hold and where it stands, then aborts.
[[noreturn]] void assertion_failed(const char* sentence, const char* file, int line) noexcept;

}  // namespace poolproof

/// Checks a promise of our own code. It is on in every build: a pool that goes on after a broken
/// promise lies.
#define POOLPROOF_ASSERT(condition)                    \
  (static_cast<bool>(condition) ? static_cast<void>(0) \
                                : ::poolproof::assertion_failed(#condition, __FILE__, __LINE__))
