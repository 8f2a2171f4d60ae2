#include "harness/base/text.hpp"

#include <array>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

using namespace poolproof;
using namespace std::string_literals;

TEST_CASE("base: text: what is unsafe on a terminal is escaped, what a person can read stays") {
  struct Row {
    std::string bytes;
    std::string shown;
  };
  const std::vector<Row> rows = {
      {"", ""},
      {"plain text 09 ~", "plain text 09 ~"},
      {"a\nb\tc\rd\\e", R"(a\nb\tc\rd\\e)"},
      {"\0\x07\x7f"s, R"(\x00\x07\x7f)"},
      {"\x1b[31mred\x1b[0m", R"(\x1b[31mred\x1b[0m)"},
      {"\x1b]0;title\x07", R"(\x1b]0;title\x07)"},
      {"Grüße 日本 🐍", "Grüße 日本 🐍"},
      {"\xc2\x85 \xc2\x9b", R"(\xc2\x85 \xc2\x9b)"},               // C1: next line, CSI
      {"\xe2\x80\xaa", R"(\xe2\x80\xaa)"},                         // U+202A, bidi embedding
      {"\xe2\x80\xae", R"(\xe2\x80\xae)"},                         // U+202E, bidi override
      {"\xe2\x81\xa6", R"(\xe2\x81\xa6)"},                         // U+2066, bidi isolate
      {"\xe2\x81\xa9", R"(\xe2\x81\xa9)"},                         // U+2069, its end
      {"\xe2\x80\xa8", R"(\xe2\x80\xa8)"},                         // U+2028, line separator
      {"\xe2\x80\x8b", R"(\xe2\x80\x8b)"},                         // U+200B, zero width
      {"\xef\xbb\xbfx", R"(\xef\xbb\xbfx)"},                       // byte order mark
      {"\xe2\x80\xa7 \xe2\x80\xaf", "\xe2\x80\xa7 \xe2\x80\xaf"},  // U+2027, U+202F: the neighbours
      {"\x80", R"(\x80)"},                                         // continuation without a lead
      {"\xff\xfe", R"(\xff\xfe)"},                                 // never in UTF-8
      {"\xc3(", R"(\xc3()"},                                       // lead without continuation
      {"\xe6\x97", R"(\xe6\x97)"},                                 // cut short
      {"\xc0\xaf", R"(\xc0\xaf)"},                                 // overlong slash, 2 bytes
      {"\xc1\xbf", R"(\xc1\xbf)"},                                 // overlong, 2 bytes
      {"\xe0\x80\xaf", R"(\xe0\x80\xaf)"},                         // overlong slash, 3 bytes
      {"\xe0\x9f\xbf", R"(\xe0\x9f\xbf)"},                         // the last overlong of 3 bytes
      {"\xe0\xa0\x80", "\xe0\xa0\x80"},                            // the first of 3 bytes
      {"\xf0\x80\x80\xaf", R"(\xf0\x80\x80\xaf)"},                 // overlong slash, 4 bytes
      {"\xed\xa0\x80", R"(\xed\xa0\x80)"},                         // surrogate
      {"\xf4\x90\x80\x80", R"(\xf4\x90\x80\x80)"},                 // above U+10FFFF
      {"\xf5\x80\x80\x80", R"(\xf5\x80\x80\x80)"},                 // lead above all codes
      {"\xef\xbf\xbf", R"(\xef\xbf\xbf)"},                         // noncharacter U+FFFF
      {"\xf3\xa0\x80\xa1", R"(\xf3\xa0\x80\xa1)"},                 // tag character
  };
  for (const Row& row : rows) CHECK(printable(row.bytes) == row.shown);
}

TEST_CASE("base: text: every single byte gives visible ASCII") {
  for (int byte = 0; byte < 256; ++byte) {
    for (const char c : printable(std::string(1, static_cast<char>(byte)))) {
      CHECK((c >= 0x20 && c <= 0x7e));
    }
  }
}

TEST_CASE("base: text: a long text is cut at the limit and says how long it is") {
  CHECK(printable("abcdef", 6) == "abcdef");
  CHECK(printable("abcdefg", 6) == "abcdef... (7 bytes)");
  CHECK(printable("abc", 0) == "... (3 bytes)");
  CHECK(printable("", 0).empty());
  CHECK(printable("abcd日", 6) == "abcd... (7 bytes)");
  CHECK(printable(std::string(1000, '\n'), 2) == R"(\n\n... (1000 bytes))");
}

TEST_CASE("base: text: lines stay lines, everything else is escaped as in one line") {
  CHECK(printable_lines("a\nb\r\n\x1b[1m\tc\n") == "a\nb\\r\n\\x1b[1m\\tc\n");
  CHECK(printable_lines("a\nb", 2) == "a\n... (3 bytes)");
}

TEST_CASE("base: text: bytes are shown as hex and as text") {
  CHECK(hex_and_text("Warn") == R"(57 61 72 6e ("Warn"))");
  CHECK(hex_and_text("\0\x01\xff"s) == R"(00 01 ff ("\x00\x01\xff"))");
  CHECK(hex_and_text("") == "(no bytes)");
  CHECK(hex_and_text("Warning", 4) == R"(57 61 72 6e ("Warn", 7 bytes in all))");
}

TEST_CASE("base: text: a banner is text, frames and other binary bytes are not") {
  CHECK(is_text("Loading model...\n"));
  CHECK(is_text("\xef\xbb\xbfLoading"));
  CHECK(is_text("\x1b[32mready\x1b[0m\r\n"));
  CHECK(is_text("Grüße"));
  CHECK(is_text("Gr\xc3"));
  CHECK(is_text("{\"id\":0}"));
  CHECK_FALSE(is_text(""));
  CHECK_FALSE(is_text("\xef\xbb\xbf"));
  CHECK_FALSE(is_text("\0\0\0\x08{\"id\":0}"s));
  CHECK_FALSE(is_text("text\0"s));
  CHECK_FALSE(is_text("\x83h\x02"));
  CHECK_FALSE(is_text("Gr\xc3("));
  CHECK_FALSE(is_text("a\xe2\x80\xae"));
}

TEST_CASE("base: text: the distance of two names counts bytes to insert, remove or replace") {
  CHECK(edit_distance("", "") == 0);
  CHECK(edit_distance("", "abc") == 3);
  CHECK(edit_distance("abc", "") == 3);
  CHECK(edit_distance("sise", "size") == 1);
  CHECK(edit_distance("kitten", "sitting") == 3);
  CHECK(edit_distance("flaw", "lawn") == 2);
  CHECK(edit_distance(std::string(1 << 20, 'a'), "a") == 1 << 20);
}

TEST_CASE("base: text: a typing error finds its name, a strange word finds none") {
  const std::vector<std::string> names = {"size", "overflow", "checkout_timeout_ms"};
  CHECK(nearest("sise", names) == "size");
  CHECK(nearest("chekout_timeout", names) == "checkout_timeout_ms");
  CHECK(nearest("xyzzy", names).empty());
  CHECK(did_you_mean("sise", names) == "did you mean \"size\"?");
  CHECK(did_you_mean("xyzzy", names).empty());
  CHECK(nearest("cuase", std::array<std::string_view, 2>{"phase", "cause"}) == "cause");
  CHECK(nearest("overfow", std::array<std::string_view, 2>{"size", "overflow"}) == "overflow");
}
