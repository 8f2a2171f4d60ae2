#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "harness/wire/conversation.hpp"

using namespace poolproof;
using namespace poolproof::wire;
using namespace std::chrono_literals;

/// Conversations in speeches in which workers speak unasked.
namespace {

const Framing kLines{4, 1U << 20U, Wire::lines};
const std::string kRequest = "request\n";
const std::string kReply = R"({"jsonrpc":"2.0","id":7,"result":{"n":1}})"
                           "\n";
const std::string kNote = R"({"jsonrpc":"2.0","method":"notifications/progress"})"
                          "\n";
const std::string kAsked = R"({"jsonrpc":"2.0","id":1,"method":"ping"})"
                           "\n";
const std::string kAnswer = R"({"id":1,"jsonrpc":"2.0","result":{}})"
                            "\n";

Conversation fresh() {
  return {kLines, Payload::envelope, 7, kRequest, Time(100ms), Codec::json, Speech::mcp};
}

Conversation asked() {
  Conversation conversation = fresh();
  conversation.wrote(kRequest.size());
  return conversation;
}

}  // namespace

TEST_CASE("wire: unasked: notifications before a reply are passed over, in any chunking") {
  const std::string stream = kNote + kNote + kReply;
  const auto chunk = GENERATE(1U, 7U, 1000U);
  Conversation conversation = asked();
  for (std::size_t at = 0; at < stream.size(); at += chunk) {
    CHECK_FALSE(conversation.decided());
    conversation.read(std::string_view(stream).substr(at, chunk));
  }
  REQUIRE(conversation.decided());
  CHECK(conversation.result().outcome == Outcome::ok);
  CHECK_FALSE(conversation.result().in_doubt);
}

TEST_CASE("wire: unasked: the request itself, given back, is no question") {
  const std::string request = row_of(Speech::mcp).request(7, "echo", {{"n", 1}}, "");
  Conversation conversation(kLines, Payload::envelope, 7, request + "\n", Time(100ms), Codec::json,
                            Speech::mcp);
  conversation.wrote(request.size() + 1);
  const bool as_json = GENERATE(false, true);
  const std::string other = nlohmann::json::parse(request).dump(0, ' ');
  std::string echo = as_json ? other : request;
  echo.erase(std::remove(echo.begin(), echo.end(), '\n'), echo.end());
  conversation.read(echo + "\r\n");
  CHECK(conversation.pending_output().empty());
  REQUIRE(conversation.decided());
  CHECK(conversation.result().outcome == Outcome::protocol_error);
  CHECK_THAT(conversation.result().detail, Catch::Contains("gives back what it is sent"));
}

TEST_CASE("wire: unasked: a worker's own ping may be just like ours") {
  const std::string ping = row_of(Speech::mcp).ping(7, "0.1", "");
  Conversation conversation(kLines, Payload::handshake, 7, ping + "\n", Time(100ms), Codec::json,
                            Speech::mcp);
  conversation.wrote(ping.size() + 1);
  conversation.read(ping + "\n");
  CHECK_FALSE(conversation.decided());
  CHECK_FALSE(conversation.pending_output().empty());
}

TEST_CASE("wire: unasked: what the worker asks is answered behind the request") {
  Conversation conversation = fresh();
  conversation.wrote(3);
  conversation.read(kAsked);
  CHECK(conversation.pending_output() == kRequest.substr(3) + kAnswer);
  CHECK(conversation.phase() == Phase::writing_request);
  conversation.wrote(kRequest.size() - 3);
  CHECK(conversation.phase() != Phase::writing_request);
  conversation.wrote(kAnswer.size());
  conversation.read(kReply);
  CHECK(conversation.result().outcome == Outcome::ok);
  CHECK(conversation.result().owed.empty());
}

TEST_CASE("wire: unasked: an answer is written before the call is over") {
  Conversation conversation = asked();
  conversation.read(kAsked + kReply);
  CHECK_FALSE(conversation.decided());
  CHECK(conversation.holds_reply());
  CHECK(conversation.pending_output() == kAnswer);
  conversation.wrote(kAnswer.size() - 1);
  CHECK_FALSE(conversation.decided());
  conversation.wrote(1);
  CHECK(conversation.result().outcome == Outcome::ok);
  CHECK_FALSE(conversation.result().in_doubt);
  CHECK(conversation.result().owed.empty());
}

TEST_CASE("wire: unasked: whole messages behind a reply are heard with it") {
  Conversation conversation = asked();
  conversation.read(kReply + kNote + kAsked);
  CHECK(conversation.pending_output() == kAnswer);
  conversation.wrote(kAnswer.size());
  REQUIRE(conversation.decided());
  CHECK_FALSE(conversation.result().in_doubt);
}

TEST_CASE("wire: unasked: the rest of a message behind a reply is waited for") {
  Conversation conversation = asked();
  conversation.read(kReply + kNote.substr(0, 20));
  CHECK_FALSE(conversation.decided());
  CHECK(conversation.holds_reply());
  conversation.tick(Time(10ms));
  CHECK(conversation.deadline() == Time(100ms));  // its own, which is before 260 ms
  SECTION("and when it comes the reply is as good as any") {
    conversation.read(kNote.substr(20));
    REQUIRE(conversation.decided());
    CHECK_FALSE(conversation.result().in_doubt);
  }
  SECTION("and when it does not, the reply stands and the stream is in doubt") {
    const auto how = GENERATE(0, 1, 2, 3, 4);
    if (how == 0) conversation.tick(Time(100ms));
    if (how == 1) conversation.cancel();
    if (how == 2) conversation.ended({0, 9});
    if (how == 3) conversation.output_closed();
    if (how == 4) conversation.write_failed(32);
    REQUIRE(conversation.decided());
    CHECK(conversation.result().in_doubt);
  }
  CHECK(conversation.result().outcome == Outcome::ok);
}

TEST_CASE("wire: unasked: what was heard before a call that did not begin is not lost") {
  Conversation conversation = fresh();
  conversation.heard_before(kAsked + kNote.substr(0, 20));
  conversation.cancel();
  CHECK_FALSE(conversation.result().in_doubt);
  CHECK(conversation.result().carried == kNote.substr(0, 20));
  CHECK(conversation.result().owed == kAnswer);
}

TEST_CASE("wire: unasked: anything else behind a reply leaves the stream in doubt") {
  const auto rest = GENERATE_COPY(as<std::string>(), kReply, "done\n", "done", "\n", "null\n");
  CAPTURE(rest);
  Conversation conversation = asked();
  conversation.read(kReply + rest);
  CHECK(conversation.result().outcome == Outcome::ok);
  CHECK(conversation.result().in_doubt);
}

TEST_CASE("wire: unasked: before a request only what a worker may say unasked is no fault") {
  const auto [before, stale] = GENERATE(table<std::string, bool>({
      {kNote, false},
      {kNote + kAsked, false},
      {kNote + kNote.substr(0, 10), false},
      {kReply, true},
      {kNote + "ready\n", true},
      {"ready", true},
      {"\n", true},
  }));
  CAPTURE(before);
  Conversation conversation = fresh();
  conversation.heard_before(before);
  CHECK(conversation.decided() == stale);
  if (stale) CHECK(conversation.result().outcome == Outcome::stale_worker);
}

TEST_CASE("wire: unasked: part of a message is waited for, whatever headers it begins with") {
  const Framing headers{4, 1U << 20U, Wire::headers};
  const auto head = GENERATE(as<std::string>{}, "Content-Length", "content-length",
                             "CONTENT-LENGTH", "X-Trace: 7\r\ncontent-length");
  const std::string payload = kNote.substr(0, kNote.size() - 1);
  const std::string note = head + ": " + std::to_string(payload.size()) + "\r\n\r\n" + payload;
  CAPTURE(note);
  for (std::size_t cut = 1; cut < note.size(); ++cut) {
    Conversation conversation(headers, Payload::envelope, 7, kRequest, Time(100ms), Codec::json,
                              Speech::lsp);
    conversation.heard_before(note.substr(0, cut));
    CHECK_FALSE(conversation.decided());
  }
}

TEST_CASE("wire: unasked: what is no reply is not told as part of one") {
  Conversation conversation = asked();
  conversation.read(kNote + kNote);
  SECTION("at the deadline") {
    conversation.tick(Time(100ms));
    CHECK(conversation.result().outcome == Outcome::call_timeout);
  }
  SECTION("at its end") {
    conversation.ended({3, 0});
    CHECK(conversation.result().outcome == Outcome::worker_died);
  }
  SECTION("at the end of its stdout") {
    conversation.output_closed();
    CHECK(conversation.result().outcome == Outcome::stdout_closed);
  }
  CHECK_FALSE(conversation.result().truncated);
  CHECK_THAT(conversation.result().detail,
             Catch::Contains("bytes of messages came back that are no reply"));
}

TEST_CASE("wire: unasked: what was heard before a call is no part of its reply") {
  Conversation conversation = fresh();
  conversation.heard_before(kNote.substr(0, 20));
  conversation.wrote(kRequest.size());
  if (GENERATE(false, true)) {
    conversation.ended({255, 0});
    CHECK(conversation.result().outcome == Outcome::worker_died);
  } else {
    conversation.output_closed();
    CHECK(conversation.result().outcome == Outcome::stdout_closed);
  }
  CHECK(conversation.result().phase == Phase::awaiting_reply);
}

TEST_CASE("wire: unasked: where nobody speaks unasked every byte before a request is a fault") {
  Conversation conversation(kLines, Payload::envelope, 7, kRequest, Time(100ms));
  conversation.heard_before(kNote);
  CHECK(conversation.result().outcome == Outcome::stale_worker);
}

TEST_CASE("wire: unasked: many answers that are owed are written before the call is over") {
  Conversation conversation = asked();
  for (int i = 0; i < 1000; ++i) conversation.read(kAsked);
  conversation.read(kReply);
  CHECK_FALSE(conversation.decided());
  CHECK(conversation.holds_reply());
  const std::size_t all = conversation.pending_output().size();
  CHECK(all == 1000 * kAnswer.size());
  SECTION("and when its worker has taken them the reply is as good as any") {
    conversation.wrote(all - 1);
    CHECK_FALSE(conversation.decided());
    conversation.wrote(1);
    REQUIRE(conversation.decided());
    CHECK_FALSE(conversation.result().in_doubt);
  }
  SECTION("and when it does not take them, the reply stands and the worker is in doubt") {
    conversation.tick(Time(10ms));
    conversation.tick(Time(100ms));
    REQUIRE(conversation.decided());
    CHECK(conversation.result().in_doubt);
  }
  CHECK(conversation.result().outcome == Outcome::ok);
}

TEST_CASE("wire: unasked: who reads the answers slowly has the time of the call for it") {
  Conversation conversation(kLines, Payload::envelope, 7, kRequest, Time(10s), Codec::json,
                            Speech::mcp);
  conversation.wrote(kRequest.size());
  for (int i = 0; i < 1000; ++i) conversation.read(kAsked);
  conversation.read(kReply);
  const auto [begun, decided] = GENERATE(table<std::chrono::milliseconds, Time>({
      {0ms, Time(2050ms)},      // it stops to read, and is waited for a little
      {8100ms, Time(10'000ms)}  // it reads on, but the call is over
  }));
  conversation.tick(Time(begun));
  for (auto now = begun; now <= begun + 1800ms; now += 200ms) {
    conversation.wrote(kAnswer.size());
    conversation.tick(Time(now));
    CHECK_FALSE(conversation.decided());
  }
  CHECK(conversation.deadline() == decided);
  conversation.tick(decided);
  CHECK(conversation.decided());
}

TEST_CASE("wire: unasked: who asks and never reads the answers is told so, within bounds") {
  Conversation conversation = asked();
  std::size_t asks = 0;
  while (!conversation.decided() && ++asks < 1'000'000) conversation.read(kAsked);
  CHECK(conversation.result().outcome == Outcome::protocol_error);
  CHECK_THAT(conversation.result().detail, Catch::Contains("does not read the answers"));
  CHECK(asks < 40'000);
}

TEST_CASE("wire: unasked: who reads the answers may ask as often as it likes") {
  Conversation conversation = asked();
  for (int i = 0; i < 100'000; ++i) {
    conversation.read(kAsked);
    conversation.wrote(conversation.pending_output().size());
  }
  conversation.read(kReply);
  CHECK(conversation.result().outcome == Outcome::ok);
  CHECK_FALSE(conversation.result().in_doubt);
}

TEST_CASE("wire: unasked: a flood of notifications ends at the deadline") {
  Conversation conversation = asked();
  for (int i = 0; i < 10'000; ++i) conversation.read(kNote);
  CHECK_FALSE(conversation.decided());
  CHECK(conversation.undecoded().empty());
  conversation.tick(Time(100ms));
  CHECK(conversation.result().outcome == Outcome::call_timeout);
}

TEST_CASE("wire: unasked: half of a message is not called text, which it is only by its letters") {
  const auto [wire, speech, bytes, is_text] = GENERATE(table<Wire, Speech, std::string, bool>({
      {Wire::lines, Speech::mcp, R"({"jsonrpc":"2.0","id":7,"res)", false},
      {Wire::lines, Speech::mcp, "Warning", true},
      {Wire::headers, Speech::lsp, "Content-Len", false},
      {Wire::headers, Speech::lsp, "Content-Length: 80\r\n\r\n{\"jsonrpc\"", false},
      {Wire::headers, Speech::lsp, "Loading model", true},
  }));
  CAPTURE(bytes);
  Conversation conversation({4, 1U << 20U, wire}, Payload::envelope, 7, kRequest, Time(100ms),
                            Codec::json, speech);
  conversation.wrote(kRequest.size());
  conversation.read(bytes);
  conversation.tick(Time(100ms));
  REQUIRE(conversation.decided());
  const bool said = conversation.result().detail.find("text where a frame") != std::string::npos;
  CHECK(said == is_text);
}

TEST_CASE("wire: unasked: an end of which nothing is known is a death, also within a message") {
  Conversation conversation = asked();
  conversation.read(kReply.substr(0, 10));
  conversation.ended({-1, 0});
  CHECK(conversation.result().outcome == Outcome::worker_died);
  CHECK_THAT(conversation.result().detail, Catch::StartsWith("the worker ended before it replied"));
}
