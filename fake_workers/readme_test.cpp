#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include <catch2/catch.hpp>
#include <fmt/format.h>

#include "fake_workers/catalogue.hpp"
#include "harness/base/read_file.hpp"
#include "harness/base/text.hpp"

namespace poolproof::faults {
namespace {

std::string described(const Param& param) {
  if (!param.is_text) return fmt::format("`{}` {}", param.name, param.default_number);
  return fmt::format("`{}` \"{}\"", param.name, printable(param.default_text));
}

/// The row of a fault, as the page has it.
std::string row(const Fault& fault) {
  std::string params;
  for (const Param& param : fault.params) {
    params += (params.empty() ? "" : ", ") + described(param);
  }
  return fmt::format("| `{}`{} | {} | {} |", fault.name, fault.harmless ? " (harmless)" : "",
                     fault.summary, params);
}

/// The rows of the page under the family's heading.
std::vector<std::string> rows_of(const std::string& page, Family family) {
  const std::string heading = fmt::format("\n### {}: ", name(family));
  std::vector<std::string> rows;
  std::size_t at = page.find(heading);
  if (at == std::string::npos) return rows;
  for (++at; at < page.size();) {
    const std::size_t end = std::min(page.find('\n', at), page.size());
    const std::string line = page.substr(at, end - at);
    if (line.starts_with("#") && !rows.empty()) break;
    if (line.starts_with("| `")) rows.push_back(line);
    at = end + 1;
  }
  return rows;
}

TEST_CASE("fake_workers: readme: its tables are the catalogue") {
  const auto page = read_file(README, 1U << 20U, "the page");
  REQUIRE(page.has_value());
  for (const Family family : {Family::drop, Family::misframe, Family::delay, Family::shutdown}) {
    std::vector<std::string> rows;
    for (const Fault& fault : catalogue()) {
      if (fault.family == family) rows.push_back(row(fault));
    }
    const std::vector<std::string> on_page = rows_of(*page, family);
    for (const std::string& one : rows) {
      if (std::ranges::count(on_page, one) != 1) FAIL_CHECK("README.md lacks the row " << one);
    }
    for (const std::string& one : on_page) {
      if (std::ranges::count(rows, one) != 1) FAIL_CHECK("no fault has README.md's row " << one);
    }
    CHECK(on_page == rows);  // in the same order
  }
}

}  // namespace
}  // namespace poolproof::faults
