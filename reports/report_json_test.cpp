#include "reports/report_json.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "reports/golden_testing.hpp"
#include "reports/samples_testing.hpp"

namespace poolproof::reports {
namespace {

using nlohmann::json;

bool has_type(const json& value, const std::string& type) {
  if (type == "object") return value.is_object();
  if (type == "array") return value.is_array();
  if (type == "string") return value.is_string();
  return type == "integer" && value.is_number_integer();
}

/// Checks the part of JSON Schema that report.schema.json uses. It is stricter: a property that the
/// schema knows and the report lacks is a complaint, too, so that the two cannot drift apart.
void check(const json& value, const json& schema_or_reference, const json& root,
           const std::string& where) {
  const json& schema =
      schema_or_reference.contains("$ref")
          ? root.at(json::json_pointer(schema_or_reference["$ref"].get<std::string>().substr(1)))
          : schema_or_reference;
  INFO(where << " = " << value.dump(-1, ' ', true));
  REQUIRE(has_type(value, schema.at("type")));
  if (schema.contains("enum")) {
    CHECK(std::count(schema["enum"].begin(), schema["enum"].end(), value) == 1);
  }
  if (value.is_array()) {
    for (const json& item : value) check(item, schema.at("items"), root, where + "/-");
  }
  if (!value.is_object()) return;
  CHECK(schema.at("additionalProperties") == false);
  CHECK(schema.at("required").size() == schema.at("properties").size());
  for (const auto& [key, property] : schema.at("properties").items()) {
    INFO("key " << key);
    REQUIRE(value.contains(key));
    check(value[key], property, root, std::string(where).append("/").append(key));
  }
  CHECK(value.size() == schema["properties"].size());
}

TEST_CASE("reports: report.json: it is the golden file", "[reports]") {
  matches_golden("report.json", report_json(sample_run()));
}

TEST_CASE("reports: report.json: the schema describes every key, and no other", "[reports]") {
  const json schema = json::parse(read_file("report.schema.json"));
  check(json::parse(report_json(sample_run())), schema, schema, "");
  check(json::parse(report_json(run::RunResult{})), schema, schema, "");
}

TEST_CASE("reports: report.json: a seed keeps all its digits", "[reports]") {
  const json report = json::parse(report_json(sample_run()));
  CHECK(report["scenarios"][1]["seed"] == "0xffffffffffffffff");
}

}  // namespace
}  // namespace poolproof::reports
