#include "harness/base/assert.hpp"

#include <cstdio>
#include <cstdlib>

namespace poolproof {

void assertion_failed(const char* sentence, const char* file, int line) noexcept {
  std::fprintf(stderr, "%s:%d: broken promise: %s\n", file, line, sentence);
  std::abort();
}

}  // namespace poolproof
