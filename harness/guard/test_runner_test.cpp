#include "harness/guard/test_runner.hpp"

#include <catch2/catch.hpp>

namespace poolproof::guard {
namespace {

TEST_CASE("guard: test runner: node --test starts each file as a part of the program") {
  CHECK(starts_tests("node --test"));
  CHECK(starts_tests("/usr/bin/node --test test/a.test.mjs"));
  CHECK(starts_tests("node --import tsx --enable-source-maps --test"));
  CHECK_FALSE(starts_tests(""));
  CHECK_FALSE(starts_tests("node"));
  CHECK_FALSE(starts_tests("node test/a.test.mjs"));
  CHECK_FALSE(starts_tests("node pool.js --test"));
  CHECK_FALSE(starts_tests("node --test-only pool.js"));
  CHECK_FALSE(starts_tests("python3 --test"));
}

}  // namespace
}  // namespace poolproof::guard
