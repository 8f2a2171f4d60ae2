#include "harness/probe/stream.hpp"

#include <catch2/catch.hpp>

#include "harness/probe/outbox.hpp"

namespace poolproof::probe {
namespace {

const pool::WireOptions kMcp{
    {4, 1U << 20U, wire::Wire::lines}, false, wire::Codec::json, wire::Speech::mcp};
const pool::WireOptions kBridge{{4, 1U << 20U}, false, wire::Codec::json, wire::Speech::bridge};

const std::string kReply = R"({"jsonrpc":"2.0","id":1,"result":{}})"
                           "\n";
const std::string kNote = R"({"jsonrpc":"2.0","method":"notifications/message","params":{}})"
                          "\n";
const std::string kAsks = R"({"jsonrpc":"2.0","id":9,"method":"roots/list"})"
                          "\n";

TEST_CASE("probe stream: in any two pieces the same messages are heard", "[probe]") {
  const std::string all = kNote + kReply + kNote + kAsks + "done\n" + kNote;
  for (std::size_t cut = 0; cut <= all.size(); ++cut) {
    Stream stream(kMcp);
    Messages first;
    stream.push(std::string_view(all).substr(0, cut));
    stream.take(first);
    CHECK(stream.broken() == false);
    stream.push(std::string_view(all).substr(cut));
    Messages all_of_them = first;
    stream.take(all_of_them);
    CHECK(all_of_them.framed == kReply + "done\n");
    CHECK(all_of_them.frames.size() == 2);
    CHECK(all_of_them.unasked == 4);
    CHECK(stream.rest().empty());
    CHECK_THAT(stream.take_owed(), Catch::Contains("Method not found"));
    CHECK(stream.take_owed().empty());
  }
}

TEST_CASE("probe stream: a request that it was sent is no question of its own", "[probe]") {
  const std::string asked = R"({"id":1,"jsonrpc":"2.0","method":"echo","params":{}})"
                            "\n";
  const std::string echo = R"({"jsonrpc": "2.0", "id": 1, "method": "echo", "params": {}})"
                           "\r\n";
  Stream stream(kMcp);
  Messages messages;
  stream.push(asked);
  stream.take(messages);
  CHECK(messages.unasked == 1);
  CHECK_FALSE(stream.take_owed().empty());
  stream.sent(asked.substr(0, 9));
  stream.sent(asked.substr(9));
  for (const std::string& one : {asked, echo}) {
    stream.push(one);
    stream.take(messages);
  }
  CHECK(messages.echoes == 2);
  CHECK(messages.frames.size() == 2);
  CHECK(stream.take_owed().empty());
}

TEST_CASE("probe stream: part of what may be said unasked is under way, the rest is noise",
          "[probe]") {
  Stream stream(kMcp);
  Messages messages;
  stream.push(kReply + kNote.substr(0, 20));
  stream.take(messages);
  CHECK(stream.under_way());
  CHECK_FALSE(stream.is_noise());
  Stream loud(kMcp);
  loud.push(kReply + "call took 3");
  loud.take(messages);
  CHECK_FALSE(loud.under_way());
  CHECK(loud.is_noise());
  // A bridge says nothing unasked.
  Stream bridge(kBridge);
  bridge.push(std::string("\0\0", 2));
  bridge.take(messages);
  CHECK_FALSE(bridge.broken());
  CHECK(bridge.is_noise());
}

TEST_CASE("probe stream: behind what begins no message nothing is read, and little kept",
          "[probe]") {
  Stream stream(kBridge);
  Messages messages;
  const std::string noise(std::size_t{1} << 20U, 'x');
  for (int i = 0; i < 8; ++i) {
    stream.push(noise);
    stream.take(messages);
  }
  CHECK(stream.broken());
  CHECK(messages.frames.empty());
  CHECK(stream.rest().size() == kKeptBytes);
}

TEST_CASE("probe outbox: answers stand behind the request, however it comes", "[probe]") {
  Outbox outbox;
  outbox.piece("requ");
  outbox.answer("[a]");
  CHECK(outbox.pending() == "requ");
  outbox.wrote(2);
  outbox.request("est");
  outbox.answer("[b]");
  CHECK(outbox.pending() == "quest[a][b]");
  CHECK(outbox.request_bytes() == 7);
  CHECK(outbox.answers_pending() == 6);
  // Two bytes are in the pipe, and five are not written.
  CHECK(outbox.request_left(2) == 7);
  CHECK(outbox.request_left(0) == 5);
  outbox.wrote(8);
  // What is unread are answers, or the end of the request.
  CHECK(outbox.request_left(3) == 0);
  CHECK(outbox.request_left(5) == 2);
  CHECK(outbox.request_left(1000) == 7);
  CHECK(outbox.answers_pending() == 3);
  outbox.request("next");
  CHECK(outbox.pending() == "[b]next");
  CHECK(outbox.request_bytes() == 4);
  CHECK(outbox.answers_pending() == 3);
  outbox.wrote(7);
  CHECK(outbox.pending().empty());
  CHECK(outbox.request_left(0) == 0);
}

TEST_CASE("probe outbox: a request that came in pieces is whole when nothing follows", "[probe]") {
  Outbox outbox;
  outbox.piece("requ");
  outbox.piece("est");
  outbox.answer("[a]");
  CHECK(outbox.pending() == "request");
  outbox.whole();
  CHECK(outbox.pending() == "request[a]");
  CHECK(outbox.request_bytes() == 7);
  CHECK(outbox.answers_pending() == 3);
}

}  // namespace
}  // namespace poolproof::probe
