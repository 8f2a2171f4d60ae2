#include "harness/scenario/scenario.hpp"

#include <string>

#include "harness/base/assert.hpp"
#include "harness/base/text.hpp"
#include "harness/testing/fuzz/input.hpp"

/// Fuzzes the reader of scenario files: any text must be a scenario, which is then written and read
/// back, or give an error of one line. An input is the text.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace poolproof;
  const fuzz::Input input(data, size);
  const auto scenario = scenario::read_scenario(input.rest(), "fuzz.json");
  if (!scenario) {
    const std::string line = scenario.error().line();
    POOLPROOF_ASSERT(line.starts_with("fuzz.json"));
    POOLPROOF_ASSERT(printable_message(line, line.size()) == line);
    return 0;
  }
  const std::string written = scenario::write_scenario(*scenario);
  const auto again = scenario::read_scenario(written, "fuzz.json");
  POOLPROOF_ASSERT(again.has_value());
  POOLPROOF_ASSERT(scenario::write_scenario(*again) == written);
  return 0;
}
