#include <algorithm>
#include <map>
#include <set>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "harness/scenario/pool_options.hpp"
#include "harness/scenario/scenario.hpp"
#include "harness/scenario/shipped_testing.hpp"

using namespace poolproof;
using namespace poolproof::scenario;
using namespace poolproof::scenario::testing;
using nlohmann::json;

namespace {

const json& schema_json() {
  static const json schema = json::parse(text_of(kScenarios / "scenario.schema.json"));
  return schema;
}

template <class Names>
std::vector<std::string> texts(const Names& names) {
  return {names.begin(), names.end()};
}

const json& definition(const std::string& name) {
  return schema_json().at("definitions").at(name);
}

}  // namespace

TEST_CASE("scenario: schema: names the faults of the catalogue and all their parameters") {
  const json& properties = definition("fault").at("properties");
  const auto listed = definition("fault_name").at("enum").get<std::vector<std::string>>();
  std::vector<std::string> names;
  std::set<std::string> params{"fault", "at"};
  for (const faults::Fault& fault : faults::catalogue()) {
    names.emplace_back(fault.name);
    for (const faults::Param& param : fault.params) params.emplace(param.name);
  }
  for (const std::string& name : names) {
    if (std::ranges::count(listed, name) != 1) FAIL_CHECK("the schema lacks the fault " << name);
  }
  for (const std::string& name : listed) {
    if (std::ranges::count(names, name) != 1) FAIL_CHECK("the schema has no fault's name " << name);
  }
  CHECK(listed == names);  // in the same order
  for (const auto& [key, value] : properties.items()) {
    if (!params.contains(key)) FAIL_CHECK("the schema has no fault's parameter " << key);
  }
}

TEST_CASE("scenario: schema: a parameter's bounds are the widest of all faults that have it") {
  const json& properties = definition("fault").at("properties");
  std::map<std::string, json> wanted;
  for (const faults::Fault& fault : faults::catalogue()) {
    for (const faults::Param& param : fault.params) {
      json& schema = wanted[std::string(param.name)];
      schema["type"] = param.is_text ? "string" : "integer";
      for (const std::string_view word : param.words) {
        if (!schema.contains("enum") || std::ranges::count(schema["enum"], json(word)) == 0) {
          schema["enum"].push_back(word);
        }
      }
      if (param.is_text) continue;
      schema["minimum"] = std::min(schema.value("minimum", param.min), param.min);
      schema["maximum"] = std::max(schema.value("maximum", param.max), param.max);
    }
  }
  for (auto& [name, schema] : wanted) {
    INFO("the schema's parameter " << name);
    REQUIRE(properties.contains(name));
    json found = properties.at(name);
    CHECK(found.contains("description"));
    found.erase("description");
    for (json* const one : {&found, &schema}) {
      if (one->contains("enum")) std::sort((*one)["enum"].begin(), (*one)["enum"].end());
    }
    const auto words = [](const json& one) { return one.value("enum", json::array()); };
    json lacking = json::array();
    std::ranges::set_difference(words(schema), words(found), std::back_inserter(lacking));
    INFO("it lacks the words " << lacking);
    CHECK(found == schema);
  }
}

TEST_CASE("scenario: schema: has the pool options of the table, in their order") {
  const auto schema = nlohmann::ordered_json::parse(text_of(kScenarios / "scenario.schema.json"));
  std::vector<std::string> in_file;
  for (const auto& item : schema.at("definitions").at("pool").at("properties").items()) {
    in_file.push_back(item.key());
  }
  std::vector<std::string> in_table;
  for (const PoolOption& option : pool_options()) in_table.emplace_back(option.name);
  CHECK(in_file == in_table);
}

TEST_CASE("scenario: schema: has each pool option's bounds and default") {
  const json& properties = definition("pool").at("properties");
  for (const PoolOption& option : pool_options()) {
    CAPTURE(std::string(option.name));
    REQUIRE(properties.contains(option.name));
    const json& property = properties.at(std::string(option.name));
    const std::int64_t usual = option.get(PoolSpec{});
    CHECK(!property.at("description").get<std::string>().empty());
    if (option.unit == pool::Unit::choice) {
      CHECK(property.at("enum").get<std::vector<std::string>>() == texts(option.names));
      CHECK(property.at("default") == option.names[static_cast<std::size_t>(usual)]);
      continue;
    }
    if (option.unit == pool::Unit::flag) {
      CHECK(property.at("type") == "boolean");
      CHECK(property.at("default") == (usual != 0));
      continue;
    }
    CHECK(property.at("default") == usual);
    if (option.name == "prefix_bytes") continue;  // 1, 2, 4 or 8
    CHECK(property.at("minimum") == option.min);
    CHECK(property.at("maximum") == option.max);
  }
}

TEST_CASE("scenario: schema: has the names of outcomes, phases and start causes") {
  const json& error = definition("expected_one").at("oneOf").at(1).at("properties");
  std::vector<std::string> outcomes = texts(kOutcomeNames);
  outcomes.erase(outcomes.begin());  // "ok" is no error
  CHECK(error.at("error").at("enum") == json(outcomes));
  CHECK(error.at("phase").at("enum") == json(texts(kPhaseNames)));
  CHECK(error.at("cause").at("enum") == json(texts(kStartCauseNames)));
}

TEST_CASE("scenario: schema: lets no unknown key through") {
  std::size_t objects = 0;
  const std::function<void(const json&)> look = [&](const json& node) {
    if (node.is_object() && node.value("type", json()) == "object" && node.contains("properties")) {
      ++objects;
      CHECK(node.contains("additionalProperties"));
    }
    for (const auto& child : node) {
      if (child.is_structured()) look(child);
    }
  };
  look(schema_json());
  CHECK(objects >= 20);
}
