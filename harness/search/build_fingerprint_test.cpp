#include "harness/search/build_fingerprint.hpp"

#include <fstream>

#include <catch2/catch.hpp>

#include "harness/base/folder_testing.hpp"
#include "harness/run/version.hpp"

using namespace poolproof;
using namespace poolproof::search;

TEST_CASE("run: build: every byte of the program counts, and its length", "[sweep]") {
  const testing::Folder folder;
  const auto of = [&](const std::string& text) {
    std::ofstream(folder / "program", std::ios::binary) << text;
    return build_fingerprint_of(folder / "program");
  };
  const std::string program(100'003, 'x');
  const std::string before = of(program);
  CHECK(before.starts_with(std::string(run::kVersion) + "-"));
  CHECK(of(program) == before);
  for (const std::size_t at :
       {std::size_t{0}, std::size_t{7}, std::size_t{65'536}, std::size_t{100'002}}) {
    std::string other = program;
    other[at] = static_cast<char>(0xf8);
    CHECK(of(other) != before);
  }
  CHECK(of(program + std::string(1, '\0')) != before);
}

TEST_CASE("run: build: this program has one", "[sweep]") {
  CHECK(build_fingerprint() == build_fingerprint_of("/proc/self/exe"));
  CHECK(build_fingerprint() != run::kVersion);
  CHECK(build_fingerprint_of("/nowhere").empty());
}
