#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "harness/base/property_testing.hpp"
#include "harness/base/text.hpp"
#include "harness/wire/envelope.hpp"

using namespace poolproof;
using namespace poolproof::wire;

namespace {

/// Bytes of which many are JSON: pieces of replies with rubbish in between.
std::string almost_reply() {
  static const std::vector<std::string> kPieces = {
      "{",          "}",         "[",     "]",  ":",   ",",   "\"id\"", "\"success\"",
      "\"result\"", "\"error\"", "7",     "-",  "7.0", "1e9", "true",   "false",
      "null",       "NaN",       "\\u00", "\"", "\\",  "\n",  "\xff"};
  const auto picks = *rc::gen::container<std::vector<std::size_t>>(
      rc::gen::inRange<std::size_t>(0, kPieces.size()));
  std::string text;
  for (const std::size_t pick : picks) text += kPieces[pick];
  return text;
}

}  // namespace

TEST_CASE("wire: envelope: any bytes give a reply or a sentence that is safe on a terminal") {
  holds("envelope.total", [](const std::vector<std::uint8_t>& tail) {
    const std::string text = almost_reply() + std::string(tail.begin(), tail.end());
    const auto reply = decode_reply(text, 7);
    if (reply) {
      RC_ASSERT(reply->success == (reply->result != nullptr));
      return;
    }
    RC_ASSERT(reply.error().size() < 400U);
    // The backslashes in the sentence belong to its escapes; nothing else in it may need escaping.
    std::string unescaped = reply.error();
    std::erase(unescaped, '\\');
    RC_ASSERT(printable(unescaped, 400) == unescaped);
  });
}

TEST_CASE("wire: envelope: one flipped byte of a reply never changes whom it answers") {
  holds("envelope.flip", [](std::uint8_t mask) {
    std::string text = R"({"id":1234,"result":{"nonce":"a:1"},"success":true,"timestamp":1.5})";
    const auto at = *rc::gen::inRange<std::size_t>(0, text.size());
    text[at] = static_cast<char>(static_cast<unsigned char>(text[at]) ^ (mask | 1U));
    const auto reply = decode_reply(text, 1234);
    RC_ASSERT(!reply || reply->id == 1234);
    const bool in_id = at >= 6 && at < 10;
    RC_ASSERT(!(in_id && reply));
  });
}

TEST_CASE("wire: envelope: what a request carries can be read back") {
  holds("envelope.request",
        [](std::int64_t id, const std::string& command, const std::string& key) {
          const nlohmann::json args = {{"k", key}};
          const auto request = parse_json(encode_request(id, command, args, "t"));
          RC_ASSERT(request.has_value());
          RC_ASSERT((*request)["id"] == id);
          RC_ASSERT((*request)["command"].is_string());
          RC_ASSERT(request->dump() == encode_request(id, (*request)["command"].get<std::string>(),
                                                      (*request)["args"], "t"));
        });
}
