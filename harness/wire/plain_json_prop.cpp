#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "harness/base/property_testing.hpp"
#include "harness/wire/envelope.hpp"
#include "harness/wire/plain_json.hpp"

using namespace poolproof;
using namespace poolproof::wire;
using nlohmann::json;

namespace {

constexpr std::int64_t kId = 7;

std::size_t below(std::size_t bound) {
  return *rc::gen::inRange<std::size_t>(0, bound);
}

std::string any_text() {
  static const std::vector<std::string> kPieces = {"a",  "nonce", " ",    "~",      "\x7f",
                                                   "\"", "\\",    "\n",   "\u00e9", "\xff",
                                                   "{",  "]",     "null", "\xf0",   "\t"};
  std::string text;
  for (std::size_t left = below(5); left > 0; --left) text += kPieces[below(kPieces.size())];
  return text;
}

json any_json(int depth) {
  switch (below(depth > 0 ? 9 : 7)) {
    case 0:
      return nullptr;
    case 1:
      return below(2) == 0;
    case 2:
      return *rc::gen::arbitrary<std::int64_t>();
    case 3:
      return std::numeric_limits<std::uint64_t>::max() - below(3);
    case 4:
      return static_cast<double>(*rc::gen::arbitrary<std::int32_t>()) / 8;
    case 5:
      return below(100);
    case 6:
      return any_text();
    case 7: {
      json object = json::object();
      for (std::size_t left = below(4); left > 0; --left) object[any_text()] = any_json(depth - 1);
      return object;
    }
    default: {
      json list = json::array();
      for (std::size_t left = below(4); left > 0; --left) list.push_back(any_json(depth - 1));
      return list;
    }
  }
}

/// Members of replies, sound and unsound, in any order and any number.
std::string any_reply() {
  static const std::vector<std::string> kMembers = {R"("id":7)",
                                                    R"("id":8)",
                                                    R"("id":-7)",
                                                    R"("id":7.0)",
                                                    R"("id":"7")",
                                                    R"("id":07)",
                                                    R"("id": 7 )",
                                                    R"("success":true)",
                                                    R"("success":false)",
                                                    R"("success":1)",
                                                    R"("error":"e")",
                                                    R"("error":null)",
                                                    R"("error":"\n")",
                                                    R"("x":1.)",
                                                    R"("x":1.5)",
                                                    R"("x":1.5e3)",
                                                    R"("x":1e999)",
                                                    R"("x":1."y")",
                                                    R"("x":00)",
                                                    R"("x":-0)",
                                                    R"("x":01.5)",
                                                    R"("x":-1)",
                                                    R"("x":- 1)",
                                                    R"("x":NaN)",
                                                    R"("x":18446744073709551616)",
                                                    R"("result":[1,,2])",
                                                    R"("result":{"a":1,"a":2})"};
  std::string text = "{";
  for (std::size_t left = below(7); left > 0; --left) {
    if (text.size() > 1) text += below(12) == 0 ? " , " : ",";
    switch (below(4)) {
      case 0:
        text += kMembers[below(kMembers.size())];
        break;
      case 1:
        text += R"("id":7,"success":true)";
        break;
      default:
        text += R"("result": )" + any_json(3).dump(below(2) == 0 ? -1 : 1, ' ', below(2) == 0,
                                                   json::error_handler_t::replace);
    }
  }
  return text + "}";
}

/// A reply in which some bytes were lost, doubled or changed.
std::string damaged(std::string text) {
  static constexpr std::string_view kBytes = "{}[]\",:0-9.eE+tn \\\n\0\xff";
  for (std::size_t left = below(3); left > 0; --left) {
    const std::size_t at = below(text.size());
    const char byte = kBytes[below(kBytes.size())];
    switch (below(3)) {
      case 0:
        text.erase(at, 1);
        break;
      case 1:
        text.insert(at, 1, byte);
        break;
      default:
        text[at] = byte;
    }
    if (text.empty()) return text;
  }
  return text;
}

bool same_types(const json& a, const json& b) {
  if (a.type() != b.type() || a.size() != b.size()) return false;
  if (a.is_array()) return std::equal(a.begin(), a.end(), b.begin(), same_types);
  if (!a.is_object()) return true;
  for (const auto& [key, value] : a.items()) {
    if (!b.contains(key) || !same_types(value, b[key])) return false;
  }
  return true;
}

}  // namespace

TEST_CASE("wire: plain json: any bytes give the reply or the sentence that nlohmann gives") {
  holds("plain_json.read", Effort{5000}, [] {
    const std::string text = damaged(any_reply());
    const auto read = decode_reply(text, kId);
    const auto full = decode_reply_in_full(text, kId);
    RC_TAG(std::string(read_plain_reply(text, kId) ? "plain" : "not plain"));
    RC_ASSERT(read.has_value() == full.has_value());
    if (!read) {
      RC_ASSERT(read.error() == full.error());
      return;
    }
    RC_ASSERT(read->id == full->id);
    RC_ASSERT(read->success == full->success);
    RC_ASSERT(read->error == full->error);
    RC_ASSERT(read->nonce == full->nonce);
    RC_ASSERT(read->result_is_object == full->result_is_object);
    RC_ASSERT((read->result == nullptr) == (full->result == nullptr));
    if (read->result) {
      RC_ASSERT(*read->result == *full->result);
      RC_ASSERT(same_types(*read->result, *full->result));
    }
  });
}

TEST_CASE("wire: plain json: any value is written as nlohmann writes it") {
  holds("plain_json.write", Effort{1000}, [] {
    const json value = any_json(4);
    std::string written;
    append_json(written, value);
    RC_ASSERT(written == value.dump(-1, ' ', false, json::error_handler_t::replace));
  });
}

TEST_CASE("wire: plain json: the replies of Python's bridge and of our own workers are plain") {
  const auto* const text = GENERATE(
      R"({"id": 7, "success": true, "result": {"n": [1, -2, "x", null]}, "timestamp": 1764463797.25})",
      R"({"id":7,"result":{},"success":true,"timestamp":"2026-11-30T00:00:00.000Z"})",
      R"({"id":7,"success":false,"error":"no such command","timestamp":0})",
      "{\n\t\"success\" : true ,\r\n \"result\" : null, \"id\" : 7 }");
  CHECK(read_plain_reply(text, kId).has_value());
}

TEST_CASE("wire: plain json: what is not plain is left to nlohmann") {
  const auto* const text = GENERATE(
      R"({"id":8,"success":true,"result":1})", R"({"id":7,"success":true})",
      R"({"id":7,"success":false})", R"({"id":7,"success":true,"result":1}x)",
      R"({"id":7,"id":7,"success":true,"result":1})", R"({"id":7,"success":true,"result":1.5})",
      R"({"id":7,"success":true,"result":"\u0041"})", R"({"id":7,"success":true,"result":1)",
      R"({"id":7,"success":true,"result":1,"x":1."y"})");
  CHECK_FALSE(read_plain_reply(text, kId).has_value());
}
