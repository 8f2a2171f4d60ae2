#include "harness/wire/framing.hpp"

#include <string>
#include <vector>

#include <catch2/catch.hpp>

using namespace poolproof;
using namespace poolproof::wire;
using namespace std::string_literals;

namespace {

const Framing kFour{4, 1000};
const Framing kTwo{2, 1000};
const Framing kOne{1, 1000};

/// The decoder's answer to bytes that arrive in one read.
Expected<std::optional<std::string>, FrameError> decode(const Framing& framing,
                                                        std::string_view bytes) {
  FrameDecoder decoder(framing);
  decoder.push(bytes);
  return decoder.next().map([](const auto& payload) {
    return payload ? std::optional(std::string(*payload)) : std::nullopt;
  });
}

}  // namespace

TEST_CASE("wire: framing: a frame has the bytes that the protocol page shows") {
  const std::string golden = "\x00\x00\x00\x08\x7b\x22\x69\x64\x22\x3a\x30\x7d"s;
  CHECK(encode_frame(Framing{}, R"({"id":0})").value() == golden);
  CHECK(decode(Framing{}, golden).value() == R"({"id":0})");
}

TEST_CASE("wire: framing: the length is big-endian in as many bytes as the prefix has") {
  CHECK(encode_frame(kFour, std::string(258, 'x')).value().substr(0, 5) == "\x00\x00\x01\x02x"s);
  CHECK(encode_frame(kTwo, std::string(258, 'x')).value().substr(0, 3) == "\x01\x02x"s);
  CHECK(encode_frame(kOne, std::string(255, 'x')).value().substr(0, 2) == "\xffx"s);
}

TEST_CASE("wire: framing: the largest payload is what both the prefix and the limit allow") {
  CHECK(Framing{4, 1000}.payload_limit() == 1000);
  CHECK(Framing{4, SIZE_MAX}.payload_limit() == 0xffffffff);
  CHECK(Framing{2, SIZE_MAX}.payload_limit() == 0xffff);
  CHECK(Framing{2, 1000}.payload_limit() == 1000);
  CHECK(Framing{1, 1000}.payload_limit() == 255);
  CHECK(Framing{4, 0xfffffffe}.can_be_exceeded());
  CHECK_FALSE(Framing{4, 0xffffffff}.can_be_exceeded());
  CHECK(Framing{1, 254}.can_be_exceeded());
  CHECK_FALSE(Framing{1, 255}.can_be_exceeded());
}

TEST_CASE("wire: framing: what fits in no frame is not encoded") {
  CHECK(encode_frame(kFour, "").error() == "the payload is empty; a frame holds at least 1 byte");
  CHECK(encode_frame(kFour, std::string(1000, 'x')).has_value());
  CHECK(encode_frame(kFour, std::string(1001, 'x')).error() ==
        "the payload of 1001 bytes is above the limit of 1000 bytes");
  CHECK(encode_frame(kOne, std::string(255, 'x')).has_value());
  CHECK_FALSE(encode_frame(kOne, std::string(256, 'x')).has_value());
}

TEST_CASE("wire: framing: a header that can't be right is an error that shows the bytes") {
  struct Row {
    Framing framing;
    std::string bytes;
    FrameError::Kind kind;
    std::uint64_t length;
    std::string message;
  };
  const auto zero = FrameError::Kind::zero_length;
  const auto large = FrameError::Kind::too_large;
  const std::vector<Row> rows = {
      {Framing{}, "Warning", large, 1466004078,
       "frame length 1466004078 is above the limit of 16777216 bytes; first bytes 57 61 72 6e 69 "
       "6e 67 (\"Warning\"); text where a frame should be, most likely a print or a banner on "
       "stdout"},
      {Framing{}, R"({"id)", large, 2065852772,
       "frame length 2065852772 is above the limit of 16777216 bytes; first bytes 7b 22 69 64 "
       "(\"{\"id\"); most likely JSON without its 4-byte length prefix"},
      {kFour, "\x00\x00\x00\x00{}"s, zero, 0,
       "frame length 0 is not allowed: a frame holds at least 1 byte; first bytes 00 00 00 00 7b "
       "7d (\"\\x00\\x00\\x00\\x00{}\")"},
      {kFour, "\x08\x00\x00\x00"s, large, 134217728,
       "frame length 134217728 is above the limit of 1000 bytes; first bytes 08 00 00 00 "
       "(\"\\x08\\x00\\x00\\x00\")"},
      {kFour, "\x00\x00\x03\xe9"s, large, 1001,
       "frame length 1001 is above the limit of 1000 bytes; first bytes 00 00 03 e9 "
       "(\"\\x00\\x00\\x03\\xe9\")"},
      {kFour, "\xff\xff\xff\xff"s, large, 4294967295,
       "frame length 4294967295 is above the limit of 1000 bytes; first bytes ff ff ff ff "
       "(\"\\xff\\xff\\xff\\xff\")"},
      {kTwo, "\x00\x00"s, zero, 0,
       "frame length 0 is not allowed: a frame holds at least 1 byte; first bytes 00 00 "
       "(\"\\x00\\x00\")"},
      {kOne, "\x00"s, zero, 0,
       "frame length 0 is not allowed: a frame holds at least 1 byte; first bytes 00 (\"\\x00\")"},
  };
  for (const Row& row : rows) {
    const auto decoded = decode(row.framing, row.bytes);
    REQUIRE_FALSE(decoded.has_value());
    CHECK(decoded.error().kind == row.kind);
    CHECK(decoded.error().length == row.length);
    CHECK(decoded.error().first_bytes == row.bytes);
    CHECK(decoded.error().message == row.message);
  }
}

TEST_CASE("wire: framing: an error shows the header and 60 bytes, keeps no more, and stays") {
  FrameDecoder decoder(kFour);
  const std::string banner = "Loading the model, please wait: " + std::string(5000, '.');
  decoder.push(banner);
  for (int again = 0; again < 3; ++again) {
    const auto decoded = decoder.next();
    REQUIRE_FALSE(decoded.has_value());
    CHECK(decoded.error().first_bytes == banner.substr(0, 64));
    CHECK(decoder.buffered_bytes() == 64);
    decoder.push("\x00\x00\x00\x01x"s);
    CHECK(decoder.buffered_bytes() == 64);
  }
}

TEST_CASE("wire: framing: an incomplete frame says what it announces") {
  FrameDecoder decoder(kFour);
  CHECK_FALSE(decoder.announced_bytes().has_value());
  decoder.push("\x00\x00\x00"s);
  CHECK_FALSE(decoder.announced_bytes().has_value());
  CHECK(decoder.next().value() == std::nullopt);
  decoder.push("\x05");
  CHECK(decoder.announced_bytes() == 5);
  decoder.push("1234");
  CHECK(decoder.next().value() == std::nullopt);
  CHECK(decoder.buffered() == "\x00\x00\x00\x05\x31\x32\x33\x34"s);
  decoder.push("5\x00"s);
  CHECK(decoder.next().value() == "12345");
  CHECK(decoder.buffered() == "\x00"s);
  decoder.clear();
  CHECK(decoder.buffered_bytes() == 0);
  decoder.push("\x00\x00\x00\x01x"s);
  CHECK(decoder.next().value() == "x");
}

TEST_CASE("wire: framing: a frame of 50 MB comes through in pieces of 64 KiB") {
  const Framing framing{4, std::size_t{64} << 20U};
  std::string payload;
  payload.resize(50'000'000, 'x');
  const std::string frame = encode_frame(framing, payload).value();
  FrameDecoder decoder(framing);
  for (std::size_t at = 0; at < frame.size(); at += 65536) {
    REQUIRE(decoder.next().value() == std::nullopt);
    decoder.push(std::string_view(frame).substr(at, 65536));
  }
  CHECK((decoder.next().value() == payload));
  CHECK(decoder.buffered_bytes() == 0);
}

TEST_CASE("wire: framing: a million frames in one read cost time in proportion") {
  std::string stream;
  for (int i = 0; i < 1'000'000; ++i) stream += "\x01x";
  FrameDecoder decoder(kOne);
  decoder.push(stream);
  int frames = 0;
  while (decoder.next().value()) {
    ++frames;
    decoder.push("");
  }
  CHECK(frames == 1'000'000);
}
