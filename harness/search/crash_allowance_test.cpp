#include "harness/search/crash_allowance.hpp"

#include <catch2/catch.hpp>

using namespace poolproof::search;

namespace {

/// How many crashes are granted before the sweep gives up, if one case in `one_in` crashes.
std::uint64_t granted(CrashAllowance& allowance, const std::string& signature, std::uint64_t one_in,
                      std::uint64_t most) {
  for (std::uint64_t crashes = 1; crashes <= most; ++crashes) {
    if (!allowance.grant(signature, crashes * one_in)) return crashes - 1;
  }
  return most;
}

}  // namespace

TEST_CASE("run: crash allowance: what does nothing but crash is soon over", "[sweep]") {
  CrashAllowance one;
  CHECK(granted(one, "a", 1, 1'000'000) < 200);
  CrashAllowance stuck;
  CHECK(granted(stuck, kStuckSignature, 1, 1'000'000) == 20);
}

TEST_CASE("run: crash allowance: what crashes now and then goes on for ever", "[sweep]") {
  CrashAllowance allowance;
  CHECK(granted(allowance, "a", 10, 100'000) == 100'000);
}

TEST_CASE("run: crash allowance: another kind is granted beside a frequent one", "[sweep]") {
  CrashAllowance allowance;
  for (const char* signature : {"a", "b", "c"}) {
    for (int i = 0; i < 100; ++i) CHECK(allowance.grant(signature, 0));
  }
  CHECK_FALSE(allowance.grant("a", 4));
  CHECK(allowance.grant("d", 5));
}

TEST_CASE("run: crash allowance: a name of its own for every crash is no way round", "[sweep]") {
  CrashAllowance allowance;
  std::uint64_t crashes = 0;
  while (allowance.grant("crash " + std::to_string(crashes), crashes) && crashes < 100'000)
    ++crashes;
  CHECK(crashes < 100);
}
