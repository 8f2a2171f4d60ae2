#include "reports/junit.hpp"

#include <algorithm>

#include <catch2/catch.hpp>
#include <pugixml.hpp>

#include "reports/golden_testing.hpp"
#include "reports/samples_testing.hpp"

namespace poolproof::reports {
namespace {

/// Characters that XML 1.0 cannot carry, as bytes or as references.
bool is_legal_xml(const std::string& text) {
  const bool control = std::any_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t' && c != '\r';
  });
  return !control && text.find("&#") == std::string::npos && text.find('\xff') == std::string::npos;
}

TEST_CASE("reports: junit: it is the golden file", "[reports]") {
  matches_golden("junit.xml", junit(sample_run()));
}

TEST_CASE("reports: junit: hostile text leaves it well-formed", "[reports]") {
  const std::string text = junit(sample_run());
  CHECK(is_legal_xml(text));
  pugi::xml_document document;
  REQUIRE(document.load_string(text.c_str()));
  const pugi::xpath_node_set cases = document.select_nodes("//testcase");
  REQUIRE(cases.size() == 4);
  CHECK(std::string(cases[3].node().attribute("name").value()).find("<script>") !=
        std::string::npos);
}

TEST_CASE("reports: junit: fail is a failure; invalid, unknown and divergent are errors",
          "[reports]") {
  const auto verdict = static_cast<run::Verdict>(GENERATE(0, 1, 2, 3, 4));
  run::RunResult result;
  result.scenarios = {passed_scenario()};
  result.scenarios[0].verdict = verdict;
  pugi::xml_document document;
  REQUIRE(document.load_string(junit(result).c_str()));
  const pugi::xml_node test = document.select_node("//testcase").node();
  const bool fail = verdict == run::Verdict::fail;
  const bool pass = verdict == run::Verdict::pass;
  CHECK(!test.child("failure").empty() == fail);
  CHECK(!test.child("error").empty() == (!fail && !pass));
  const pugi::xml_node root = document.child("testsuites");
  CHECK(root.attribute("failures").as_int() == (fail ? 1 : 0));
  CHECK(root.attribute("errors").as_int() == (fail || pass ? 0 : 1));
}

TEST_CASE("reports: junit: themes are suites, whatever the order of their files", "[reports]") {
  run::RunResult result;
  result.scenarios = {failed_scenario(), passed_scenario(), invalid_scenario()};
  pugi::xml_document document;
  REQUIRE(document.load_string(junit(result).c_str()));
  CHECK(document.select_nodes("//testsuite").size() == 2);
  const pugi::xml_node startup = document.select_node("//testsuite[@name='startup']").node();
  CHECK(startup.attribute("tests").as_int() == 2);
  CHECK(startup.attribute("time").value() == std::string("5.220000"));
}

TEST_CASE("reports: junit: a run of nothing is an error", "[reports]") {
  pugi::xml_document document;
  REQUIRE(document.load_string(junit({}).c_str()));
  CHECK(document.child("testsuites").attribute("errors").as_int() == 1);
  CHECK(document.select_nodes("//testcase/error").size() == 1);
}

}  // namespace
}  // namespace poolproof::reports
