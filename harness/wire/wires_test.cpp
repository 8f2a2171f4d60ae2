#include "harness/wire/wires.hpp"

#include <set>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

using namespace poolproof;
using namespace poolproof::wire;
using namespace std::string_literals;

namespace {

Framing on(Wire wire, std::size_t max_frame_bytes = 1000) {
  return Framing{4, max_frame_bytes, wire};
}

/// The error of bytes that arrive in one read; empty: there is none.
std::string error_of(const Framing& framing, std::string_view bytes) {
  FrameDecoder decoder(framing);
  decoder.push(bytes);
  const auto frame = decoder.next();
  return frame ? "" : frame.error().message;
}

std::string payload_of(const Framing& framing, std::string_view bytes) {
  FrameDecoder decoder(framing);
  decoder.push(bytes);
  const auto frame = decoder.next();
  return frame && *frame ? std::string(**frame) : "none";
}

}  // namespace

TEST_CASE("wires: each has a row of its own, in the order of the enum, and a name") {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < wires().size(); ++i) {
    CHECK(wires()[i]->wire == static_cast<Wire>(i));
    CHECK(wire_called(wires()[i]->name) == wires()[i]);
    CHECK_FALSE(wires()[i]->users.empty());
    names.insert(wires()[i]->name);
  }
  CHECK(names == std::set<std::string_view>{"prefix", "varint", "lines", "headers", "node_ipc"});
  CHECK(wire_called("line") == nullptr);
}

TEST_CASE("wires: a frame has the bytes that others write") {
  const std::string long_text(300, 'x');
  CHECK(encode_frame(on(Wire::varint), "abc").value() == "\x03"s + "abc");
  CHECK(encode_frame(on(Wire::varint), long_text).value() == "\xac\x02"s + long_text);
  CHECK(encode_frame(on(Wire::lines), "{}").value() == "{}\n");
  CHECK(encode_frame(on(Wire::node_ipc), "{}").value() == "{}\n");
  CHECK(encode_frame(on(Wire::headers), "{}").value() == "Content-Length: 2\r\n\r\n{}");
  CHECK(encode_frame({4, 1000, Wire::prefix, true}, "ab").value() == "\x02\0\0\0ab"s);
  CHECK(encode_frame({8, 1000}, "ab").value() == "\0\0\0\0\0\0\0\x02"s + "ab");
  CHECK(encode_frame(on(Wire::lines), "a\nb").error() ==
        "the payload has a line break, which ends a line");
  CHECK(encode_frame(on(Wire::lines), "a\rb").value() == "a\rb\n");
  CHECK(encode_frame(on(Wire::lines), "a\r").error() ==
        "the payload ends with CR, which would go with the line's end");
}

TEST_CASE("wires: what others may write as well is taken") {
  CHECK(payload_of(on(Wire::lines), "{}\r\n") == "{}");
  CHECK(payload_of(on(Wire::lines), "a\rb\n") == "a\rb");
  CHECK(payload_of(on(Wire::headers), "content-length:2\r\n\r\n{}") == "{}");
  CHECK(payload_of(on(Wire::headers),
                   "Content-Type: application/vscode-jsonrpc; charset=utf-8\r\n"
                   "Content-Length:   2  \r\n\r\n{}") == "{}");
  CHECK(payload_of(on(Wire::varint), "\x83\x00"s + "abc") == "abc");
  CHECK(payload_of({8, SIZE_MAX}, "\0\0\0\0\0\0\0\x01x"s) == "x");
}

TEST_CASE("wires: a payload of the limit is taken, and one byte more is an error") {
  const auto wire =
      GENERATE(Wire::prefix, Wire::varint, Wire::lines, Wire::headers, Wire::node_ipc);
  const Framing framing = on(wire, 100);
  Framing larger = framing;
  larger.max_frame_bytes = 101;
  const std::string whole(100, 'x');
  CHECK(payload_of(framing, encode_frame(framing, whole).value()) == whole);
  const std::string above = encode_frame(larger, whole + "x").value();
  CHECK_THAT(error_of(framing, above), Catch::Contains("100 bytes"));
  CHECK(payload_of(larger, above) == whole + "x");
  CHECK_FALSE(encode_frame(framing, whole + "x").has_value());
}

TEST_CASE("wires: what breaks a rule is told with the rule and the bytes") {
  const auto [wire, bytes, words] = GENERATE(table<Wire, std::string, std::string>({
      {Wire::varint, std::string(11, '\xff'), "a varint has at most 10 bytes; first bytes ff ff"},
      {Wire::varint, "\0"s, "frame length 0 is not allowed"},
      {Wire::varint, "\xff\xff\xff\xff\x0f"s, "frame length 4294967295 is above the limit"},
      {Wire::lines, "\n", "an empty line is not allowed"},
      {Wire::lines, "\r\n", "an empty line is not allowed"},
      {Wire::lines, std::string(1001, 'x'), "a line of more than 1000 bytes"},
      {Wire::lines, std::string(1001, 'x') + "\n", "a line of more than 1000 bytes"},
      {Wire::headers, "Content-Length: -5\r\n\r\n", "not a whole number of bytes"},
      {Wire::headers, "Content-Length: 5.0\r\n\r\n", "not a whole number of bytes"},
      {Wire::headers, "Content-Length:\r\n\r\n", "not a whole number of bytes"},
      {Wire::headers, "Content-Length: 0\r\n\r\n", "Content-Length 0 is not allowed"},
      {Wire::headers, "Content-Length: 1001\r\n\r\n", "Content-Length 1001 is above the limit"},
      {Wire::headers, "Content-Length: 99999999999999999999\r\n\r\n", "is above the limit"},
      {Wire::headers, "Content-Type: x\r\n\r\n", "headers without Content-Length"},
      {Wire::headers, "\r\n", "headers without Content-Length"},
      {Wire::headers, "Content-Length: 2\r\nContent-Length: 3\r\n\r\n", "more than one"},
      {Wire::headers, "Content-Length: 2\n\n{}", "ends with LF, where CR LF is due"},
      {Wire::headers, "Starting...\n",
       "a line that is no header, where Content-Length is due; first bytes"},
      {Wire::headers, "Starting...\n", "most likely a print or a banner on stdout"},
      {Wire::headers, "{\"id\": 1}\r\n", "most likely JSON without its Content-Length header"},
      {Wire::headers, "INFO: up\n", "most likely a print or a banner on stdout"},
      {Wire::headers, "x: " + std::string(2000, 'y'), "headers without an empty line behind them"},
  }));
  CAPTURE(bytes);
  CHECK_THAT(error_of(on(wire), bytes), Catch::Contains(words));
}

TEST_CASE("wires: how much of a frame has come is said in its own words") {
  const auto [wire, bytes, words] = GENERATE(table<Wire, std::string, std::string>({
      {Wire::prefix, "\0"s, "1 of 4 header bytes"},
      {Wire::prefix, "\0\0\0\x05"s + "ab", "2 of 5 bytes"},
      {Wire::varint, "\xff"s, "1 bytes of a varint length"},
      {Wire::varint, "\x05"s + "ab", "2 of 5 bytes"},
      {Wire::lines, "{\"id\"", "5 bytes of a line that has no end yet"},
      {Wire::headers, "Content-", "8 bytes of headers"},
      {Wire::headers, "Content-Length: 5\r\n\r\nab", "2 of 5 bytes"},
  }));
  FrameDecoder decoder(on(wire));
  decoder.push(bytes);
  CHECK(decoder.progress() == words);
}

TEST_CASE("wires: bytes that come one by one are each looked at once") {
  const auto wire = GENERATE(Wire::lines, Wire::headers);
  const Framing framing = on(wire, 8U << 20U);
  // Scanned again from the start at each byte this would take minutes.
  const std::string payload(wire == Wire::lines ? 2'000'000 : 8, 'x');
  std::string frame = encode_frame(framing, payload).value();
  if (wire == Wire::headers) frame = "X: " + std::string(2'000'000, 'y') + "\r\n" + frame;
  FrameDecoder decoder(framing);
  for (const char& byte : frame) decoder.push({&byte, 1});
  CHECK(decoder.next().value() == payload);
}
