#include "harness/wire/conversation.hpp"

#include <functional>
#include <string>
#include <vector>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace poolproof;
using namespace poolproof::wire;
using namespace std::chrono_literals;
using namespace std::string_literals;

namespace {

constexpr std::int64_t kId = 7;
const Time kDeadline(100ms);
const std::string kRequest = "0123456789";  // a conversation never looks into its own request

const std::string kOk = R"({"id":7,"result":{"n":1},"success":true})";
const std::string kError = R"({"error":"boom","id":7,"success":false})";

std::string framed(std::string_view payload) {
  return encode_frame(Framing{}, payload).value();
}

/// A header that announces 100 bytes, and the first `bytes` of those 100.
std::string part_of_100(std::size_t bytes) {
  return "\x00\x00\x00\x64"s + std::string(bytes, '\x01');
}

Conversation fresh(Payload payload = Payload::envelope, Framing framing = {}) {
  return {framing, payload, kId, kRequest, kDeadline};
}

/// A conversation whose request has been written.
Conversation asked(Payload payload = Payload::envelope, Framing framing = {}) {
  Conversation conversation = fresh(payload, framing);
  conversation.wrote(kRequest.size());
  return conversation;
}

struct Ending {
  std::string name;
  std::function<void(Conversation&)> strike;
};

const std::vector<Ending>& endings() {
  static const std::vector<Ending> all = {
      {"deadline", [](Conversation& c) { c.tick(kDeadline); }},
      {"cancel", [](Conversation& c) { c.cancel(); }},
      {"exit",
       [](Conversation& c) {
         c.ended({3, 0});
       }},
      {"signal",
       [](Conversation& c) {
         c.ended({0, 9});
       }},
      {"stdout closed", [](Conversation& c) { c.output_closed(); }},
      {"stdin closed", [](Conversation& c) { c.write_failed(32); }},
  };
  return all;
}

}  // namespace

TEST_CASE("wire: conversation: the phase follows the bytes") {
  Conversation conversation = fresh();
  CHECK(conversation.phase() == Phase::writing_request);
  CHECK(conversation.pending_output() == "0123456789");
  conversation.wrote(4);
  CHECK(conversation.phase() == Phase::writing_request);
  CHECK(conversation.pending_output() == "456789");
  conversation.wrote(6);
  CHECK(conversation.phase() == Phase::awaiting_reply);
  CHECK(conversation.pending_output().empty());
  conversation.read("");
  CHECK(conversation.phase() == Phase::awaiting_reply);
  conversation.read("\x00"s);
  CHECK(conversation.phase() == Phase::reading_reply);
  CHECK(conversation.undecoded() == "\x00"s);
  CHECK_FALSE(conversation.decided());
  CHECK(conversation.written_bytes() == 10);
  CHECK(conversation.read_bytes() == 1);
}

TEST_CASE("wire: conversation: a reply to the request is ok and leaves the stream sound") {
  Conversation conversation = asked();
  conversation.read(framed(kOk));
  REQUIRE(conversation.decided());
  const CallResult result = conversation.take_result();
  CHECK(result.outcome == Outcome::ok);
  CHECK(result.phase == Phase::reading_reply);
  CHECK_FALSE(result.in_doubt);
  CHECK((*result.reply.result)["n"] == 1);
  CHECK(result.detail.empty());
  CHECK(result.written_bytes == 10);
  CHECK(result.read_bytes == framed(kOk).size());
  CHECK(conversation.decided());
}

TEST_CASE("wire: conversation: an error reply is a worker error and leaves the stream sound") {
  Conversation conversation = asked();
  conversation.read(framed(R"({"error":"bo\nom","id":7,"success":false})"));
  REQUIRE(conversation.decided());
  CHECK(conversation.result().outcome == Outcome::worker_error);
  CHECK_FALSE(conversation.result().in_doubt);
  CHECK(conversation.result().reply.error == "bo\nom");
  CHECK(conversation.result().detail == R"(the worker answered with an error: bo\nom)");
}

TEST_CASE("wire: conversation: each kind of payload takes its own replies") {
  struct Row {
    Payload payload;
    std::string reply;
    Outcome outcome;
    std::string detail;
  };
  const std::string list = R"({"id":7,"result":[1],"success":true})";
  const std::string stray = R"({"id":8,"result":{},"success":true})";
  const std::vector<Row> rows = {
      {Payload::envelope, kOk, Outcome::ok, ""},
      {Payload::envelope, list, Outcome::ok, ""},
      {Payload::envelope, stray, Outcome::protocol_error, "expected id 7, got 8"},
      {Payload::envelope, R"({"error":"old","id":6,"success":false})", Outcome::protocol_error,
       "expected id 7, got 6"},
      {Payload::handshake, kOk, Outcome::ok, ""},
      {Payload::handshake, kError, Outcome::worker_error,
       "the worker answered with an error: boom"},
      {Payload::handshake, list, Outcome::protocol_error,
       "the result of ping must be an object, it is of type array"},
      {Payload::handshake, R"({"id":7,"result":null,"success":true})", Outcome::protocol_error,
       "the result of ping must be an object, it is of type null"},
      {Payload::handshake, stray, Outcome::protocol_error, "expected id 7, got 8"},
      {Payload::opaque, stray, Outcome::ok, ""},
      {Payload::opaque, "\xff\x00 anything"s, Outcome::ok, ""},
  };
  for (const Row& row : rows) {
    Conversation conversation = asked(row.payload);
    conversation.read(framed(row.reply));
    INFO(row.reply);
    REQUIRE(conversation.decided());
    const CallResult& result = conversation.result();
    CHECK(result.outcome == row.outcome);
    CHECK(result.detail == row.detail);
    CHECK(result.in_doubt == (row.outcome == Outcome::protocol_error));
    CHECK(result.payload == (row.payload == Payload::opaque ? row.reply : ""));
    CHECK(result.first_bytes == (row.outcome == Outcome::protocol_error ? row.reply : ""));
  }
}

TEST_CASE("wire: conversation: a stream that can't be cut is a protocol error with its bytes") {
  Conversation conversation = asked();
  const std::string banner = "Warning: something is deprecated\n" + std::string(100, 'x');
  conversation.read(banner);
  REQUIRE(conversation.decided());
  const CallResult& result = conversation.result();
  CHECK(result.outcome == Outcome::protocol_error);
  CHECK(result.in_doubt);
  CHECK(result.first_bytes == banner.substr(0, 64));
  CHECK_THAT(result.detail, Catch::StartsWith("frame length 1466004078 is above the limit"));
  CHECK_THAT(result.detail, Catch::Contains("a print or a banner on stdout"));
}

TEST_CASE("wire: conversation: each ending has its outcome and its sentence at each place") {
  struct Row {
    std::string ending;
    std::size_t written;
    std::string read;
    Outcome outcome;
    Phase phase;
    bool in_doubt;
    std::string detail;
  };
  const auto writing = Phase::writing_request;
  const auto awaiting = Phase::awaiting_reply;
  const auto reading = Phase::reading_reply;
  const std::vector<Row> rows = {
      {"deadline", 0, "", Outcome::call_timeout, writing, false,
       "no reply within the call timeout; 0 of 10 bytes of the request written, 0 bytes came back"},
      {"deadline", 4, "", Outcome::call_timeout, writing, true,
       "no reply within the call timeout; 4 of 10 bytes of the request written, 0 bytes came back"},
      {"deadline", 10, "", Outcome::call_timeout, awaiting, true,
       "no reply within the call timeout; request written (10 bytes), 0 bytes came back"},
      {"deadline", 10, part_of_100(12), Outcome::call_timeout, reading, true,
       "no reply within the call timeout; request written (10 bytes), reply incomplete: 12 of 100 "
       "bytes"},
      {"deadline", 10, "\x00\x00"s, Outcome::call_timeout, reading, true,
       "no reply within the call timeout; request written (10 bytes), reply incomplete: 2 of 4 "
       "header bytes"},
      {"deadline", 0, part_of_100(1), Outcome::call_timeout, writing, true,
       "no reply within the call timeout; 0 of 10 bytes of the request written, reply incomplete: "
       "1 of 100 bytes"},
      {"cancel", 0, "", Outcome::cancelled, writing, false,
       "the call was cancelled; 0 of 10 bytes of the request written, 0 bytes came back"},
      {"cancel", 1, "", Outcome::cancelled, writing, true,
       "the call was cancelled; 1 of 10 bytes of the request written, 0 bytes came back"},
      {"cancel", 10, "", Outcome::cancelled, awaiting, true,
       "the call was cancelled; request written (10 bytes), 0 bytes came back"},
      {"exit", 0, "", Outcome::worker_died, writing, true,
       "the worker exited with code 3 before it replied; 0 of 10 bytes of the request written, 0 "
       "bytes came back"},
      {"exit", 10, "", Outcome::worker_died, awaiting, true,
       "the worker exited with code 3 before it replied; request written (10 bytes), 0 bytes came "
       "back"},
      {"exit", 10, part_of_100(3), Outcome::protocol_error, reading, true,
       "reply truncated: 3 of 100 bytes, then the worker exited with code 3"},
      {"exit", 10, "\x00"s, Outcome::protocol_error, reading, true,
       "reply truncated: 1 of 4 header bytes, then the worker exited with code 3"},
      {"exit", 10, "Wa", Outcome::protocol_error, reading, true,
       "reply truncated: 2 of 4 header bytes, then the worker exited with code 3; text where a "
       "frame should be: 57 61 (\"Wa\")"},
      {"signal", 10, "", Outcome::worker_died, awaiting, true,
       "the worker was ended by signal 9 before it replied; request written (10 bytes), 0 bytes "
       "came back"},
      {"signal", 10, part_of_100(3), Outcome::worker_died, reading, true,
       "the worker was ended by signal 9 before it replied; request written (10 bytes), reply "
       "incomplete: 3 of 100 bytes"},
      {"stdout closed", 10, "", Outcome::stdout_closed, awaiting, true,
       "the worker closed its stdout and lives on; request written (10 bytes), 0 bytes came back"},
      {"stdout closed", 10, part_of_100(3), Outcome::protocol_error, reading, true,
       "reply truncated: 3 of 100 bytes, then the worker closed its stdout and lives on"},
      {"stdin closed", 4, "", Outcome::stdin_closed, writing, true,
       "the worker closed its stdin and lives on (errno 32); 4 of 10 bytes of the request written, "
       "0 bytes came back"},
  };
  for (const Row& row : rows) {
    Conversation conversation = fresh();
    conversation.wrote(row.written);
    conversation.read(row.read);
    REQUIRE_FALSE(conversation.decided());
    for (const Ending& ending : endings()) {
      if (ending.name == row.ending) ending.strike(conversation);
    }
    REQUIRE(conversation.decided());
    const CallResult& result = conversation.result();
    CHECK(result.outcome == row.outcome);
    CHECK(result.phase == row.phase);
    CHECK(result.in_doubt == row.in_doubt);
    CHECK(result.detail == row.detail);
    CHECK(result.first_bytes == (row.outcome == Outcome::protocol_error ? row.read : ""));
    const bool exited = row.ending == "exit";
    const bool killed = row.ending == "signal";
    CHECK(result.exit == ExitStatus{exited ? 3 : 0, killed ? 9 : 0});
    CHECK(conversation.pending_output().empty());
    CHECK(conversation.phase() == row.phase);
  }
}

TEST_CASE("wire: conversation: with a short prefix text passes for a length, and is still named") {
  Conversation conversation = asked(Payload::envelope, Framing{2, 65536});
  conversation.read("Warning");
  conversation.tick(kDeadline);
  CHECK(conversation.result().detail ==
        "no reply within the call timeout; request written (10 bytes), reply incomplete: 5 of "
        "22369 bytes; text where a frame should be: 57 61 72 6e 69 6e 67 (\"Warning\")");
}

TEST_CASE("wire: conversation: only the deadline itself ends it, not the moment before") {
  Conversation conversation = asked();
  conversation.tick(kDeadline - 1us);
  CHECK_FALSE(conversation.decided());
  conversation.tick(kDeadline);
  CHECK(conversation.decided());
  Conversation endless({}, Payload::envelope, kId, kRequest, kNever);
  endless.tick(Time(24h * 365));
  CHECK_FALSE(endless.decided());
}

TEST_CASE("wire: conversation: a whole frame decides before the request is written, in doubt") {
  struct Row {
    Payload payload;
    std::string reply;
    Outcome outcome;
  };
  const std::vector<Row> rows = {
      {Payload::envelope, kOk, Outcome::ok},
      {Payload::envelope, kError, Outcome::worker_error},
      {Payload::envelope, "{}", Outcome::protocol_error},
      {Payload::opaque, "x", Outcome::ok},
  };
  for (const Row& row : rows) {
    Conversation conversation = fresh(row.payload);
    conversation.wrote(9);
    conversation.read(framed(row.reply));
    REQUIRE(conversation.decided());
    CHECK(conversation.result().outcome == row.outcome);
    CHECK(conversation.result().phase == Phase::writing_request);
    CHECK(conversation.result().in_doubt);
    CHECK(conversation.pending_output().empty());
  }
}

TEST_CASE("wire: conversation: bytes after the deciding frame put the stream in doubt") {
  const std::string two = framed(kOk) + framed(kError);
  Conversation at_once = asked();
  at_once.read(two);
  CHECK(at_once.result().outcome == Outcome::ok);
  CHECK(at_once.result().in_doubt);

  Conversation later = asked();
  later.read(framed(kOk));
  CHECK_FALSE(later.result().in_doubt);
  later.read("");
  CHECK_FALSE(later.result().in_doubt);
  later.read(framed(kError));
  CHECK(later.result().outcome == Outcome::ok);
  CHECK(later.result().in_doubt);
  CHECK(later.result().read_bytes == two.size());
}

TEST_CASE("wire: conversation: nothing that comes after the decision changes it") {
  for (const Ending& first : endings()) {
    for (const Ending& second : endings()) {
      INFO(first.name << ", then " << second.name);
      Conversation conversation = asked();
      first.strike(conversation);
      const CallResult before = conversation.result();
      second.strike(conversation);
      conversation.read(framed(kOk));
      CHECK(conversation.result().outcome == before.outcome);
      CHECK(conversation.result().phase == before.phase);
      CHECK(conversation.result().detail == before.detail);
      CHECK(conversation.result().exit == before.exit);
      CHECK(conversation.result().in_doubt);
    }
  }
}

TEST_CASE("wire: conversation: after a good reply only news of the worker raises a doubt") {
  for (const Ending& ending : endings()) {
    Conversation conversation = asked();
    conversation.read(framed(kOk));
    ending.strike(conversation);
    INFO(ending.name);
    CHECK(conversation.result().outcome == Outcome::ok);
    const bool harmless = ending.name == "deadline" || ending.name == "cancel";
    CHECK(conversation.result().in_doubt == !harmless);
  }
}

TEST_CASE("wire: conversation: a write that ends after the decision still counts") {
  Conversation conversation = fresh();
  conversation.cancel();
  CHECK_FALSE(conversation.result().in_doubt);
  conversation.wrote(0);
  CHECK_FALSE(conversation.result().in_doubt);
  conversation.wrote(3);
  CHECK(conversation.result().in_doubt);
  CHECK(conversation.result().written_bytes == 3);
}

TEST_CASE("wire: conversation: a late reply finds the call over and the stream in doubt") {
  Conversation conversation = asked();
  conversation.tick(kDeadline);
  conversation.read(framed(kOk));
  CHECK(conversation.result().outcome == Outcome::call_timeout);
  CHECK_FALSE(conversation.result().reply.result);
  CHECK(conversation.result().in_doubt);
}
