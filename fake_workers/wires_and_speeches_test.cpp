#include <string>
#include <vector>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "fake_workers/brain.hpp"
#include "fake_workers/reply.hpp"
#include "fake_workers/script_testing.hpp"
#include "harness/wire/speech.hpp"

/// What a worker does with streams of each wire and messages of each speech: where a stream goes on
/// and where it is lost, and what the protocols demand of answers.
namespace poolproof::faults {
namespace {

using nlohmann::json;

/// A worker that is started and reads all that comes.
class Talk {
 public:
  Talk(wire::Framing framing, wire::Speech speech, Plan plan = {})
      : plan_(std::move(plan)),
        brain_({{}, framing, plan_, "0.0", "1", wire::Codec::json, speech}),
        framing_(framing) {
    Actions out;
    brain_.start(out);
  }

  /// `chunk`: how many bytes come at once.
  std::string read(std::string bytes, std::size_t chunk = 65'536) {
    std::string did;
    const auto note = [&did](const Actions& actions) {
      if (!actions.empty()) did += (did.empty() ? "" : "; ") + script(actions);
    };
    while (true) {
      Actions out;
      if (brain_.holds_request()) {
        brain_.go_on(out);
      } else if (brain_.wants() > 0 && !bytes.empty()) {
        const std::string now = bytes.substr(0, std::min(chunk, brain_.wants()));
        bytes.erase(0, now.size());
        brain_.read(now, out);
      } else {
        return did;
      }
      note(out);
    }
  }

  std::string end() {
    Actions out;
    brain_.end_of_input(out);
    return script(out);
  }

  /// The answer to one message; null when there is none.
  json ask(const json& message) { return ask(message.dump()); }
  json ask(const std::string& payload) {
    Actions out;
    brain_.read(*wire::encode_frame(framing_, payload), out);
    for (const Action& action : out) {
      const auto* const write = std::get_if<Write>(&action);
      if (write != nullptr) return json::parse(write->bytes);
    }
    return nullptr;
  }

 private:
  Plan plan_;
  Brain brain_;
  wire::Framing framing_;
};

constexpr wire::Framing kLines{4, 1000, wire::Wire::lines};
constexpr wire::Framing kVarint{4, 1000, wire::Wire::varint};
constexpr wire::Framing kHeaders{4, 1000, wire::Wire::headers};

const std::string kEcho = R"({"id":7,"command":"echo"})";
const std::string kEchoed = R"({"id":7,"result":{},"success":true,"timestamp":1})";
const std::string kEmpty = R"({"error":"empty frame","id":null,"success":false,"timestamp":1})";

Plan planned(const json& fault) {
  auto read = read_fault(fault, "test");
  REQUIRE(read);
  return {*read};
}

/// The code of a JSON-RPC error; 0: it is none.
int code_of(const json& answer) {
  return answer.contains("error") ? answer["error"]["code"].get<int>() : 0;
}

json method(int id, const std::string& name, const json& params = json::object()) {
  return {{"jsonrpc", "2.0"}, {"id", id}, {"method", name}, {"params", params}};
}

json tool(int id, const std::string& name, const json& args = json::object()) {
  return method(id, "tools/call", {{"name", name}, {"arguments", args}});
}

TEST_CASE("fake_workers: wires: an empty frame is answered and what came with it is read") {
  for (const wire::Framing& framing : {kLines, kVarint, kHeaders}) {
    const std::string empty = wire::header_of(framing, 0).append(wire::end_of(framing));
    const std::string input = empty + *wire::encode_frame(framing, kEcho);
    std::string answers;
    for (const std::string& payload : {kEmpty, kEchoed}) {
      const std::string frame = *wire::encode_frame(framing, payload);
      const std::string n = answers.empty() ? "0" : "1";
      answers += (answers.empty() ? "" : "; ") + ("read " + n + "; write ") +
                 printable(frame, 400) + "; wrote " + n + " " + std::to_string(frame.size());
    }
    for (const std::size_t chunk : {1U, 3U, 1000U}) {
      INFO(input << " in chunks of " << chunk);
      Talk talk(framing, wire::Speech::bridge);
      CHECK(talk.read(input, chunk) == answers);
      CHECK(talk.end() == "stdin_end; exiting 0; exit 0");
    }
  }
}

TEST_CASE("fake_workers: wires: a header that is none ends the worker") {
  for (const std::string line :
       {"nonsense\r\n", "Content-Length: 2\n", "A: 1\r\n\r\n", "Content-Length: -1\r\n\r\n"}) {
    INFO(line);
    Talk talk(kHeaders, wire::Speech::bridge);
    const std::string did = talk.read(line + "Content-Length: 2\r\n\r\n{}");
    CHECK_THAT(did, Catch::StartsWith("stderr "));
    CHECK_THAT(did, Catch::EndsWith("; exiting 1; exit 1"));
  }
  Talk endless(kVarint, wire::Speech::bridge);
  CHECK_THAT(endless.read(std::string(11, '\xff')), Catch::EndsWith("exiting 1; exit 1"));
}

TEST_CASE("fake_workers: wires: what came with a request and is not read is no part of a frame") {
  Talk talk(kLines, wire::Speech::bridge,
            planned({{"fault", "stdout_closed"}, {"at", json::object()}}));
  talk.read(kEcho + "\n" + kEcho + "\n");
  CHECK(talk.end() == "stdin_end; exiting 0; exit 0");
}

TEST_CASE("fake_workers: wires: reading stops within a frame that came with the one before") {
  for (const std::size_t chunk : {1U, 20U, 1000U}) {
    for (const int keep : {0, 3, 25}) {
      INFO(keep << " bytes, in chunks of " << chunk);
      Talk talk(
          kLines, wire::Speech::bridge,
          planned({{"fault", "reading_stopped"}, {"at", {{"request", 1}}}, {"keep_bytes", keep}}));
      const std::string did = talk.read(kEcho + "\n" + kEcho + "\n" + kEcho + "\n", chunk);
      CHECK_THAT(did, Catch::Contains("read 0"));
      CHECK_THAT(did, Catch::EndsWith("receipt 1 reading_stopped; stop reading"));
    }
    // A frame that is no longer than what it reads is answered.
    Talk talk(kLines, wire::Speech::bridge,
              planned({{"fault", "reading_stopped"},
                       {"at", {{"request", 1}}},
                       {"keep_bytes", kEcho.size() + 1}}));
    CHECK_THAT(talk.read(kEcho + "\n" + kEcho + "\n", chunk), Catch::Contains("wrote 1"));
  }
}

TEST_CASE("fake_workers: wires: Content-Length is as wrong as it is told to be") {
  const auto header = [](const std::string& shape) {
    Talk talk(kHeaders, wire::Speech::bridge,
              planned({{"fault", "header_malformed"}, {"at", json::object()}, {"shape", shape}}));
    const std::string did = talk.read(*wire::encode_frame(kHeaders, kEcho));
    const std::size_t begin = did.find("write ") + 6;
    return did.substr(begin, did.find('{', begin) - begin);
  };
  CHECK(header("negative") == R"(Content-Length: -49\r\n\r\n)");
  CHECK(header("missing") == R"(Content-Type: application/json\r\n\r\n)");
  CHECK(header("no_number") == R"(Content-Length: 49 bytes\r\n\r\n)");
  CHECK(header("twice") == R"(Content-Length: 49\r\nContent-Length: 49\r\n\r\n)");
  CHECK(header("line_feed") == R"(Content-Length: 49\n\n)");
}

TEST_CASE("fake_workers: wires: a length in characters is short by what umlauts take more") {
  Talk talk(kHeaders, wire::Speech::bridge,
            planned({{"fault", "length_in_characters"}, {"at", json::object()}}));
  // u umlaut has 2 bytes, the euro sign 3, an emoji 4: 9 bytes for 3 characters.
  const std::string request = R"({"id":7,"command":"echo","args":{"s":")"
                              "\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80\"}}";
  const std::string did = talk.read(*wire::encode_frame(kHeaders, request));
  CHECK_THAT(did, Catch::StartsWith("read 0; receipt 0 length_in_characters; write "
                                    "Content-Length: 58"));
  CHECK_THAT(did, Catch::EndsWith("wrote 0 86"));
}

TEST_CASE("fake_workers: speeches: what a worker says unasked is in the words of its speech") {
  using wire::Speech;
  for (const Speech speech : {Speech::json_rpc, Speech::mcp, Speech::lsp}) {
    const auto hear = [speech](std::string_view payload) {
      return wire::row_of(speech).hear(payload, 3).kind;
    };
    CHECK(hear(event_payload(speech)) == wire::Heard::Kind::unasked);
    CHECK(hear(own_request_payload(speech, "\"a\"")) == wire::Heard::Kind::asked);
    CHECK(hear(own_request_payload(speech, "3")) == wire::Heard::Kind::asked);
  }
  CHECK(wire::row_of(Speech::bridge).hear(event_payload(Speech::bridge), 3).kind ==
        wire::Heard::Kind::wrong);
}

TEST_CASE("fake_workers: speeches: an error has the code that JSON-RPC gives it") {
  Talk talk(kLines, wire::Speech::json_rpc);
  CHECK(code_of(talk.ask(std::string("{"))) == -32700);
  CHECK(code_of(talk.ask(std::string("[]"))) == -32600);
  CHECK(code_of(talk.ask(std::string(R"({"jsonrpc":"2.0","method":1,"params":"bar"})"))) == -32600);
  CHECK(code_of(talk.ask(std::string("{}"))) == -32600);
  CHECK(code_of(talk.ask(std::string(R"({"id":null,"method":"echo"})"))) == -32600);
  CHECK(code_of(talk.ask(std::string(R"({"id":1,"method":"echo","params":[]})"))) == -32602);
  CHECK(code_of(talk.ask(method(1, "nonsense"))) == -32601);
  CHECK(code_of(talk.ask(method(1, "fail"))) == -32000);
  CHECK(code_of(talk.ask(method(1, "echo"))) == 0);
}

TEST_CASE("fake_workers: speeches: a reply has the id of its request, be it a text") {
  Talk talk(kLines, wire::Speech::mcp);
  const auto id_of = [&talk](const json& id, const json& params) {
    return talk.ask({{"jsonrpc", "2.0"}, {"id", id}, {"method", "tools/call"}, {"params", params}})
        .at("id");
  };
  CHECK(id_of("a\"b", {{"name", "echo"}}) == "a\"b");
  CHECK(id_of("", {{"name", "echo"}}) == "");
  CHECK(id_of(5, json::object()) == 5);  // the call has no name, and an id all the same
  CHECK(id_of(1.5, {{"name", "echo"}}) == nullptr);
}

TEST_CASE("fake_workers: speeches: a tool that is not there is refused, one that fails answers") {
  Talk talk(kLines, wire::Speech::mcp);
  CHECK(code_of(talk.ask(tool(1, "nonsense"))) == -32602);
  CHECK(code_of(talk.ask(method(1, "nonsense"))) == -32601);
  const json failed = talk.ask(tool(1, "fail", {{"message", "m"}}));
  CHECK(failed["result"] ==
        json{{"content", {{{"type", "text"}, {"text", "m"}}}}, {"isError", true}});
  CHECK(talk.ask(method(2, "ping"))["result"] == json::object());
}

TEST_CASE("fake_workers: speeches: what an MCP server does not know does not end it") {
  Talk talk(kLines, wire::Speech::mcp);
  CHECK(code_of(talk.ask(method(1, "shutdown"))) == -32601);
  CHECK(talk.read(R"({"jsonrpc":"2.0","method":"exit"})"
                  "\n") == "");
  CHECK(talk.ask(tool(2, "echo"))["id"] == 2);
  CHECK_THAT(talk.read(tool(3, "shutdown").dump() + "\n"), Catch::EndsWith("exiting 0; exit 0"));
}

TEST_CASE("fake_workers: speeches: a language server obeys nothing but exit behind shutdown") {
  const std::string exit = R"({"jsonrpc":"2.0","method":"exit"})"
                           "\n";
  Talk polite(kLines, wire::Speech::lsp);
  CHECK(polite.ask(method(1, "shutdown")).at("result") == nullptr);
  CHECK(code_of(polite.ask(method(2, "echo"))) == -32600);
  CHECK(polite.read(exit) == "exiting 0; exit 0");
  Talk rude(kLines, wire::Speech::lsp);
  CHECK(rude.read(exit) == "exiting 1; exit 1");
}

TEST_CASE("fake_workers: speeches: notifications and answers have no number and no answer") {
  Talk talk(kLines, wire::Speech::mcp);
  CHECK(talk.read("{\"method\":\"notifications/initialized\"}\n"
                  "{\"id\":9,\"result\":{}}\n"
                  "{\"id\":\"x\",\"error\":{}}\n"
                  "{\"error\":{}}\n") == "");
  CHECK_THAT(talk.read(tool(1, "echo").dump() + "\n"), Catch::StartsWith("read 0; write "));
}

TEST_CASE("fake_workers: speeches: an error that is too long is counted once") {
  Talk talk({4, 100, wire::Wire::lines}, wire::Speech::json_rpc);
  CHECK(code_of(talk.ask(method(1, std::string(40, 'x')))) == -32000);
  CHECK(talk.ask(method(2, "stats"))["result"] == json{{"calls", 1}, {"errors", 1}});
}

}  // namespace
}  // namespace poolproof::faults
