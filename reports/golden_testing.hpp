#pragma once

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include <catch2/catch.hpp>

namespace poolproof::reports {

/// The text of a file in this folder.
inline std::string read_file(const std::string& name) {
  std::ifstream in(std::string(POOLPROOF_REPORTS_DIR "/") + name, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

/// The first line in which two texts differ, with both versions.
inline std::string first_difference(const std::string& wanted, const std::string& got) {
  std::istringstream a(wanted);
  std::istringstream b(got);
  std::string wanted_line;
  std::string got_line;
  for (int number = 1;; ++number) {
    const bool more_a = static_cast<bool>(std::getline(a, wanted_line));
    const bool more_b = static_cast<bool>(std::getline(b, got_line));
    if (!more_a && !more_b) return "only in the last newline";
    if (more_a && more_b && wanted_line == got_line) continue;
    return "line " + std::to_string(number) +
           "\n  golden: " + (more_a ? wanted_line : "(ends before)") +
           "\n  now:    " + (more_b ? got_line : "(ends before)");
  }
}

/// Fails unless `text` is what golden/NAME holds. POOLPROOF_UPDATE_GOLDEN=1 rewrites the file, and
/// still fails, so that no run that rewrote anything counts as a test.
inline void matches_golden(const std::string& name, const std::string& text) {
  const std::string wanted = read_file("golden/" + name);
  if (wanted == text) return;
  if (std::getenv("POOLPROOF_UPDATE_GOLDEN") != nullptr) {
    std::ofstream(std::string(POOLPROOF_REPORTS_DIR "/golden/") + name, std::ios::binary) << text;
    FAIL("rewrote reports/golden/" << name << ": look at its diff, then run again");
  }
  FAIL("reports/golden/" << name << " differs at " << first_difference(wanted, text)
                         << "\nif the new text is right: POOLPROOF_UPDATE_GOLDEN=1 rewrites it");
}

}  // namespace poolproof::reports
