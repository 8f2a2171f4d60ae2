#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

/// What the tests of this room share.
namespace poolproof::scenario::testing {

inline const std::filesystem::path kScenarios = POOLPROOF_SCENARIOS;

inline std::string text_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// Every scenario file that comes with the project, in the order of their paths.
inline std::vector<std::filesystem::path> shipped_files() {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(kScenarios)) {
    const auto& path = entry.path();
    if (path.extension() == ".json" && path.parent_path() != kScenarios) files.push_back(path);
  }
  std::sort(files.begin(), files.end());
  return files;
}

/// The smallest sound scenario. Bad inputs are made of it by replacing a piece.
inline const std::string kSound = R"json({
  "schema_version": 1,
  "name": "x",
  "why": "a sentence that is long enough",
  "tags": ["t"],
  "worlds": ["host"],
  "seed": "0x5eed",
  "pool": {"size": 2},
  "workers": [{"kind": "fake"}],
  "clients": [
    {"name": "a", "steps": [{"checkout": {}}, {"call": {"command": "echo"}}, {"checkin": {}}]},
    {"name": "b", "count": 2, "steps": [{"checkout": {}}, {"call": {"command": "echo"}}]}
  ],
  "faults": [{"fault": "reply_late", "at": {"client": "a", "call": 1}, "delay_ms": 300}],
  "expect": {"a": ["granted", "ok", "returned"]}
})json";

/// `kSound` with the first `from` replaced by `to`; `from` must be there.
inline std::string changed(const std::string& from, const std::string& to) {
  std::string text = kSound;
  const std::size_t at = text.find(from);
  return at == std::string::npos ? "" : text.replace(at, from.size(), to);
}

}  // namespace poolproof::scenario::testing
