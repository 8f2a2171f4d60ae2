#include "harness/probe/evidence.hpp"

#include <catch2/catch.hpp>

namespace poolproof::probe {
namespace {

using wire::Speech;
using wire::Wire;

const std::string kInit =
    R"({"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"1","capabilities":{}}})";
const std::string kHeaded = "Content-Length: 75\r\n\r\n" + kInit;
const std::string kNoMethod = R"({"jsonrpc":"2.0","id":0,"error":{"code":-32601,"message":"no"}})";
const std::string kNoParse = R"({"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"?"}})";
const std::string kTextId = R"({"jsonrpc":"2.0","id":"0","result":{}})";
const std::string kPong = R"({"id":0,"success":true,"result":{}})";

std::string framed(const std::string& payload, bool little = false) {
  return *wire::encode_frame({4, 1U << 20U, Wire::prefix, little}, payload);
}

Evidence of(Wire wire, Speech speech, std::string_view bytes, bool any_rpc = false) {
  Settings settings;
  settings.framing.wire = wire;
  settings.speech = speech;
  pool::StartEvidence start;
  start.cause = StartCause::bad_frame;
  return evidence_of(settings, start, bytes, any_rpc);
}

TEST_CASE("probe evidence: whole messages are binary that are neither text nor meant as JSON",
          "[probe]") {
  const std::string varints("\x04\x12\x02ok\x03\x12\x01k", 9);
  CHECK(of(Wire::varint, Speech::bridge, varints).binary);
  CHECK(of(Wire::prefix, Speech::bridge, varints).binary_varints);
  CHECK_FALSE(of(Wire::prefix, Speech::bridge, varints).binary);
  CHECK_FALSE(of(Wire::varint, Speech::bridge, varints.substr(0, 8)).binary);
  CHECK_FALSE(of(Wire::lines, Speech::mcp, varints).binary);
  const std::string other("\x01\x02\xff", 3);
  CHECK(of(Wire::prefix, Speech::bridge, framed(other) + framed(other)).binary);
  const auto meant_as_json =
      GENERATE(as<std::string>{}, "{\"id\": 0, \"result\": \"\xe9\"", "[\xe9", "no method");
  CAPTURE(meant_as_json);
  const std::string mixed = framed(other) + framed(meant_as_json);
  CHECK_FALSE(of(Wire::prefix, Speech::bridge, mixed).binary);
  CHECK_FALSE(of(Wire::prefix, Speech::bridge, "").binary);
}

TEST_CASE("probe evidence: the nearer an answer, the better its grade", "[probe]") {
  const auto [wire, speech, bytes, grade] = GENERATE_COPY(table<Wire, Speech, std::string, Grade>({
      {Wire::lines, Speech::mcp, "", Grade::silent},
      {Wire::lines, Speech::mcp, "Server up\n", Grade::noise},
      {Wire::prefix, Speech::bridge, kNoParse + "\n", Grade::silent},
      {Wire::lines, Speech::mcp, "{\n \"a\": 1\n}\n", Grade::misframed},
      {Wire::lines, Speech::mcp, kNoParse + "\n", Grade::objection},
      {Wire::lines, Speech::mcp, kTextId + "\n", Grade::message},
      // Whatever the worker gives as its success, that it is wrong is for the rows to say.
      {Wire::lines, Speech::bridge,
       R"({"id":0,"success":"true","result":{}})"
       "\n",
       Grade::message},
      {Wire::lines, Speech::bridge,
       R"({"id":0,"success":1,"result":{}})"
       "\n",
       Grade::message},
      {Wire::lines, Speech::bridge,
       R"({"id":0,"success":null,"error":[]})"
       "\n",
       Grade::objection},
      // However it is cut, what it read was the greeting.
      {Wire::lines, Speech::mcp, kInit, Grade::answer},
      {Wire::lines, Speech::mcp, "\xef\xbb\xbf" + kInit + "\n", Grade::answer},
      {Wire::lines, Speech::mcp, "Server up\n" + kInit + "\n", Grade::answer},
      {Wire::lines, Speech::mcp, "{\"level\":30}\n" + kInit + "\n", Grade::answer},
      {Wire::headers, Speech::lsp, "{\"level\":30}\n{\"level\":30}\n" + kHeaded, Grade::answer},
      {Wire::lines, Speech::mcp, "{\"level\":30}\n" + kNoParse + "\n", Grade::message},
      {Wire::headers, Speech::lsp, "Content-Length: -1\r\n\r\n" + kInit, Grade::answer},
      {Wire::headers, Speech::lsp, kInit + "\n", Grade::answer},
      {Wire::prefix, Speech::bridge, framed(kPong, true), Grade::answer},
      // It speaks JSON-RPC and knows no greeting.
      {Wire::lines, Speech::mcp, kNoMethod + "\n", Grade::good},
  }));
  CAPTURE(bytes);
  CHECK(of(wire, speech, bytes).grade == grade);
}

TEST_CASE("probe evidence: a greeting that is refused with any code shows JSON-RPC", "[probe]") {
  const std::string error = GENERATE(R"({"code":-32000,"message":"no"})", R"({"message":"no"})");
  const Evidence found =
      of(Wire::lines, Speech::mcp, R"({"jsonrpc":"2.0","id":0,"error":)" + error + "}\n");
  CHECK(found.refuses);
  CHECK(found.grade == Grade::answer);
  CHECK_FALSE(of(Wire::lines, Speech::mcp, kNoParse + "\n").refuses);
  CHECK_FALSE(of(Wire::lines, Speech::mcp, kInit + "\n").refuses);
}

TEST_CASE("probe evidence: an answer shows which speech it is of", "[probe]") {
  CHECK(of(Wire::lines, Speech::mcp, kNoMethod + "\n").speech == Speech::json_rpc);
  CHECK_FALSE(of(Wire::lines, Speech::mcp, kInit + "\n").speech);
  CHECK(of(Wire::prefix, Speech::mcp, framed(kInit), true).speech == Speech::mcp);
  CHECK(of(Wire::prefix, Speech::mcp,
           framed(R"({"jsonrpc":"2.0","id":0,"result":{"capabilities":{}}})"), true)
            .speech == Speech::lsp);
  CHECK(of(Wire::prefix, Speech::mcp, framed(R"({"jsonrpc":"2.0","id":0,"result":1})"), true)
            .speech == Speech::json_rpc);
}

TEST_CASE("probe evidence: a notification in front of it is none of it", "[probe]") {
  const std::string note = R"({"jsonrpc":"2.0","method":"log"})";
  const Evidence found = of(Wire::lines, Speech::mcp, note + "\n" + kInit);
  CHECK(found.grade == Grade::answer);
  CHECK(found.suspicion == wire::Misframing::no_newline);
}

}  // namespace
}  // namespace poolproof::probe
