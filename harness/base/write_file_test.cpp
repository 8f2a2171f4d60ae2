#include "harness/base/write_file.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <unistd.h>

#include <catch2/catch.hpp>

namespace poolproof {
namespace {

namespace fs = std::filesystem;

struct Folder {
  Folder() {
    std::string pattern = (fs::temp_directory_path() / "poolproof-XXXXXX").string();
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    path = pattern;
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
  [[nodiscard]] std::ptrdiff_t entries() const {
    return std::distance(fs::directory_iterator(path), {});
  }
  fs::path path;
};

std::string content(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

TEST_CASE("reports: write file: it holds the text, and nothing lies beside it", "[reports]") {
  const Folder folder;
  const fs::path file = folder.path / "report.json";
  const std::string large(3'000'000, 'x');
  REQUIRE(write_file_whole(file, large));
  CHECK(content(file) == large);
  REQUIRE(write_file_whole(file, "newer\n"));
  CHECK(content(file) == "newer\n");
  CHECK(folder.entries() == 1);
}

TEST_CASE("reports: write file: an older reader keeps the older file", "[reports]") {
  const Folder folder;
  const fs::path file = folder.path / "report.json";
  REQUIRE(write_file_whole(file, "old"));
  std::ifstream reader(file);
  REQUIRE(write_file_whole(file, "new"));
  std::ostringstream seen;
  seen << reader.rdbuf();
  CHECK(seen.str() == "old");
}

TEST_CASE("reports: write file: a failure says where and why, and leaves nothing", "[reports]") {
  const Folder folder;
  const auto missing = write_file_whole(folder.path / "no" / "x.json", "text");
  REQUIRE_FALSE(missing);
  CHECK(missing.error().find("No such file") != std::string::npos);
  CHECK(missing.error().find("x.json") != std::string::npos);

  fs::create_directories(folder.path / "taken" / "inner");
  const auto taken = write_file_whole(folder.path / "taken", "text");
  REQUIRE_FALSE(taken);
  CHECK(folder.entries() == 1);
}

TEST_CASE("reports: write file: what a killed run left is no obstacle", "[reports]") {
  const Folder folder;
  const fs::path stale = folder.path / (".report.json." + std::to_string(::getpid()) + ".tmp");
  std::ofstream(stale) << "half";
  REQUIRE(write_file_whole(folder.path / "report.json", "whole"));
  CHECK(content(folder.path / "report.json") == "whole");
  CHECK(folder.entries() == 1);
}

}  // namespace
}  // namespace poolproof
