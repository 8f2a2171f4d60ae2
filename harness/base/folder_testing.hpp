#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <catch2/catch.hpp>

namespace poolproof::testing {

/// A temporary folder, which is removed at the end of the test.
class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "poolproof-test-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) FAIL("no folder for the test: " << name);
    path_ = name;
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  [[nodiscard]] std::string operator/(const std::string& name) const {
    return (path_ / name).string();
  }
  std::string write(const std::string& name, const std::string& text) const {
    const auto path = path_ / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << text;
    return path.string();
  }
  /// A script that stands in for our own program: it waits where the guardian should, and otherwise
  /// does as the script says. `$folder` in the script is the folder of the scenario's process.
  [[nodiscard]] std::string program(const std::string& job) const {
    const std::string path =
        write("program",
              "#!/bin/sh\nif [ \"$1\" = guardian ]; then cat >/dev/null; exit; fi\n"
              "for word; do [ \"$last\" = --folder ] && folder=$word; last=$word; done\n" +
                  job + "\n");
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
    return path;
  }

 private:
  std::filesystem::path path_;
};

}  // namespace poolproof::testing
