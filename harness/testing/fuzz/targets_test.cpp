#include <filesystem>
#include <string>
#include <string_view>

#include <catch2/catch.hpp>

#include "harness/wire/speech.hpp"
#include "harness/wire/wires.hpp"

namespace {

/// A folder of the corpus is a fuzz target.
bool has_inputs(const std::string& kind, std::string_view name) {
  const std::filesystem::path folder = std::string(FUZZ_CORPUS "/" + kind + "/").append(name);
  return std::filesystem::is_directory(folder) && !std::filesystem::is_empty(folder);
}

}  // namespace

TEST_CASE("fuzz: every wire's decoder and every speech's reader is a target that has inputs") {
  for (const auto* row : poolproof::wire::wires()) {
    INFO(row->name);
    CHECK(has_inputs("decoder", row->name));
  }
  for (const auto* row : poolproof::wire::speeches()) {
    INFO(row->name);
    CHECK(has_inputs("speech", row->name));
  }
}
