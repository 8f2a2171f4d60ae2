#include <iostream>

#include <nlohmann/json.hpp>

#include "harness/scenario/bad_inputs_testing.hpp"
#include "harness/scenario/scenario.hpp"
#include "harness/scenario/shipped_testing.hpp"

/// Prints what test_schema.py holds the schema against, one JSON object a line: `name`, `text`, and
/// whether the schema must let it through. Exit code 1: a shipped file could not be read.
namespace {

using namespace poolproof::scenario;
using namespace poolproof::scenario::testing;

void print(const std::string& name, const std::string& text, bool valid) {
  std::cout << nlohmann::json{{"name", name}, {"text", text}, {"valid", valid}} << '\n';
}

}  // namespace

int main() {
  print("the smallest sound scenario", kSound, true);
  for (const BadInput& bad : kBadInputs) {
    if (bad.in_schema) print(bad.error, changed(bad.from, bad.to), false);
  }
  for (const auto& path : shipped_files()) {
    const std::string text = text_of(path);
    const auto scenario = read_scenario(text, path.string());
    if (!scenario) return 1;
    print(path.string(), text, true);
    print(path.string() + ", as it is written back", write_scenario(*scenario), true);
  }
  return std::cout.flush() ? 0 : 1;
}
