#include <algorithm>
#include <filesystem>
#include <fstream>

#include <fmt/format.h>

#include "harness/base/read_file.hpp"
#include "harness/run/runner.hpp"

namespace poolproof::run {
namespace {

namespace fs = std::filesystem;

/// The longest scenario file that is read: no scenario that a person writes is longer.
constexpr std::uintmax_t kLongestFile = 16U << 20U;

bool is_scenario_file(const fs::path& path) {
  const std::string name = path.filename().string();
  return path.extension() == ".json" && !name.ends_with(".schema.json") && !name.starts_with(".");
}

/// Whether a file is what an earlier run or sweep has written, and no scenario.
bool is_report(const fs::path& file) {
  const std::string name = file.filename().string();
  constexpr std::size_t kHead = 100;
  const std::string_view key = name == "report.json"  ? "\"report_version\""
                               : name == "sweep.json" ? "\"build\""
                                                      : "";
  if (key.empty()) return false;
  std::ifstream stream(file, std::ios::binary);
  std::string head(kHead, '\0');
  stream.read(head.data(), kHead);
  return head.find(key) != std::string::npos;
}

/// Whether a folder is one of those that a run or sweep makes in its output.
bool is_of_output(const fs::path& folder) {
  const fs::path out = folder.parent_path();
  return (folder.filename() == "traces" && is_report(out / "report.json")) ||
         (folder.filename() == "failures" && is_report(out / "sweep.json"));
}

Parsed<std::vector<std::string>> files_below(const std::string& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (fs::is_regular_file(status)) return std::vector<std::string>{path};
  if (!fs::is_directory(status)) {
    const std::string what = fs::exists(status)                     ? "neither a file nor a folder"
                             : status.type() == fs::file_type::none ? error.message()
                                                                    : "no such file or folder";
    return unexpected(
        InputError{path, what, "a scenario file, or a folder with scenario files below it"});
  }
  std::vector<std::string> files;
  std::error_code ignored;
  for (fs::recursive_directory_iterator entry(path, error), end; !error && entry != end;
       entry.increment(error)) {
    // A dangling link or a pipe with such a name is not skipped: it gives an error that it can't be
    // read.
    const bool is_folder = fs::is_directory(entry->status(ignored));
    // What is named is not passed over.
    const bool named = entry.depth() == 0;
    if (is_folder && !named && is_of_output(entry->path())) entry.disable_recursion_pending();
    if (is_scenario_file(entry->path()) && !is_folder && !is_report(entry->path()))
      files.push_back(entry->path().string());
  }
  if (error) return unexpected(InputError{path, error.message(), "a folder that can be read"});
  std::sort(files.begin(), files.end());
  if (files.empty())
    return unexpected(InputError{path, "no scenario below it", "at least one *.json file"});
  return files;
}

/// Reads one file and checks all that its scenario needs.
Parsed<Loaded> load_whole(const std::string& file, const worlds::Programs& programs) {
  auto loaded = load_scenario(file);
  if (!loaded) return loaded;
  const std::string& name = loaded->scenario.name;
  if (fs::path(file).stem() != name) {
    return unexpected(
        InputError{file + "#/name", fmt::format("is \"{}\", and the file's is another", name),
                   fmt::format("the file's name without .json, or a file {}.json", name)});
  }
  const auto there = worlds::check_programs(loaded->scenario, programs, file, loaded->folder());
  if (!there) return unexpected(there.error());
  return loaded;
}

}  // namespace

std::string Loaded::folder() const {
  return fs::absolute(file).parent_path().string();
}

Parsed<Loaded> load_scenario(const std::string& path) {
  auto text = read_file(path, kLongestFile, "a scenario file");
  if (!text) return unexpected(text.error());
  Loaded loaded;
  loaded.file = path;
  loaded.text = std::move(*text);
  auto scenario = scenario::read_scenario(loaded.text, path);
  if (!scenario) return unexpected(scenario.error());
  loaded.scenario = std::move(*scenario);
  return loaded;
}

Expected<std::vector<Loaded>, std::vector<InputError>> load_scenarios(
    const std::vector<std::string>& paths, const worlds::Programs& programs) {
  std::vector<Loaded> all;
  std::vector<InputError> errors;
  for (const auto& path : paths) {
    const auto files = files_below(path);
    if (!files) errors.push_back(files.error());
    if (!files) continue;
    for (const auto& file : *files) {
      auto loaded = load_whole(file, programs);
      if (loaded) {
        all.push_back(std::move(*loaded));
      } else {
        errors.push_back(std::move(loaded.error()));
      }
    }
  }
  if (!errors.empty()) return unexpected(std::move(errors));
  return all;
}

}  // namespace poolproof::run
