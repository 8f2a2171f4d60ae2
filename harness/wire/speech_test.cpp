#include "harness/wire/speech.hpp"

#include <set>
#include <string>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace poolproof;
using namespace poolproof::wire;
using nlohmann::json;

namespace {

Heard hear(Speech speech, std::string_view payload) {
  return row_of(speech).hear(payload, 7);
}

std::string reply(const std::string& rest) {
  return R"({"jsonrpc":"2.0","id":7,)" + rest + "}";
}

}  // namespace

TEST_CASE("speech: each has a row of its own, in the order of the enum, and a name") {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < speeches().size(); ++i) {
    CHECK(speeches()[i]->speech == static_cast<Speech>(i));
    CHECK(speech_called(speeches()[i]->name) == speeches()[i]);
    names.insert(speeches()[i]->name);
  }
  CHECK(names == std::set<std::string_view>{"bridge", "json_rpc", "mcp", "lsp"});
  CHECK(speech_called("MCP") == nullptr);
}

TEST_CASE("speech: a message that names a method and answers, too, is wrong") {
  const auto speech = GENERATE(Speech::json_rpc, Speech::mcp, Speech::lsp);
  const auto [rest, key] = GENERATE(table<std::string, std::string>({
      {R"("method":"echo","result":{})", "result"},
      {R"("method":"echo","error":{"code":1,"message":"no"})", "error"},
  }));
  const bool numbered = GENERATE(true, false);
  const std::string payload = numbered ? reply(rest) : R"({"jsonrpc":"2.0",)" + rest + "}";
  const Heard heard = hear(speech, payload);
  CHECK(heard.kind == Heard::Kind::wrong);
  CHECK_THAT(heard.why, Catch::Contains("both \"method\" and \"" + key + "\""));
}

TEST_CASE("speech: what is said is what the protocols demand") {
  const json args{{"text", "hi"}};
  const json call = json::parse(row_of(Speech::mcp).request(7, "echo", args, "now"));
  CHECK(call == json{{"jsonrpc", "2.0"},
                     {"id", 7},
                     {"method", "tools/call"},
                     {"params", {{"name", "echo"}, {"arguments", args}}}});
  const json list = json::parse(row_of(Speech::mcp).request(7, "tools/list", json::object(), ""));
  CHECK(list["method"] == "tools/list");
  const json plain = json::parse(row_of(Speech::lsp).request(7, "textDocument/hover", args, ""));
  CHECK(plain ==
        json{{"jsonrpc", "2.0"}, {"id", 7}, {"method", "textDocument/hover"}, {"params", args}});
  const json greeting = json::parse(row_of(Speech::mcp).greeting("0.1", ""));
  CHECK(greeting["method"] == "initialize");
  CHECK(greeting["id"] == 0);
  CHECK(greeting["params"].contains("protocolVersion"));
  CHECK(greeting["params"]["clientInfo"]["name"] == "poolproof");
  CHECK(json::parse(row_of(Speech::mcp).greeted)["method"] == "notifications/initialized");
  CHECK(json::parse(row_of(Speech::lsp).greeted)["method"] == "initialized");
  const auto goodbye = row_of(Speech::lsp).goodbye(9, "0.1", "");
  REQUIRE(goodbye.size() == 2);
  CHECK(json::parse(goodbye[0]) == json{{"jsonrpc", "2.0"}, {"id", 9}, {"method", "shutdown"}});
  CHECK(json::parse(goodbye[1]) == json{{"jsonrpc", "2.0"}, {"method", "exit"}});
  CHECK(row_of(Speech::json_rpc).greeting == nullptr);
  CHECK(row_of(Speech::mcp).goodbye == nullptr);
}

TEST_CASE("speech: a reply is a result or an error with the id that was sent") {
  const Heard ok = hear(Speech::json_rpc, reply(R"("result":{"nonce":"a:1"})"));
  REQUIRE(ok.kind == Heard::Kind::reply);
  CHECK(ok.reply.success);
  CHECK(ok.reply.nonce == "a:1");
  CHECK(ok.reply.result_is_object);
  const Heard failed =
      hear(Speech::json_rpc, reply(R"("error":{"code":-32601,"message":"no such method"})"));
  REQUIRE(failed.kind == Heard::Kind::reply);
  CHECK_FALSE(failed.reply.success);
  CHECK(failed.reply.error == "no such method (code -32601)");
}

TEST_CASE("speech: a tool's result is found in what MCP wraps around it") {
  const auto content = [](const std::string& result) {
    return *content_of(Speech::mcp, std::make_shared<const json>(json::parse(result)));
  };
  const json inner{{"nonce", "a:1"}};
  CHECK(content(R"({"content":[],"structuredContent":{"nonce":"a:1"}})") == inner);
  CHECK(content(R"({"content":[{"type":"text","text":"{\"nonce\":\"a:1\"}"}]})") == inner);
  const std::string bare = R"({"content":[{"type":"text","text":"Echo: hi"}]})";
  CHECK(content(bare) == json::parse(bare));
  const Heard heard =
      hear(Speech::mcp, reply(R"("result":{"content":[],"structuredContent":{"nonce":"a:1"}})"));
  CHECK(heard.reply.nonce == "a:1");
  const Heard failed =
      hear(Speech::mcp,
           reply(R"("result":{"isError":true,"content":[{"type":"text","text":"it broke"}]})"));
  REQUIRE(failed.kind == Heard::Kind::reply);
  CHECK_FALSE(failed.reply.success);
  CHECK(failed.reply.error == "it broke");
}

TEST_CASE("speech: notifications are passed over and the worker's own requests answered") {
  CHECK(hear(Speech::mcp, R"({"jsonrpc":"2.0","method":"notifications/progress"})").kind ==
        Heard::Kind::unasked);
  const Heard ping = hear(Speech::mcp, R"({"jsonrpc":"2.0","id":"p1","method":"ping"})");
  REQUIRE(ping.kind == Heard::Kind::asked);
  CHECK(json::parse(ping.answer) ==
        json{{"jsonrpc", "2.0"}, {"id", "p1"}, {"result", json::object()}});
  // The same id as our request is no reply to it.
  const Heard roots = hear(Speech::mcp, R"({"jsonrpc":"2.0","id":7,"method":"roots/list"})");
  REQUIRE(roots.kind == Heard::Kind::asked);
  CHECK(json::parse(roots.answer)["error"]["code"] == -32601);
}

TEST_CASE("speech: what breaks a rule is said in a sentence that shows it") {
  const auto [payload, words] = GENERATE(table<std::string, std::string>({
      {"nope", "the message is not JSON"},
      {"null", "the message is null, not an object"},
      {R"([{"jsonrpc":"2.0","id":7,"result":1}])", "a batch (a JSON array)"},
      {R"({"id":7,"result":1})", "without \"jsonrpc\": \"2.0\""},
      {R"({"jsonrpc":"1.0","id":7,"result":1})", "without \"jsonrpc\": \"2.0\""},
      {R"({"jsonrpc":"2.0","id":"7","result":1})", "expected id 7, got the text \"7\""},
      {R"({"jsonrpc":"2.0","id":8,"result":1})", "expected id 7, got 8"},
      {R"({"jsonrpc":"2.0","id":7.5,"result":1})", "expected id 7, got 7.5"},
      {R"({"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"Parse error"}})",
       "its error says: Parse error (code -32700)"},
      {R"({"jsonrpc":"2.0","result":1})", "neither \"id\" nor \"method\""},
      {R"({"jsonrpc":"2.0","id":7})", "neither \"result\" nor \"error\""},
      {R"({"jsonrpc":"2.0","id":7,"result":1,"error":{}})", "both \"result\" and \"error\""},
      {R"({"jsonrpc":"2.0","method":5})", "\"method\" is no text"},
      {R"({"jsonrpc":"2.0","id":null,"method":"x"})", "neither a number nor a text"},
  }));
  const Heard heard = hear(Speech::mcp, payload);
  CAPTURE(payload);
  CHECK(heard.kind == Heard::Kind::wrong);
  CHECK_THAT(heard.why, Catch::Contains(words));
}

TEST_CASE("speech: a null that is said to be an error is no answer") {
  const auto speech = GENERATE(Speech::json_rpc, Speech::mcp, Speech::lsp);
  const Heard heard = hear(speech, reply(R"("error":null)"));
  CHECK(heard.kind == Heard::Kind::wrong);
  CHECK_THAT(heard.why, Catch::Contains("\"error\" is null, and that has no \"result\""));
}

TEST_CASE("speech: an error is what its speech says that it is") {
  const auto flaw = [](Speech speech, const std::string& rest) {
    return row_of(speech).error_flaw(json::parse(reply(rest)));
  };
  const auto [error, words] = GENERATE(table<std::string, std::string>({
      {R"({"code":-32601,"message":"m","data":[]})", ""},
      {R"({"code":-32601.0,"message":""})", ""},
      {"true", "that is true, not an object"},
      {"\"nope\"", "that is the text \"nope\", not an object"},
      {"-32601", "that is -32601, not an object"},
      {"[-32601]", "that is an array, not an object"},
      {"{}", "without a \"code\""},
      {R"({"code":"ENOENT","message":"m"})", "is the text \"ENOENT\", not a whole number"},
      {R"({"code":-1.5,"message":"m"})", "is the number -1.5, not a whole number"},
      {R"({"code":1})", "without a \"message\""},
      {R"({"code":1,"message":{}})", "is an object, not a text"},
  }));
  const std::string rest = "\"error\":" + error;
  CAPTURE(rest);
  for (const Speech speech : {Speech::json_rpc, Speech::mcp, Speech::lsp}) {
    const std::string said = flaw(speech, rest);
    CHECK(said.empty() == words.empty());
    CHECK_THAT(said, Catch::Contains(words));
    // A pool lives with it all the same.
    CHECK(hear(speech, reply(rest)).kind == Heard::Kind::reply);
  }
  CHECK(flaw(Speech::json_rpc, "\"result\":1").empty());
  CHECK(flaw(Speech::bridge, "\"error\":\"m\"").empty());
  CHECK(flaw(Speech::bridge, "\"error\":{}") == "that is an object, not a text");
  CHECK(flaw(Speech::bridge, "\"success\":false") == "without the text \"error\"");
}

TEST_CASE("speech: only MCP demands that a message names its protocol") {
  CHECK(hear(Speech::lsp, R"({"id":7,"result":1})").kind == Heard::Kind::reply);
  CHECK(hear(Speech::lsp, R"({"jsonrpc":"1.0","id":7,"result":1})").kind == Heard::Kind::wrong);
}

TEST_CASE("speech: an answer to the greeting says what was agreed") {
  const auto wrong = [](Speech speech, const std::string& result) {
    return row_of(speech).bad_greeting(hear(speech, reply("\"result\":" + result)).reply);
  };
  CHECK(wrong(Speech::mcp, R"({"protocolVersion":"2024-11-05","capabilities":{}})").empty());
  CHECK_THAT(wrong(Speech::mcp, R"({"capabilities":{}})"), Catch::Contains("protocolVersion"));
  CHECK_THAT(wrong(Speech::mcp, R"({"protocolVersion":"x"})"), Catch::Contains("capabilities"));
  CHECK(wrong(Speech::lsp, R"({"capabilities":{}})").empty());
  CHECK_THAT(wrong(Speech::lsp, "{}"), Catch::Contains("capabilities"));
  CHECK(wrong(Speech::mcp, R"({"protocolVersion":20250618,"capabilities":{}})") ==
        "the result of initialize has 20250618 as \"protocolVersion\", not a text");
  CHECK(wrong(Speech::lsp, R"({"capabilities":null})") ==
        "the result of initialize has null as \"capabilities\", not an object");
  CHECK(wrong(Speech::lsp, R"({"capabilities":[]})").empty());
}
