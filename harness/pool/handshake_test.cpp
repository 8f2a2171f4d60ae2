#include "harness/pool/handshake.hpp"

#include <cerrno>
#include <deque>

#include <catch2/catch.hpp>

#include "harness/pool/explain.hpp"

using namespace poolproof;
using namespace poolproof::pool;

namespace {

using namespace std::chrono_literals;
using wire::Speech;
using wire::Wire;

/// A worker that takes all, or nothing, and of which some bytes are there from the start.
class Pipes final : public wire::Stdio {
 public:
  explicit Pipes(std::string output) : output_(std::move(output)) {}

  Expected<std::size_t, int> write(std::string_view bytes) override {
    if (refusal != 0) return unexpected(refusal);
    written += bytes.size();
    return bytes.size();
  }
  int refusal = 0;  ///< of what is written, if not 0
  std::size_t written = 0;
  std::optional<std::size_t> taken;  ///< how much of that the worker has read; nothing: all
  bool ended = false;                ///< its stdout ends behind what is there
  std::function<void()> before_read = [] {};
  Expected<std::size_t, int> read(std::span<char> into) override {
    before_read();
    if (output_.empty() && ended) return std::size_t{0};
    if (output_.empty()) return unexpected(EAGAIN);
    const std::size_t size = std::min(into.size(), output_.size());
    std::copy_n(output_.begin(), size, into.begin());
    output_.erase(0, size);
    return size;
  }
  [[nodiscard]] Expected<std::size_t, int> unread() const override {
    return written - taken.value_or(written);
  }
  [[nodiscard]] bool nobody_reads() const override { return false; }
  void say(const std::string& bytes) { output_ += bytes; }

 private:
  std::string output_;
};

/// What a pool says of a worker behind these pipes; `late`: what it says at the end of its input.
std::string told_of(Pipes& pipes, const WireOptions& options, const std::string& late = "") {
  Time now{};
  Handshake handshake(
      pipes, options, *greeting(options, {0, 0}, "now"), Time(5s), 1s, [&] { return now; },
      [&] { pipes.say(late); });
  for (; !handshake.evidence(); now += 1s) {
    handshake.exchange();
    handshake.tick();
  }
  return explain_start({0, 0}, *handshake.evidence(), {}, {"", handshake.reason(), ""}) + " [" +
         std::string(name(handshake.evidence()->cause)) + "]";
}

/// What a pool says of a worker that answers its greeting so; `late`: only at the end of its input.
std::string told(Wire wire, Speech speech, const std::string& bytes, bool late = false) {
  const WireOptions options{{4, 1U << 20U, wire}, false, wire::Codec::json, speech};
  Pipes pipes(late ? "" : bytes);
  return told_of(pipes, options, late ? bytes : "");
}

const std::string kInit =
    R"({"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"1","capabilities":{}}})";
const std::string kPong = R"({"id":0,"success":true,"result":{"a":"bcdefghij"}})";

std::string headed(const std::string& header) {
  return header + "\r\n\r\n" + kInit;
}

}  // namespace

TEST_CASE("pool: handshake: what breaks a rule of its wire is told by that rule") {
  const std::string varint = *wire::encode_frame({4, 1U << 20U, Wire::varint}, kPong);
  const auto [wire, speech, bytes, words,
              cause] = GENERATE_COPY(table<Wire, Speech, std::string, std::string, std::string>({
      {Wire::headers, Speech::lsp, headed("Content-Length: -1"),
       "a Content-Length that is not a whole number of bytes", "bad_frame"},
      {Wire::headers, Speech::lsp, headed("Content-Length: 0x4b"),
       "a Content-Length that is not a whole number of bytes", "bad_frame"},
      {Wire::headers, Speech::lsp, headed("Content-Type: x"), "headers without Content-Length",
       "bad_frame"},
      {Wire::headers, Speech::lsp, headed("Content-Length: 5\r\nContent-Length: 75"),
       "headers with more than one Content-Length", "bad_frame"},
      {Wire::headers, Speech::lsp, headed("Content-Type: x;\r\n y=z\r\nContent-Length: 75"),
       "a header that goes on in a second line", "bad_frame"},
      {Wire::headers, Speech::lsp, "Content-Length: 75\n\n" + kInit, "ends with LF", "bad_frame"},
      {Wire::headers, Speech::lsp, headed("Content-Length: 1000000000000"),
       "Content-Length 1000000000000 is above the limit", "bad_frame"},
      {Wire::headers, Speech::lsp, headed("Content-Length: 77"),
       "a length of 77 where the JSON text behind it has 75 bytes", "reply_incomplete"},
      {Wire::headers, Speech::lsp, headed("Content-Length: 74"),
       "a length of 74 where the JSON text behind it has 75 bytes", "bad_frame"},
      {Wire::headers, Speech::lsp, kInit + "\n",
       "answered in JSON without a Content-Length header: ", "reply_unframed"},
      {Wire::headers, Speech::lsp, "INFO: up\n" + headed("Content-Length: 75"),
       "wrote text on stdout where a frame should be", "text_on_stdout"},
      {Wire::headers, Speech::lsp, "Content-Len", "wrote 11 bytes that make no whole frame",
       "reply_incomplete"},
      {Wire::lines, Speech::mcp, kInit, "without the line break that ends a message",
       "reply_incomplete"},
      {Wire::lines, Speech::mcp, kInit + "\r", "without the line break that ends a message",
       "reply_incomplete"},
      {Wire::lines, Speech::mcp, "{\n" + kInit.substr(1) + "\n", "over several lines", "bad_frame"},
      {Wire::lines, Speech::mcp, kInit + "\n\n", "an empty line behind it", "bad_frame"},
      {Wire::lines, Speech::mcp, "\xef\xbb\xbf" + kInit + "\n", "byte order mark", "bad_frame"},
      {Wire::lines, Speech::mcp, "{\"id\":NaN}\n", "bare NaN", "bad_frame"},
      {Wire::lines, Speech::mcp, kInit + kInit + "\n", "more than one JSON text in one line",
       "bad_frame"},
      {Wire::lines, Speech::mcp,
       R"({"jsonrpc":"2.0","method":"log"})"
       "\nhello\n",
       "wrote text on stdout", "text_on_stdout"},
      {Wire::varint, Speech::bridge, "worker ready\n" + varint, "wrote text on stdout",
       "text_on_stdout"},
      {Wire::prefix, Speech::bridge, kPong + "\n",
       "answered in JSON without a length prefix: ", "reply_unframed"},
  }));
  CAPTURE(bytes);
  const std::string said = told(wire, speech, bytes);
  CHECK_THAT(said, Catch::Contains(words));
  CHECK_THAT(said, Catch::EndsWith("[" + cause + "]"));
}

TEST_CASE("pool: handshake: what stands behind a good reply is left for who reads next") {
  const WireOptions options{{4, 1U << 20U, Wire::lines}, false, wire::Codec::json, Speech::mcp};
  const std::string note = R"({"jsonrpc":"2.0","method":"log"})"
                           "\n";
  const std::size_t size = GENERATE(0U, 16383U, 16384U, 16385U, 32768U);
  std::string reply = kInit;
  if (size > 0) reply.insert(reply.size() - 1, ",\"a\":\"" + std::string(size - 83, 'x') + "\"");
  reply += '\n';
  const bool is_blocked = GENERATE(false, true);
  CAPTURE(size, reply.size(), is_blocked);
  Pipes pipes(reply + note + note);
  Handshake handshake(
      pipes, options, *greeting(options, {0, 0}, "now"), Time(5s), 1s, [] { return Time(2s); },
      [] {});
  if (is_blocked) {
    handshake.exchange();
    pipes.say(note);
  }
  handshake.exchange();
  handshake.tick();
  REQUIRE(handshake.evidence().has_value());
  CHECK(handshake.evidence()->cause == StartCause::none);
  CHECK_FALSE(handshake.wants_to_read());
}

TEST_CASE("pool: handshake: who only says what may be said unasked has not begun to answer") {
  const std::string note = R"({"jsonrpc":"2.0","method":"log"})"
                           "\n";
  const std::string said = told(Wire::lines, Speech::mcp, note + note);
  CHECK_THAT(said, Catch::Contains("66 bytes of sound messages, of which none is an answer"));
  CHECK_THAT(said, !Catch::Contains("no whole frame within"));
  CHECK_THAT(said, Catch::EndsWith("[ping_unanswered]"));
}

TEST_CASE("pool: handshake: whole messages before half of one are no part of it") {
  const std::string note = R"({"jsonrpc":"2.0","method":"log"})"
                           "\n";
  const std::string said = told(Wire::lines, Speech::mcp, note + note.substr(0, 20));
  CHECK_THAT(said,
             Catch::Contains("wrote 20 bytes that make no whole frame within 5000 ms: 7b 22"));
  CHECK_THAT(said,
             Catch::Contains("; before them came 33 bytes of sound messages, of which none is "
                             "an answer"));
  CHECK_THAT(said, Catch::EndsWith("[reply_incomplete]"));
  const WireOptions options{{4, 1U << 20U, Wire::lines}, false, wire::Codec::json, Speech::mcp};
  Pipes pipes(note + note);
  pipes.ended = true;
  CHECK_THAT(told_of(pipes, options), Catch::EndsWith("[stdout_closed]"));
}

TEST_CASE("pool: handshake: what the pool answers to its worker is no part of the ping") {
  const std::string asks = R"({"jsonrpc":"2.0","id":1,"method":"ping"})"
                           "\n";
  const WireOptions options{{4, 1U << 20U, Wire::lines}, false, wire::Codec::json, Speech::mcp};
  const std::size_t ping = greeting(options, {0, 0}, "now")->size();
  const auto taken = GENERATE_COPY(std::size_t{0}, std::size_t{9}, ping);
  Pipes pipes(asks + asks);
  pipes.taken = taken;
  const std::string said = told_of(pipes, options);
  CHECK(pipes.written > ping);
  if (taken == ping) {
    CHECK_THAT(said, Catch::EndsWith("[ping_unanswered]"));
  } else if (taken == 0) {
    CHECK_THAT(said, Catch::Contains("its ping is unread (" + std::to_string(ping) + " of " +
                                     std::to_string(ping) + " bytes)"));
  } else {
    CHECK_THAT(said, Catch::Contains("in the middle of its ping (" + std::to_string(ping - 9) +
                                     " of " + std::to_string(ping) + " bytes unread"));
  }
}

TEST_CASE("pool: handshake: no wire but those with one is said to miss a length prefix") {
  const std::string late = told(Wire::lines, Speech::mcp, kInit, true);
  CHECK_THAT(late, !Catch::Contains("length prefix:"));
  CHECK_THAT(late, Catch::Contains("without the line break that ends a message"));
  CHECK_THAT(told(Wire::headers, Speech::lsp, kInit + "\n", true),
             Catch::Contains("JSON without a Content-Length header, and only at end of input"));
  CHECK_THAT(told(Wire::lines, Speech::mcp, kInit + "\n", true),
             Catch::EndsWith("[reply_unflushed]"));
  // What it asked before, nobody answers any more.
  const std::string asks = R"({"jsonrpc":"2.0","id":1,"method":"ping"})"
                           "\n";
  CHECK_THAT(told(Wire::lines, Speech::mcp, asks + kInit + "\n", true),
             Catch::EndsWith("[reply_unflushed]"));
}

TEST_CASE("pool: handshake: what a sound message says is told before what stands behind it") {
  const std::string wrong = R"({"jsonrpc":"2.0","id":"0","result":{}})";
  const std::string said = told(Wire::lines, Speech::mcp, wrong + "\nhello\n");
  CHECK_THAT(said, Catch::Contains("expected id 0, got the text \"0\""));
}

TEST_CASE("pool: handshake: what was never written to it, it has not read") {
  // It printed how it is used, and was gone before its ping was written, or before all of it was.
  const int refusal = GENERATE(EPIPE, EAGAIN);
  const WireOptions options;
  Pipes pipes("usage: worker FILE\n");
  pipes.refusal = refusal;
  Handshake handshake(
      pipes, options, *greeting(options, {0, 0}, "now"), Time(5s), 1s, [] { return Time(1ms); },
      [] {});
  handshake.exchange();
  handshake.process_ended(ExitStatus{2, 0});
  REQUIRE(handshake.evidence().has_value());
  CHECK(handshake.evidence()->unread_bytes == handshake.evidence()->ping_bytes);
  CHECK_THAT(explain_start({0, 0}, *handshake.evidence(), {}, {"", handshake.reason(), ""}),
             Catch::Contains("before it answered its ping: dead at start") &&
                 Catch::Contains("usage: worker FILE"));
}

TEST_CASE("pool: handshake: a pool that is put to sleep takes no time from its worker") {
  const WireOptions options;
  Pipes pipes("");
  Time now{};
  const auto sleep = [&] { now += 400ms; };
  Handshake handshake(
      pipes, options, *greeting(options, {0, 0}, "now"), Time(5s), 1s, [&] { return now; }, sleep);

  SECTION("before it reads what is wrong: the worker has the whole time to exit from then on") {
    pipes.say("no frame at all\n");
    pipes.before_read = sleep;
    handshake.exchange();
    CHECK(handshake.next_deadline() == now + 1s);
  }
  SECTION("before it closes the stdin: the worker has the whole time to answer from then on") {
    now = Time(5s);
    handshake.tick();
    CHECK(now == Time(5400ms));
    CHECK(handshake.next_deadline() == Time(6400ms));
  }
  SECTION("at the end of its time: what came by then is read") {
    now = Time(4999ms);
    handshake.exchange();
    pipes.say(*wire::encode_frame(options.framing, kPong));
    now = Time(5s);
    handshake.tick();
    REQUIRE(handshake.evidence().has_value());
    CHECK(handshake.evidence()->cause == StartCause::none);
  }
}
