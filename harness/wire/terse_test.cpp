#include "harness/wire/terse.hpp"

#include <catch2/catch.hpp>

#include "harness/wire/conversation.hpp"
#include "harness/wire/framing.hpp"

using namespace poolproof;
using namespace poolproof::wire;

namespace {

std::string request_bytes() {
  std::string bytes;
  encode_terse(TerseRequest{7, "echo", "a:1", R"({"n":1})", 3}, bytes);
  return bytes;
}

std::string reply_bytes(const TerseReply& reply) {
  std::string bytes;
  encode_terse(reply, bytes);
  return bytes;
}

const TerseReply kGood{7, true, "a:1", R"({"n":1})", 3};

}  // namespace

TEST_CASE("wire: terse: a request is read as it was written") {
  const std::string bytes = request_bytes();
  const auto read = read_terse_request(bytes);
  REQUIRE(read);
  CHECK(read->id == 7);
  CHECK(read->command == "echo");
  CHECK(read->nonce == "a:1");
  CHECK(read->args == R"({"n":1})");
  CHECK(read->pad_bytes == 3);
}

TEST_CASE("wire: terse: a reply is decoded as a JSON reply would be") {
  const std::string bytes = reply_bytes(kGood);
  CHECK(bytes.size() == terse_reply_size(kGood.nonce.size() + kGood.body.size() + 3));
  const auto reply = decode_terse_reply(bytes, 7);
  REQUIRE(reply);
  CHECK(reply->success);
  CHECK(reply->id == 7);
  CHECK(reply->nonce == "a:1");
  CHECK(reply->result_is_object);
  const auto failed = decode_terse_reply(reply_bytes({7, false, "", R"("no")", 0}), 7);
  REQUIRE(failed);
  CHECK_FALSE(failed->success);
  CHECK(failed->error == R"("no")");
  const auto number = decode_terse_reply(reply_bytes({7, true, "", "12", 0}), 7);
  REQUIRE(number);
  CHECK_FALSE(number->result_is_object);
}

TEST_CASE("wire: terse: a reply to another request, without an id or a verdict is none") {
  const auto error = [](const TerseReply& reply) {
    const auto decoded = decode_terse_reply(reply_bytes(reply), 7);
    return decoded ? std::string("(none)") : decoded.error();
  };
  CHECK(error(kGood) == "(none)");
  CHECK(error({8, true, "", "{}", 0}) == "reply has id 8, expected id 7");
  CHECK(error({{}, true, "", "{}", 0}) == "reply has no id, expected id 7");
  CHECK(error({7, {}, "", "{}", 0}) == "reply has no verdict");
  CHECK(error({7, true, "", "NaN", 0}) == "reply has no JSON in it");
}

TEST_CASE("wire: terse: what is cut short, too long or of the other kind is no message") {
  for (const std::string& whole : {request_bytes(), reply_bytes(kGood)}) {
    const auto is_message = [](std::string_view bytes) {
      return read_terse_request(bytes).has_value() || read_terse_reply(bytes).has_value();
    };
    CHECK(is_message(whole));
    for (std::size_t size = 0; size < whole.size(); ++size) {
      CHECK_FALSE(is_message(std::string_view(whole).substr(0, size)));
    }
    CHECK_FALSE(is_message(whole + "x"));
    CHECK_FALSE(is_message("x" + whole));
  }
  CHECK_FALSE(read_terse_reply(request_bytes()));
  CHECK_FALSE(read_terse_request(reply_bytes(kGood)));
  CHECK_FALSE(read_terse_reply(R"({"id":7,"success":true,"result":{},"timestamp":0})"));
}

TEST_CASE("wire: terse: a conversation reads what its codec says") {
  const auto outcome = [](Codec codec, const std::string& payload) {
    Conversation conversation({}, Payload::handshake, 7, "", kNever, codec);
    conversation.read(*encode_frame({}, payload));
    REQUIRE(conversation.decided());
    return conversation.result().outcome;
  };
  const std::string json = R"({"id":7,"success":true,"result":{},"timestamp":0})";
  CHECK(outcome(Codec::json, json) == Outcome::ok);
  CHECK(outcome(Codec::terse, json) == Outcome::protocol_error);
  CHECK(outcome(Codec::terse, reply_bytes(kGood)) == Outcome::ok);
  CHECK(outcome(Codec::json, reply_bytes(kGood)) == Outcome::protocol_error);
  CHECK(outcome(Codec::terse, reply_bytes({7, true, "", "12", 0})) == Outcome::protocol_error);
}
