#include "harness/wire/wire_log.hpp"

#include <filesystem>
#include <vector>

#include <catch2/catch.hpp>

#include "harness/base/folder_testing.hpp"
#include "harness/base/read_file.hpp"

using namespace poolproof;
using namespace poolproof::wire;
using namespace std::string_literals;

namespace {

using Way = WireLog::Way;

Time at_us(std::int64_t us) {
  return Time(Duration(us));
}

std::string text_of(const std::string& path) {
  return read_file(path, 1U << 30U, "a log").value();
}

/// The lines without bytes, without their times.
std::string marks(const std::string& text) {
  std::string all;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    if (text[at] == '+')
      all += text.substr(text.find("  ", at) + 2, end + 1 - text.find("  ", at) - 2);
    at = end + 1;
  }
  return all;
}

}  // namespace

TEST_CASE("wire: log: time, way, place, hex and text of every byte") {
  const poolproof::testing::Folder folder;
  const std::string path = folder / "wire";
  WireLog log = WireLog::open(path, {}, at_us(1000)).value();
  log.note(Way::to_worker, "\0\0\0\x13{\"id\":1,\"x\":\"\n\x7f\"}."s, at_us(3500));
  log.say("the client closed its end", at_us(1'001'000));
  CHECK(text_of(path) ==
        "+2.500 ms  client > worker: frame 1, 4 + 19 bytes; 1 to come\n"
        "  00000000  00 00 00 13 7b 22 69 64  22 3a 31 2c 22 78 22 3a  |....{\"id\":1,\"x\":|\n"
        "  00000010  22 0a 7f 22 7d 2e                                 |\"..\"}.|\n"
        "+1000.000 ms  the client closed its end\n");
}

TEST_CASE("wire: log: frames are marked on every wire, however they come") {
  const auto [wire, bytes, lines] = GENERATE(table<Wire, std::vector<std::string>, std::string>({
      {Wire::prefix,
       {"\0\0"s, "\0\x02"s + "a", "b\0\0\0\x01z\0\0\0\0"s, "\0\0\0\x01w"s, "Warning", "more"},
       "worker > client: frame 1, 2 bytes of its header\n"
       "worker > client: frame 1, 4 + 2 bytes; 1 to come\n"
       "worker > client: frame 1, further 1 bytes; 0 to come\n"
       "worker > client: frame 2, 4 + 1 bytes\n"
       "worker > client: NO FRAME: frame length 0 is not allowed: a frame holds at least 1 byte; "
       "first bytes 00 00 00 00 (\"\\x00\\x00\\x00\\x00\")\n"
       "worker > client: frame 3, 4 + 1 bytes\n"
       "worker > client: NO FRAME: frame length 1466004078 is above the limit of 16777216 bytes; "
       "first bytes 57 61 72 6e 69 6e 67 (\"Warning\"); text where a frame should be, most likely "
       "a print or a banner on stdout\n"
       "worker > client: 4 bytes of what is no frame\n"},
      {Wire::lines,
       {"{}\n[", "]", "\n"},
       "worker > client: line 1, 3 bytes\n"
       "worker > client: line 2, 1 bytes, without an end yet\n"
       "worker > client: line 2, further 1 bytes, without an end yet\n"
       "worker > client: line 2, further 1 bytes\n"},
      {Wire::headers,
       {"Content-Length: 2\r\n\r\n{}Content"},
       "worker > client: frame 1, 21 + 2 bytes\n"
       "worker > client: frame 2, 7 bytes of its header\n"},
      {Wire::varint,
       {"\x02"
        "ab\x01"
        "c"},
       "worker > client: frame 1, 1 + 2 bytes\n"
       "worker > client: frame 2, 1 + 1 bytes\n"},
  }));
  CAPTURE(lines);
  const poolproof::testing::Folder folder;
  const std::string path = folder / "wire";
  WireLog log = WireLog::open(path, {.wire = wire}, at_us(0)).value();
  for (const std::string& part : bytes) log.note(Way::to_client, part, at_us(1));
  CHECK(marks(text_of(path)) == lines);
}

TEST_CASE("wire: log: another pair of streams begins at its first frame, on its own wire") {
  const poolproof::testing::Folder folder;
  const std::string path = folder / "wire";
  WireLog log = WireLog::open(path, {}, at_us(0)).value();
  log.note(Way::to_worker, "Warning", at_us(1));
  log.begin({.wire = Wire::lines});
  log.note(Way::to_worker, "{}\n", at_us(1));
  CHECK_THAT(text_of(path), Catch::EndsWith("client > worker: line 1, 3 bytes\n"
                                            "  00000000  7b 7d 0a                           "
                                            "               |{}.|\n"));
}

TEST_CASE("wire: log: a file for each process") {
  CHECK(WireLog::path_for("wire", 7) == "wire");
  CHECK(WireLog::path_for("%p/wire.%p%", 47) == "47/wire.47%");
}

TEST_CASE("wire: log: two files at most, each within its limit, the newest bytes last") {
  const poolproof::testing::Folder folder;
  const std::string path = folder / "wire";
  WireLog log = WireLog::open(path, {}, at_us(0), 1000).value();
  for (int i = 0; i < 100; ++i) log.note(Way::to_worker, "\0\0\0\x01x"s, at_us(i));
  CHECK(std::filesystem::file_size(path) <= 1000);
  CHECK(std::filesystem::file_size(path + ".1") <= 1000);
  CHECK_THAT(text_of(path), Catch::Contains("frame 100, 4 + 1 bytes"));
  CHECK(std::distance(std::filesystem::directory_iterator(folder / ""), {}) == 2);
  CHECK(log.trouble().empty());
}

TEST_CASE("wire: log: a file that can't be written is told once, and nothing breaks") {
  CHECK(WireLog::open("/no/folder/wire", {}, at_us(0)).error().line() ==
        "/no/folder/wire: No such file or directory; a file that can be written");
  WireLog full = WireLog::open("/dev/full", {}, at_us(0)).value();
  full.note(Way::to_worker, "abc", at_us(0));
  CHECK(full.trouble() == "/dev/full: No space left on device");
  full.note(Way::to_worker, "abc", at_us(0));
}
