#include "harness/wire/envelope.hpp"

#include <string>
#include <vector>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "harness/base/text.hpp"

using namespace poolproof;
using namespace poolproof::wire;
using nlohmann::json;

namespace {

std::string nested(int levels) {
  const auto count = static_cast<std::size_t>(levels);
  return std::string(count, '[') + std::string(count, ']');
}

}  // namespace

TEST_CASE("wire: envelope: a request is compact JSON with sorted keys") {
  const json args = {{"worker_id", "0.0"}, {"initialization", true}};
  CHECK(encode_request(0, "ping", args, "2026-01-02T03:04:05Z") ==
        R"({"args":{"initialization":true,"worker_id":"0.0"},"command":"ping","id":0,)"
        R"("timestamp":"2026-01-02T03:04:05Z"})");
  CHECK(encode_request(7, "gr\u00fc\u00df\n\"", json::object(), "") ==
        "{\"args\":{},\"command\":\"gr\u00fc\u00df\\n\\\"\",\"id\":7,\"timestamp\":\"\"}");
}

TEST_CASE("wire: envelope: bytes that are not UTF-8 are replaced in a request") {
  const json args = {{"text", "a\xff"}};
  const std::string request = encode_request(1, "c\xc3(", args, "t");
  CHECK(json::parse(request)["args"]["text"] == "a\xef\xbf\xbd");
  CHECK(json::parse(request)["command"] == "c\xef\xbf\xbd(");
}

TEST_CASE("wire: envelope: a sound reply is taken, whatever its result and timestamp are") {
  struct Row {
    std::string payload;
    std::string result;
  };
  const std::vector<Row> rows = {
      {R"({"id":7,"success":true,"result":{"a":1},"timestamp":1.5})", R"({"a":1})"},
      {R"({"id":7,"success":true,"result":[1,2]})", "[1,2]"},
      {R"({"id":7,"success":true,"result":"text","timestamp":null})", R"("text")"},
      {R"({"id":7,"success":true,"result":12,"timestamp":{"odd":[]}})", "12"},
      {R"({"id":7,"success":true,"result":null})", "null"},
      {R"({"id":7,"success":true,"result":1,"error":"both"})", "1"},
      {R"({"id":7,"success":true,"result":{"error":"inside"}})", R"({"error":"inside"})"},
      {R"({"id":1,"id":7,"success":false,"success":true,"result":1,"result":2})", "2"},
      {" \n{ \"id\" : 7 , \"success\" : true , \"result\" : 1 }\n", "1"},
      {R"({"more":1,"id":7,"success":true,"result":18446744073709551615})", "18446744073709551615"},
  };
  for (const Row& row : rows) {
    const auto reply = decode_reply(row.payload, 7);
    INFO(row.payload);
    REQUIRE(reply.has_value());
    CHECK(reply->id == 7);
    CHECK(reply->success);
    REQUIRE(reply->result);
    CHECK(reply->result->dump() == row.result);
    CHECK(reply->error.empty());
  }
}

TEST_CASE("wire: envelope: an error reply gives the worker's words, whatever their shape") {
  struct Row {
    std::string payload;
    std::string error;
  };
  const std::vector<Row> rows = {
      {R"({"id":7,"success":false,"error":"boom"})", "boom"},
      {R"({"id":7,"success":false,"error":""})", ""},
      {R"({"id":7,"success":false})", "(no error text)"},
      {R"({"id":7,"success":false,"error":{"code":3}})", R"({"code":3})"},
      {R"({"id":7,"success":false,"error":null})", "null"},
      {R"({"id":7,"success":false,"error":"e","result":1})", "e"},
  };
  for (const Row& row : rows) {
    const auto reply = decode_reply(row.payload, 7);
    INFO(row.payload);
    REQUIRE(reply.has_value());
    CHECK_FALSE(reply->success);
    CHECK(reply->error == row.error);
    CHECK_FALSE(reply->result);
  }
}

TEST_CASE("wire: envelope: each corruption of a reply is named") {
  struct Row {
    std::string payload;
    std::string error;
  };
  const std::vector<Row> rows = {
      {R"({"id":8,"success":true,"result":1})", "expected id 7, got 8"},
      {R"({"id":"7","success":true,"result":1})", "expected id 7, got the text \"7\""},
      {R"({"id":-7,"success":true,"result":1})", "expected id 7, got -7"},
      {R"({"id":7.0,"success":true,"result":1})", "expected id 7, got the number 7.0"},
      {R"({"id":true,"success":true,"result":1})", "expected id 7, got true"},
      {R"({"id":[7],"success":true,"result":1})", "expected id 7, got an array"},
      {R"({"id":{},"success":true,"result":1})", "expected id 7, got an object"},
      {R"({"id":9223372036854775808,"success":true,"result":1})",
       "expected id 7, got 9223372036854775808"},
      {R"({"id":18446744073709551623,"success":true,"result":1})",
       "expected id 7, got the number 1.8446744073709552e+19"},
      {R"({"id":"\u001b[31m","success":true})", R"(expected id 7, got the text "\x1b[31m")"},
      {R"({"id":null,"success":true,"result":1})", "expected id 7, got null"},
      {R"({"id":null,"success":false,"error":"bad\tframe"})",
       R"(expected id 7, got null; its error says: bad\tframe)"},
      {R"({"success":true,"result":1})", "reply has no \"id\""},
      {"{}", "reply has no \"id\""},
      {R"({"id":7})", "reply has no \"success\""},
      {R"({"id":7,"success":"true","result":1})",
       "reply has the text \"true\" as \"success\", not true or false"},
      {R"({"id":7,"success":1,"result":1})", "reply has 1 as \"success\", not true or false"},
      {R"({"id":7,"success":true})", "reply says \"success\" and has no \"result\""},
      {R"({"id":7,"success":true,"error":"only"})", "reply says \"success\" and has no \"result\""},
      {"null", "reply is null, not an object"},
      {"7", "reply is 7, not an object"},
      {"[]", "reply is an array, not an object"},
      {R"("text")", "reply is the text \"text\", not an object"},
      {R"({"id":7,"success":true,"result":NaN})",
       "reply is not JSON: bare NaN at byte 32, near \"NaN}\""},
      {R"({"id":7,"success":true,"result":[Infinity]})",
       "reply is not JSON: bare Infinity at byte 33, near \"Infinity]}\""},
      {"-Infinity", "reply is not JSON: bare -Infinity at byte 0, near \"-Infinity\""},
      {R"({"id":7,"success":true,"result":-Infinity})",
       "reply is not JSON: bare -Infinity at byte 32, near \"-Infinity}\""},
  };
  for (const Row& row : rows) {
    const auto reply = decode_reply(row.payload, 7);
    INFO(row.payload);
    REQUIRE_FALSE(reply.has_value());
    CHECK(reply.error() == row.error);
  }
}

TEST_CASE("wire: envelope: an id is compared as a 64-bit number") {
  CHECK(decode_reply(R"({"id":9223372036854775807,"success":true,"result":1})", INT64_MAX));
  CHECK_FALSE(decode_reply(R"({"id":9223372036854775808,"success":true,"result":1})", INT64_MIN));
  CHECK_FALSE(decode_reply(R"({"id":18446744073709551615,"success":true,"result":1})", -1));
  CHECK_FALSE(decode_reply(R"({"id":9007199254740993,"success":true,"result":1})",
                           std::int64_t{9007199254740992}));
}

TEST_CASE("wire: envelope: text that is not JSON is refused with the byte where it breaks") {
  struct Row {
    std::string text;
    std::string where;
  };
  const std::vector<Row> rows = {
      {"", " at byte 0"},
      {"{", " at byte 1"},
      {"Warning: x", " at byte 0, near \"Warning: x\""},
      {R"({"a":1 "b":2})", " at byte 7, near \"\"b\":2}\""},
      {R"({"a":1}})", " at byte 7, near \"}\""},
      {"{\"a\":\"x\ny\"}", R"( at byte 7, near "\ny"}")"},
      {"{\"a\":\"\xff\"}", R"( at byte 6, near "\xff"}")"},
      {"[1,\"\xc3", " at byte 5"},
      {"[1,\"\xc0\xaf\"]", R"( at byte 4, near "\xc0\xaf"]")"},
      {"\x83h", R"( at byte 0, near "\x83h")"},
      {std::string("{}\0", 3), " at byte 2"},
      {std::string("{\0}", 3), R"( at byte 1, near "\x00}")"},
      {std::string("{}\0{}", 5), " at byte 2"},
      {"{true:1}", " at byte 1, near \"true:1}\""},
      {"[1 false]", " at byte 3, near \"false]\""},
      {"[1 22]", " at byte 3, near \"22]\""},
      {"[1,]", " at byte 3, near \"]\""},
      {"[1.]", " at byte 3, near \"]\""},
      {"[1e999]", " at byte 1, near \"1e999]\""},
      {R"(["\NaN"])", R"( at byte 3, near "NaN"]")"},
      {"[nan]", " at byte 2, near \"an]\""},
  };
  for (const Row& row : rows) {
    const auto parsed = parse_json(row.text);
    INFO(row.text);
    REQUIRE_FALSE(parsed.has_value());
    CHECK_THAT(parsed.error(), Catch::StartsWith("not JSON: "));
    CHECK_THAT(parsed.error(), Catch::EndsWith(row.where));
    CHECK_THAT(parsed.error(), !Catch::Contains("json.exception") && !Catch::Contains("bare"));
  }
}

TEST_CASE("wire: envelope: a byte order mark is no JSON, as Python's and Node's readers have it") {
  const std::string mark = "\xef\xbb\xbf";
  CHECK(parse_json(mark + "{\"a\":1}").error() ==
        "not JSON: a byte order mark at byte 0, near \"{\"a\":1}\"");
  CHECK_FALSE(parse_json(mark));
  CHECK_FALSE(decode_reply(mark + R"({"id":7,"success":true,"result":{}})", 7).has_value());
  CHECK(parse_json("\"" + mark + "\"").has_value());
}

TEST_CASE("wire: envelope: JSON may be as deep as the limit and no deeper") {
  CHECK(parse_json(nested(kMaxDepth)).has_value());
  CHECK(parse_json(nested(kMaxDepth + 1)).error() ==
        "JSON nested deeper than 128 levels, at byte 128");
  CHECK(parse_json(R"([[],{"[[[":"\"[["},[]])", 2).has_value());
  CHECK(parse_json(R"([[],{"[[[":["\"[["]},[]])", 2).error() ==
        "JSON nested deeper than 2 levels, at byte 11");
  const std::string reply = R"({"id":7,"success":true,"result":)" + nested(128) + "}";
  CHECK(decode_reply(reply, 7).error() ==
        "reply is JSON nested deeper than 128 levels, at byte 159");
}

TEST_CASE("wire: envelope: a hundred thousand levels are refused before anything is built") {
  CHECK_FALSE(parse_json(nested(100'000)).has_value());
  CHECK_FALSE(parse_json(std::string(100'000, '[')).has_value());
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += R"({"a":)";
  CHECK_FALSE(parse_json(objects).has_value());
}

TEST_CASE("wire: envelope: a result of 50 MB comes through") {
  std::string text;
  text.resize(50'000'000, 'x');
  const auto reply = decode_reply(R"({"id":7,"success":true,"result":")" + text + "\"}", 7);
  REQUIRE(reply.has_value());
  CHECK((reply->result->get_ref<const std::string&>() == text));
}
