#include "harness/wire/misframing.hpp"

#include <ctime>

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
      {reversed_header(kReply.size() - 1) + kReply, Misframing::little_endian,
       "and a wrong one: 39 where the JSON text behind it has 40 bytes"},
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
  const auto [wire, bytes, kind,
              words] = GENERATE_COPY(table<Wire, std::string, Misframing, std::string>({
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
      {Wire::headers, "{\"level\":30}\n" + headed, Misframing::text_then_frame, "13 bytes of text"},
      {Wire::varint, kReply + "\n" + kReply + "\n", Misframing::json_line, "varint length"},
      // The blank in front of the inner object is its length.
      {Wire::varint,
       R"({"error": {"message": "no JSON there...."}})"
       "\n",
       Misframing::json_line, "varint length"},
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

TEST_CASE("misframing: words are no frame where one byte makes a length", "[wire]") {
  const auto wire = GENERATE(Wire::prefix, Wire::varint);
  const Framing framing{1, 1U << 20U, wire};
  const std::string frame = *encode_frame(framing, kReply);
  const auto banner = suspect(framing, "worker ready\n" + frame);
  REQUIRE(banner);
  CHECK(banner->kind == Misframing::text_then_frame);
  CHECK_THAT(banner->words, Catch::Contains("13 bytes of text"));
  REQUIRE(suspect(framing, "INFO\n"));
  CHECK(suspect(framing, "INFO\n")->kind == Misframing::text);
  // What begins as JSON behind its length is a frame that another one has torn.
  const auto torn = suspect(framing, frame.substr(0, 12) + frame + frame.substr(12));
  REQUIRE(torn);
  CHECK(torn->kind == Misframing::frame_inside);
}

TEST_CASE("misframing: each rule of headers has its words", "[wire]") {
  const Framing framing{4, 1U << 20U, Wire::headers};
  const auto [header, kind, words] = GENERATE(table<std::string, Misframing, std::string>({
      {"Content-Length: -1\r\n\r\n", Misframing::bad_header, "not a whole number of bytes: \"Cont"},
      {"content-length: 7\r\nContent-Length: 40\r\n\r\n", Misframing::bad_header,
       "more than one Content-Length"},
      {"Content-Type: x\r\n\r\n", Misframing::bad_header, "without Content-Length"},
      {"Content-Type: x;\r\n y\r\n\r\n", Misframing::bad_header, "goes on in a second line"},
      {"Content-Length: 40\n\n", Misframing::bad_header, "ends with LF"},
      {"Content-Length: 40\r\n" + kReply, Misframing::bad_header,
       "without the empty line (CR LF) that ends it: \"Content-Length: 40\""},
      {"Content-Length: 43\r\n\r\n", Misframing::wrong_length,
       "a length of 43 where the JSON text behind it has 40 bytes"},
      {"Content-Length: 39\r\n\r\n", Misframing::wrong_length, "a length of 39 where"},
      {"Content-Length: 40\r\n\r\nWARN x\n", Misframing::text_inside, "7 bytes of text"},
      {"INFO: up\nContent-Length: 40\r\n\r\n", Misframing::text_then_frame, "9 bytes of text"},
      {"Note: Content-Length: 40\r\n\r\n", Misframing::text_then_frame, "6 bytes of text"},
      {"INFO: up\n", Misframing::text, "a banner"},
  }));
  CAPTURE(header);
  const auto found = suspect(framing, header + kReply);
  REQUIRE(found);
  CHECK(found->kind == kind);
  CHECK_THAT(found->words, Catch::Contains(words));
}

TEST_CASE("misframing: a line that begins as JSON is no banner", "[wire]") {
  const Framing framing{4, 1U << 20U, Wire::lines};
  const auto [bytes, kind, words] = GENERATE(table<std::string, Misframing, std::string>({
      {"{\"v\":NaN}\n", Misframing::broken_json, "not JSON: bare NaN at byte 5"},
      {"{\"v\": \"cut of\n", Misframing::broken_json, "not JSON: "},
      {"{'id': 1}\n", Misframing::broken_json, "a dict as Python prints it"},
      {"{\"a\":1}{\"b\":2}\n", Misframing::several_texts, "more than one JSON text"},
      {"{\"a\":1} done\n", Misframing::broken_json, "not JSON: "},
      {"{\n\"a\":1\n}\n{\n}\n", Misframing::several_lines, "pretty-printed"},
      {"\xef\xbb\xbf{}\n", Misframing::byte_order_mark, "ef bb bf"},
      {"{}\n\n", Misframing::newline_after, "an empty line"},
      {"\n{}\n", Misframing::text_then_frame, "1 bytes of empty lines"},
  }));
  CAPTURE(bytes);
  const auto found = suspect(framing, bytes);
  REQUIRE(found);
  CHECK(found->kind == kind);
  CHECK_THAT(found->words, Catch::Contains(words));
  CHECK_FALSE(suspect(framing, "null\n"));
  CHECK_FALSE(suspect(framing, "[1, 2"));
  CHECK_FALSE(suspect(framing, "{\"a\": 1, \"b"));
}

TEST_CASE("misframing: NULs are named by what they come from", "[wire]") {
  const auto wire = GENERATE(Wire::prefix, Wire::varint, Wire::lines, Wire::headers);
  const Framing framing{4, 1U << 20U, wire};
  const std::string mark = GENERATE(""s, "\xff\xfe"s);
  std::string wide = mark;
  for (const char c : kReply) wide += {c, '\0'};
  for (const std::string& bytes : {wide, *encode_frame(framing, wide)}) {
    const auto found = suspect(framing, bytes);
    REQUIRE(found);
    CHECK(found->kind == Misframing::utf16);
  }
  const auto found = suspect({4, 1U << 20U, Wire::lines}, kReply + '\0');
  REQUIRE(found);
  CHECK_THAT(found->words, Catch::Contains("a NUL behind a JSON text, where a line break"));
}

TEST_CASE("misframing: headers of any name and case may begin a message, and words may not") {
  const Framing framing{4, 1U << 20U, Wire::headers};
  const std::string head = GENERATE("content-length: 9\r\n\r\n", "CONTENT-LENGTH: 9\r\n\r\n",
                                    "X-Trace: 7\r\nContent-Length: 9\r\n\r\n");
  for (std::size_t size = 0; size <= head.size(); ++size)
    CHECK(may_begin_message(framing, head.substr(0, size)));
  for (const char* const words : {"Server up", "ready\n", "[info", "X-Trace: 7\nready\n", "{"})
    CHECK_FALSE(may_begin_message(framing, words));
  // A single word may be a name, but on its own it is told as what it most likely is.
  const auto found = suspect(framing, "ready");
  REQUIRE(found);
  CHECK(found->kind == Misframing::text);
}

TEST_CASE("misframing: a log line is text, whatever it begins with", "[wire]") {
  const auto wire = GENERATE(Wire::prefix, Wire::varint, Wire::lines, Wire::headers);
  const Framing framing{4, 1U << 20U, wire};
  const std::string line =
      GENERATE("[Info] tool called\n", "[2026-01-01 12:00:00] INFO up\n", "[1] started\n",
               "{worker} started\n", "{\"server\" is up\n", "12:00:01 INFO\n", "true story\n");
  CAPTURE(line);
  const auto alone = suspect(framing, line);
  REQUIRE(alone);
  CHECK(alone->kind == Misframing::text);
  CHECK_THAT(alone->words, Catch::Contains("text (a banner or a stray print): \""));
  const auto before = suspect(framing, line + *encode_frame(framing, kReply));
  REQUIRE(before);
  CHECK(before->kind == Misframing::text_then_frame);
  if (framing.by_lines()) CHECK_FALSE(may_begin_message(framing, line.substr(0, line.size() - 1)));
}

TEST_CASE("misframing: a document is found wherever it begins", "[wire]") {
  CHECK(first_document("Loading [x\n{\"a\": \"}\"}\n{}") == "{\"a\": \"}\"}");
  CHECK(first_document("{\"a\": 1").empty());
  CHECK(first_document("").empty());
  CHECK(first_document(std::string(100'000, '[')).empty());
}

TEST_CASE("misframing: what may be said unasked is none of what is looked at", "[wire]") {
  const Framing lines{4, 1U << 20U, Wire::lines};
  const std::string note = R"({"jsonrpc":"2.0","method":"log"})"
                           "\n";
  CHECK(behind_unasked(lines, Speech::mcp, note + note + "up\n") == "up\n");
  CHECK(behind_unasked(lines, Speech::bridge, note + "up\n") == note + "up\n");
  CHECK(behind_unasked(lines, Speech::mcp, note).empty());
}

}  // namespace

namespace {

/// The processor time of looking at what is long, deep or all lines.
std::clock_t time_of_looks(Wire wire, std::size_t length) {
  const Framing framing{4, std::size_t{1} << 24U, wire};
  const std::string size = encode_frame(framing, std::string(4000, 'x')).value().substr(0, 4);
  const std::clock_t begun = std::clock();
  for (const std::string& piece : {std::string("["), std::string("\n"), std::string("\n["),
                                   std::string("\n{\""), std::string("x")}) {
    std::string bytes;
    while (bytes.size() < length) bytes += piece;
    for (int i = 0; i < 3; ++i) {
      (void)suspect(framing, bytes);
      (void)suspect(framing, size + bytes);
      (void)suspect(framing, header_of(framing, bytes.size() - 1) + bytes);
    }
  }
  return std::clock() - begun;
}

}  // namespace

TEST_CASE(
    "wire: misframing: what is long, deep or all lines is told in time linear in its length") {
  const auto wire = GENERATE(Wire::prefix, Wire::varint, Wire::lines, Wire::headers);
  // Where each place was looked at from the beginning, four times the length took sixteen times
  // the time.
  CHECK(time_of_looks(wire, 100'000) < 10 * time_of_looks(wire, 25'000));
}

}  // namespace poolproof::wire
