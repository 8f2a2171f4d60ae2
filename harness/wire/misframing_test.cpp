#include "harness/wire/misframing.hpp"

#include <catch2/catch.hpp>

namespace poolproof::wire {
namespace {

using namespace std::string_literals;

const std::string kReply = R"({"id": 0, "success": true, "result": {}})";

std::string framed(const std::string& payload, std::uint8_t prefix = 4) {
  return *encode_frame({prefix, 1U << 20U}, payload);
}

std::string header(std::uint64_t length) {
  return header_of({}, length);
}

std::string reversed_header(std::uint64_t length) {
  std::string bytes = header(length);
  return {bytes.rbegin(), bytes.rend()};
}

TEST_CASE("misframing: what breaks no rule is suspected of nothing", "[wire]") {
  const auto bytes = GENERATE_COPY(""s, framed(kReply), framed(kReply).substr(0, 3),
                                   framed(kReply).substr(0, 20), framed("[1, 2]"), "\0\0"s);
  CAPTURE(bytes);
  CHECK_FALSE(suspect({}, bytes));
}

TEST_CASE("misframing: each broken rule is named, with the numbers that show it", "[wire]") {
  const std::string wide = R"({"text": "h)"
                           "\u00e9"
                           R"(llo"})";
  const std::string crab = R"({"text": ")"
                           "\U0001f980"
                           R"("})";
  const auto [bytes, kind, words] = GENERATE_COPY(table<std::string, Misframing, std::string>({
      {framed(kReply) + "\n", Misframing::newline_after, "one byte too many: a newline"},
      {framed(kReply) + "\r\n", Misframing::newline_after, "two bytes too many: a newline"},
      {framed(kReply) + "done\n", Misframing::text_after, "text behind it"},
      {framed(kReply) + framed(kReply), Misframing::frame_after, "more than one reply"},
      {framed(kReply) + "\xff\xfe\xfd", Misframing::bytes_after, "3 bytes too many: ff fe fd"},
      {header(wide.size() - 1) + wide, Misframing::counts_characters,
       "the header says 17, the payload has 18 bytes, which are 17 characters"},
      {header(crab.size() - 2) + crab, Misframing::counts_characters, "14 UTF-16 units"},
      {header(kReply.size() + 4) + kReply, Misframing::counts_header,
       "it says 44, and 40 bytes follow it"},
      {framed(kReply).substr(0, 12) + framed("[7]") + framed(kReply).substr(12),
       Misframing::frame_inside, "another frame begins inside this one, at byte 8"},
      {reversed_header(kReply.size()) + kReply, Misframing::little_endian, "little-endian"},
      {framed(kReply, 2), Misframing::other_prefix, "a length of 2 bytes where 4 are agreed"},
      {framed(kReply, 1), Misframing::other_prefix, "a length of 1 byte (or a varint)"},
      {"\xc8\x01[\"" + std::string(196, 'x') + "\"]", Misframing::varint, "varint"},
      {"Content-Length: 40\r\n\r\n" + kReply, Misframing::headers, "Content-Length"},
      {kReply + "\n", Misframing::json_line, "JSON without a length prefix"},
      {"Loading...\n" + framed(kReply), Misframing::text_then_frame, "11 bytes of text"},
      {"Loading...\n"s, Misframing::text, "text (a banner or a stray print): \"Loading"},
  }));
  CAPTURE(bytes);
  const auto found = suspect({}, bytes);
  REQUIRE(found);
  CHECK(found->kind == kind);
  CHECK_THAT(found->words, Catch::Contains(words));
}

TEST_CASE("misframing: a number or a word behind a length is no document", "[wire]") {
  CHECK_FALSE(suspect({},
                      "\x01"
                      "7 \xff\xff"s));
  CHECK_FALSE(suspect({}, "\x04true\xff\xff"s));
}

TEST_CASE("misframing: another frame is looked for near the beginning only", "[wire]") {
  const auto torn = [](std::size_t before) {
    const std::string noise(before, '\xff');
    return suspect({}, header(9000) + noise + framed("[7]") + std::string(9000, '\xff'));
  };
  REQUIRE(torn(4000));
  CHECK(torn(4000)->kind == Misframing::frame_inside);
  CHECK_FALSE(torn(5000));
}

TEST_CASE("misframing: noise of any length costs a bounded time", "[wire]") {
  CHECK_FALSE(suspect({}, std::string(std::size_t{64} << 20U, '\0')));
  CHECK(suspect({}, std::string(std::size_t{64} << 20U, 'x'))->kind == Misframing::text);
}

TEST_CASE("misframing: what breaks no rule of its wire is suspected of nothing", "[wire]") {
  const auto wire =
      GENERATE(Wire::prefix, Wire::varint, Wire::lines, Wire::headers, Wire::node_ipc);
  const Framing framing{4, 1U << 20U, wire};
  const std::string frame = *encode_frame(framing, kReply);
  CHECK_FALSE(suspect(framing, frame));
  CHECK_FALSE(suspect(framing, frame.substr(0, 1)));
  if (!framing.by_lines()) CHECK_FALSE(suspect(framing, frame.substr(0, frame.size() - 5)));
}

TEST_CASE("misframing: on each wire the frames of the others are named", "[wire]") {
  const std::string prefixed = framed(kReply);
  const std::string headed = "Content-Length: 40\r\n\r\n" + kReply;
  const std::string wide = "{\"text\": \"h\u00e9llo\"}";
  const auto [wire, bytes, kind, words] =
      GENERATE_COPY(table<Wire, std::string, Misframing, std::string>({
          {Wire::lines, kReply, Misframing::no_newline, "without the line break"},
          {Wire::lines, "{\n  \"id\": 1\n}\n", Misframing::several_lines, "pretty-printed"},
          {Wire::lines, headed, Misframing::headers, "as language servers write them"},
          {Wire::lines, prefixed, Misframing::other_prefix, "a length of 4 bytes where lines are"},
          {Wire::lines, "Up!\n" + kReply + "\n", Misframing::text_then_frame, "4 bytes of text"},
          {Wire::lines, "Up!\n", Misframing::text, "a banner"},
          {Wire::lines, kReply + "\n" + kReply + "\n", Misframing::frame_after, "another frame"},
          {Wire::lines, kReply + "\ndone\n", Misframing::text_after, "text behind it"},
          {Wire::headers, kReply + "\n", Misframing::json_line, "without a Content-Length header"},
          {Wire::headers, prefixed, Misframing::other_prefix, "where headers are agreed"},
          {Wire::headers, "Up!\n" + headed, Misframing::text_then_frame, "4 bytes of text"},
          {Wire::headers, headed + "\n", Misframing::newline_after, "a newline"},
          {Wire::headers, "Content-Length: 17\r\n\r\n" + wide, Misframing::counts_characters,
           "the header says 17, the payload has 18 bytes"},
          {Wire::varint, prefixed, Misframing::other_prefix, "where varints are agreed"},
          {Wire::varint, headed, Misframing::headers, "Content-Length"},
      }));
  CAPTURE(bytes);
  const auto found = suspect({4, 1U << 20U, wire}, bytes);
  REQUIRE(found);
  CHECK(found->kind == kind);
  CHECK_THAT(found->words, Catch::Contains(words));
}

}  // namespace
}  // namespace poolproof::wire
