#include "fake_workers/brain_testing.hpp"

namespace poolproof::faults {
namespace {

TEST_CASE(
    "fake_workers: brain: in terse messages a reshaped reply is none either, but for a list") {
  const auto told = [](const std::string& shape) {
    const Plan plan{planned("reply_reshaped", R"({"shape":")" + shape + R"("})")};
    Brain brain({{}, {}, plan, "0.0", "1", wire::Codec::terse});
    Actions out;
    brain.start(out);
    std::string request;
    wire::encode_terse(wire::TerseRequest{7, "echo", "a:1", "{}", 9}, request);
    std::string unread = *wire::encode_frame({}, request);
    while (brain.wants() > 0 && !unread.empty()) {
      const std::string bytes = unread.substr(0, brain.wants());
      unread.erase(0, bytes.size());
      brain.read(bytes, out);
    }
    for (const Action& action : out) {
      const auto* write = std::get_if<Write>(&action);
      if (write == nullptr) continue;
      const auto reply = wire::decode_terse_reply(write->bytes.substr(4), 7);
      if (!reply) return reply.error();
      return std::string(reply->success ? "ok" : "error") +
             (reply->result_is_object ? ", an object" : "") + reply->nonce;
    }
    return std::string("(nothing)");
  };
  CHECK(told("id_fraction") == "reply has no id, expected id 7");
  CHECK(told("no_result") == "reply has no JSON in it");
  CHECK(told("result_list") == "ok");
  CHECK(told("null_id_error") == "reply has no id, expected id 7");
  CHECK(told("id_null") == "reply has no id, expected id 7");
  CHECK(told("null") == "reply is no terse message");
  CHECK(told("batch") == "reply is no terse message");
}

TEST_CASE("fake_workers: brain: an empty plan makes a sound worker") {
  Rig rig({});
  CHECK(rig.step("start") == "started");
  CHECK(rig.step("echo") == kSound);
  CHECK(rig.step("shutdown") == "read 1; write I" + kBye + "; wrote 1 74; exiting 0; exit 0");
  CHECK(rig.brain.wants() == 0);
}

TEST_CASE("fake_workers: brain: a little-endian header has its bytes reversed") {
  Rig rig({planned("length_little_endian")}, {4, 1000});
  rig.step("start");
  CHECK(rig.step("echo") ==
        "read 0; receipt 0 length_little_endian; write 1\\x00\\x00\\x00" + kReply + "; wrote 0 53");
}

TEST_CASE("fake_workers: brain: it wants the header exactly, then the payload exactly") {
  Rig rig({}, {4, 1000});
  rig.step("start");
  CHECK(rig.brain.wants() == 4);
  rig.send_raw(std::string("\0\0", 2));
  CHECK(rig.brain.wants() == 2);
  rig.send_raw(std::string("\0\x05", 2));
  CHECK(rig.brain.wants() == 5);
  rig.send_raw("[1,2");
  CHECK(rig.brain.wants() == 1);
}

TEST_CASE("fake_workers: brain: a request that came before the answer before was out is early") {
  const std::string call = "{\"id\":1,\"method\":\"ping\"}\n";
  const std::string note = "{\"method\":\"cancel\"}\n";
  // Whether each request is early: one is answered while `unread` bytes of the rest are in the
  // pipe, `read` bytes of which came in one read with it.
  const auto told = [&](const std::string& rest, std::size_t read, std::size_t unread) {
    Brain brain({{},
                 wire::Framing{.wire = wire::Wire::lines},
                 {},
                 "0.0",
                 "1",
                 wire::Codec::json,
                 wire::Speech::json_rpc});
    std::string found;
    const auto look = [&found](const Actions& out) {
      for (const Action& action : out) {
        const auto* journal = std::get_if<Journal>(&action);
        if (journal != nullptr && journal->read != nullptr)
          found += journal->read->early ? "early " : "waited ";
      }
    };
    const auto go_on = [&] {
      while (brain.holds_request()) {
        Actions out;
        brain.go_on(out);
        look(out);
      }
    };
    Actions first;
    brain.start(first);
    brain.read(call + rest.substr(0, read), first);
    brain.input_waits(unread);
    look(first);
    go_on();
    if (read < rest.size()) {
      Actions later;
      brain.read(rest.substr(read), later);
      look(later);
      go_on();
    }
    return found;
  };
  CHECK(told(call, 0, 0) == "waited waited ");
  CHECK(told(call, 0, 1) == "waited early ");
  CHECK(told(call, 5, 0) == "waited early ");
  CHECK(told(call, call.size(), 0) == "waited early ");
  CHECK(told(call + call, 0, 1) == "waited early waited ");
  // A notification that comes early makes no request early.
  CHECK(told(note + call, 0, note.size()) == "waited waited ");
  CHECK(told(note + call, 4, note.size() - 4) == "waited waited ");
  CHECK(told(note + call, 0, note.size() + 1) == "waited early ");
}

TEST_CASE("fake_workers: brain: what it will not read stays in the pipe") {
  Rig stopped({planned("reading_stopped", R"({"at":{"request":1}})")});
  stopped.step("start");
  CHECK(stopped.step("echo") == kSound + "; receipt 1 reading_stopped; stop reading");
  CHECK(stopped.step("echo").empty());
  CHECK_FALSE(stopped.unread.empty());

  Rig lines({planned("input_read_as_lines")});
  lines.step("start");
  lines.step("echo");
  CHECK(lines.unread.empty());
  CHECK(lines.brain.wants() == 65'536);
}

TEST_CASE("fake_workers: brain: input read as lines says at its end what it saw") {
  Rig rig({planned("input_read_as_lines")}, {4, 1000});
  rig.step("start");
  rig.step("echo");
  const std::string end = rig.step("end");
  CHECK(end.starts_with("stdin_end; stderr stdin ended without a line of JSON: 00 00 00 "));
  CHECK(end.ends_with("; exiting 0; exit 0"));
}

TEST_CASE("fake_workers: brain: a fault strikes only where it is aimed") {
  const auto strikes = [](const std::string& at, WorkerId self, const std::string& args) {
    Rig rig({planned("exit_mid_call", "{\"at\":" + at + "}")}, kOneByte, self);
    rig.step("start");
    rig.step("echo");
    return rig.request(8, "echo", args).find("receipt 1") != std::string::npos;
  };
  CHECK(strikes(R"({"request":1})", {}, "{}"));
  CHECK_FALSE(strikes(R"({"request":2})", {}, "{}"));
  CHECK(strikes(R"({"slot":1,"request":1})", {1, 5}, "{}"));
  CHECK_FALSE(strikes(R"({"slot":1,"request":1})", {0, 5}, "{}"));
  CHECK(strikes(R"({"generation":5,"request":1})", {1, 5}, "{}"));
  CHECK_FALSE(strikes(R"({"generation":4,"request":1})", {1, 5}, "{}"));
  CHECK(strikes(R"({"client":"a","call":1})", {}, R"({"nonce":"a:1"})"));
  CHECK_FALSE(strikes(R"({"client":"a","call":1})", {}, R"({"nonce":"a:11"})"));
  CHECK_FALSE(strikes(R"({"client":"a","call":1})", {}, R"({"nonce":"b:1"})"));
  CHECK_FALSE(strikes(R"({"client":"a","call":1})", {}, "{}"));
}

TEST_CASE("fake_workers: brain: faults at one request strike in the order of their stages") {
  Rig rig({planned("text_while_idle"), planned("reply_truncated", R"({"keep_bytes":60})"),
           planned("reply_late"), planned("id_wrong"),
           planned("stderr_flood", R"({"text_bytes":1})"), planned("reply_twice")});
  rig.step("start");
  const std::string wrong = R"(1{"id":8,"result":{},"success":true,"timestamp":1})";
  CHECK(rig.step("echo") ==
        "read 0; receipt 0 stderr_flood; stderr x; receipt 0 id_wrong; receipt 0 reply_twice; "
        "receipt 0 reply_late; pause 300; receipt 0 reply_truncated; write " +
            wrong + wrong.substr(0, 10) + "; exiting 0; exit 0");
}

TEST_CASE("fake_workers: brain: the end of input flushes its buffer even when it stays") {
  Rig rig({planned("reply_unflushed"), planned("stdin_end_ignored")});
  rig.step("start");
  rig.step("echo");
  CHECK(rig.step("end") ==
        "stdin_end; write 1" + kReply + "; wrote 0 50; receipt stdin_end_ignored; stop reading");
}

TEST_CASE("fake_workers: brain: TERM writes only what was held back when it came") {
  Rig rig({planned("reply_unflushed")});
  rig.step("start");
  CHECK(rig.step("echo").ends_with("; hold back"));
  rig.interrupted = true;
  CHECK(rig.request(8, "echo").ends_with("; hold back"));
  const std::string held = "; write 1" + kReply + "; wrote 0 50";
  CHECK(rig.step("term") == "term" + held + "; exiting 0; exit 0");
}

TEST_CASE("fake_workers: brain: TERM ends it at once, also in the middle of a request") {
  Rig rig({});
  rig.step("start");
  CHECK(rig.request(7, "compute", R"({"n":100})") == "read 0; compute 100");
  CHECK(rig.brain.wants() == 0);
  CHECK(rig.step("term") == "term; exiting 0; exit 0");
  CHECK(rig.step("term").empty());
}

TEST_CASE("fake_workers: brain: a computed answer is written when the world has computed it") {
  Rig rig({});
  rig.step("start");
  rig.request(7, "compute", R"({"n":100})");
  Actions out;
  rig.brain.computed(25, out);
  CHECK(script(out) ==
        R"(write <{"id":7,"result":{"primes":25},"success":true,"timestamp":1}; wrote 0 61)");
  CHECK(rig.brain.wants() == 1);
}

TEST_CASE("fake_workers: brain: input that is no request gets an error reply without an id") {
  struct Bad {
    const char* payload;
    const char* error;
  };
  for (const Bad& bad : {Bad{"nonsense", "the request is not a JSON object"},
                         Bad{"[1]", "the request is not a JSON object"},
                         Bad{R"({"id":"7","command":"ping"})", "the request has no integer id"},
                         Bad{R"({"id":7.0,"command":"ping"})", "the request has no integer id"},
                         Bad{R"({"id":7})", "the request has no command"}}) {
    INFO(bad.payload);
    Rig rig({}, {4, 1000});
    rig.step("start");
    const std::string expected = std::string("{\"error\":\"") + bad.error +
                                 "\",\"id\":null,\"success\":false,\"timestamp\":1}";
    CHECK(rig.send(bad.payload).find(expected) != std::string::npos);
    CHECK(rig.step("echo").starts_with("read 1; write"));
  }
}

TEST_CASE("fake_workers: brain: an empty frame gets an error reply and the next one is read") {
  Rig rig({});
  rig.step("start");
  CHECK(
      rig.send_raw(std::string(1, '\0')) ==
      R"(read 0; write ?{"error":"empty frame","id":null,"success":false,"timestamp":1}; wrote 0 64)");
  CHECK(rig.step("echo").starts_with("read 1; write 1"));
}

TEST_CASE("fake_workers: brain: a frame above the limit ends it with 1") {
  Rig rig({}, {4, 1000});
  rig.step("start");
  const std::string told = rig.send_raw("Warn");
  CHECK(told.starts_with("stderr frame length "));
  CHECK(told.ends_with("; exiting 1; exit 1"));
}

TEST_CASE("fake_workers: brain: end of input inside a frame ends it with 1") {
  Rig rig({}, {4, 1000});
  rig.step("start");
  rig.send_raw(std::string("\0\0", 2));
  const std::string told = rig.step("end");
  CHECK(told.starts_with("stdin_end; stderr end of input inside a frame: 00 00"));
  CHECK(told.ends_with("; exiting 1; exit 1"));
}

TEST_CASE("fake_workers: brain: an answer too long for its frame becomes an error reply") {
  Rig rig({});
  rig.step("start");
  const std::string told = rig.request(7, "echo", "{\"s\":\"" + std::string(205, 'x') + "\"}");
  CHECK(told.find("\"error\":\"reply too long: ") != std::string::npos);
}

}  // namespace
}  // namespace poolproof::faults
