#include "harness/base/json_node.hpp"

#include <array>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace poolproof;
using nlohmann::json;

namespace {

constexpr std::array<std::string_view, 2> kKeys{"size", "names"};

}  // namespace

TEST_CASE("base: json: the first complaint is kept, and says where it is") {
  const json value = json::parse(R"({"size": 7, "names": ["a", 3, true]})");
  Complaints complaints;
  const JsonNode root(value, "x.json", complaints);
  REQUIRE(root.object(kKeys));
  CHECK(root.find("size")->whole(0, 7) == 7);
  CHECK(complaints.none());
  const auto names = root.find("names")->elements();
  CHECK(names[1].text().empty());
  CHECK(names[2].whole(2, 5) == 2);
  REQUIRE_FALSE(complaints.none());
  CHECK(complaints.first().line() == "x.json#/names/1: is 3; a text");
}

TEST_CASE("base: json: what stands in a file of another kind is told by that kind's separator") {
  const json value = json::parse(R"({"a": {"b/c": -1}})");
  Complaints complaints;
  const JsonNode root(value, "--fault x", complaints, "/");
  root.find("a")->find("b/c")->wrong("is wrong", "");
  CHECK(complaints.first().line() == "--fault x/a/b~1c: is wrong");
}

TEST_CASE("base: json: whole numbers end at their bounds, keys at those that are known") {
  CHECK(whole_within(json(-3), -3, 5) == -3);
  CHECK(whole_within(json(5), -3, 5) == 5);
  CHECK_FALSE(whole_within(json(6), -3, 5));
  CHECK_FALSE(whole_within(json(-4), -3, 5));
  CHECK_FALSE(whole_within(json(UINT64_MAX), INT64_MIN, INT64_MAX));
  CHECK_FALSE(whole_within(json(1.0), 0, 5));
  CHECK_FALSE(whole_within(json("1"), 0, 5));
  CHECK(unknown_key(json::parse(R"({"names": 1, "sise": 2})"), kKeys) == "sise");
  CHECK_FALSE(unknown_key(json::parse(R"({"names": 1, "size": 2})"), kKeys));
}
