#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include "harness/base/clock.hpp"
#include "harness/base/result.hpp"
#include "harness/wire/framing.hpp"

namespace poolproof::wire {

/// Every byte that crosses a pair of streams, in a file for people: when it came, as hex and as
/// text, and where frames begin and break off.
///
///     +12.345 ms  client > worker: frame 1, 4 + 49 bytes
///       00000000  00 00 00 31 7b 22 61 72  67 73 22 3a 7b 7d 2c 22  |...1{"args":{},"|
///
/// Bounded: a file that reaches its limit becomes FILE.1, in the place of the one before.
class WireLog {
 public:
  static constexpr std::uint64_t kLimitBytes = std::uint64_t{64} << 20U;

  enum class Way : std::uint8_t { to_worker, to_client };

  /// The path with each %p in it replaced by the number of the process, so that workers of one
  /// command line have a file each.
  static std::string path_for(std::string path, std::int64_t pid);

  /// Creates the file, or empties it. Times in it count from `start`.
  static Parsed<WireLog> open(const std::string& path, Framing framing, Time start,
                              std::uint64_t limit_bytes = kLimitBytes);

  void note(Way way, std::string_view bytes, Time at);
  /// Goes on with another pair of streams, in the same file.
  void begin(Framing framing);
  /// Writes a remark between the bytes: `the client closed its end`.
  void say(std::string_view what, Time at);
  /// Why nothing is logged any more; empty: all was written.
  [[nodiscard]] const std::string& trouble() const { return trouble_; }

 private:
  /// How far the stream in one direction has come.
  struct Stream {
    std::string head;        ///< what came of a header that has no end yet
    std::uint64_t left = 0;  ///< how many bytes of the current frame are still to come
    std::uint64_t frames = 0;
    std::uint64_t offset = 0;  ///< how many bytes have come in all
    bool in_line = false;      ///< a line has begun and has no end yet
    bool lost = false;
  };
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };

  WireLog(std::string path, Framing framing, Time start, std::uint64_t limit_bytes)
      : path_(std::move(path)), framing_(framing), start_(start), limit_bytes_(limit_bytes) {}

  std::size_t next_part(Stream& stream, std::string_view bytes, std::string& what) const;
  std::size_t part_of_line(Stream& stream, std::string_view bytes, std::string& what) const;
  std::size_t part_of_frame(Stream& stream, std::string_view bytes, std::string& what) const;
  void write(const std::string& text);
  void turn_over();

  std::string path_;
  Framing framing_;
  Time start_;
  std::uint64_t limit_bytes_;
  std::uint64_t written_ = 0;
  std::unique_ptr<std::FILE, Close> file_;
  std::string trouble_;
  std::array<Stream, 2> streams_;
};

}  // namespace poolproof::wire
