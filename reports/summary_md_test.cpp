#include "reports/summary_md.hpp"

#include <sstream>

#include <catch2/catch.hpp>

#include "reports/golden_testing.hpp"
#include "reports/samples_testing.hpp"

namespace poolproof::reports {
namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

/// The number of bars that divide cells: those without a backslash before them.
int dividers(const std::string& line) {
  int count = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '\\') {
      ++i;
    } else if (line[i] == '|') {
      ++count;
    }
  }
  return count;
}

TEST_CASE("reports: summary: it is the golden file", "[reports]") {
  matches_golden("summary.md", summary_md(sample_run()));
}

TEST_CASE("reports: summary: hostile text leaves every row of the table its six bars",
          "[reports]") {
  int rows = 0;
  bool in_block = false;
  std::string fence;
  for (const std::string& line : lines_of(summary_md(sample_run()))) {
    if (!in_block && line.rfind("```", 0) == 0) {
      in_block = true;
      fence = line.substr(0, line.find_first_not_of('`'));
    } else if (in_block && line == fence) {
      in_block = false;
    } else if (!in_block && line.rfind('|', 0) == 0) {
      INFO(line);
      CHECK(dividers(line) == 6);
      ++rows;
    }
  }
  CHECK_FALSE(in_block);
  CHECK(rows == 2 + 4);
}

TEST_CASE("reports: summary: nothing in a line is markup", "[reports]") {
  CHECK(markdown_line("a|b`c`\n<d>&") == "a\\|b\\`c\\` &lt;d>&amp;");
  CHECK(markdown_line("reply_late __init__ \\|") == "reply_late \\_\\_init\\_\\_ \\\\\\|");
}

TEST_CASE("reports: summary: a block's fence is longer than any run of backticks in it",
          "[reports]") {
  CHECK(markdown_block("plain") == "```text\nplain\n```\n");
  CHECK(markdown_block("a ```` b\n") == "`````text\na ```` b\n`````\n");
}

TEST_CASE("reports: summary: what passed has no section of its own", "[reports]") {
  run::RunResult result;
  result.scenarios = {passed_scenario()};
  CHECK(summary_md(result).find("\n## ") == std::string::npos);
}

TEST_CASE("reports: summary: a run of nothing says that nothing is proved", "[reports]") {
  CHECK(summary_md({}).find("nothing is proved") != std::string::npos);
  CHECK(summary_md({}).find("# Poolproof: pass") == std::string::npos);
}

}  // namespace
}  // namespace poolproof::reports
