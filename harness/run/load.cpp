#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <fmt/format.h>

#include "harness/run/runner.hpp"

namespace poolproof::run {
namespace {

namespace fs = std::filesystem;

/// No scenario a person writes is longer.
constexpr std::uintmax_t kLongestFile = 16U << 20U;

bool is_scenario_file(const fs::path& path) {
  const std::string name = path.filename().string();
  return path.extension() == ".json" && !name.ends_with(".schema.json") && !name.starts_with(".");
}

Parsed<std::vector<std::string>> files_below(const std::string& path) {
  std::error_code error;
  if (fs::is_regular_file(path, error)) return std::vector<std::string>{path};
  if (!fs::is_directory(path, error)) {
    return unexpected(InputError{path, "no such file or folder",
                                 "a scenario file, or a folder with scenario files below it"});
  }
  std::vector<std::string> files;
  for (fs::recursive_directory_iterator entry(path, error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry->is_regular_file() && is_scenario_file(entry->path()))
      files.push_back(entry->path().string());
  }
  if (error) return unexpected(InputError{path, error.message(), "a folder that can be read"});
  std::sort(files.begin(), files.end());
  if (files.empty())
    return unexpected(InputError{path, "no scenario below it", "at least one *.json file"});
  return files;
}

}  // namespace

Parsed<Loaded> load_scenario(const std::string& path) {
  std::error_code error;
  const auto size = fs::file_size(path, error);
  if (error) return unexpected(InputError{path, error.message(), "a scenario file"});
  if (size > kLongestFile)
    return unexpected(InputError{path, fmt::format("{} bytes long", size), "at most 16 MiB"});
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) return unexpected(InputError{path, "can't be read", "a scenario file"});
  Loaded loaded;
  loaded.file = path;
  loaded.text = text.str();
  auto scenario = scenario::read_scenario(loaded.text, path);
  if (!scenario) return unexpected(scenario.error());
  loaded.scenario = std::move(*scenario);
  return loaded;
}

Parsed<std::vector<Loaded>> load_scenarios(const std::vector<std::string>& paths,
                                           const Programs& programs) {
  std::vector<Loaded> all;
  for (const auto& path : paths) {
    const auto files = files_below(path);
    if (!files) return unexpected(files.error());
    for (const auto& file : *files) {
      auto loaded = load_scenario(file);
      if (!loaded) return unexpected(loaded.error());
      const auto there = check_programs(loaded->scenario, programs, file);
      if (!there) return unexpected(there.error());
      all.push_back(std::move(*loaded));
    }
  }
  return all;
}

}  // namespace poolproof::run
