#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "harness/base/result.hpp"

namespace poolproof::wire {

/// How a message is marked off in a stream. Each wire has a row in the table of wires.hpp.
enum class Wire : std::uint8_t {
  prefix,    ///< a length of `prefix_bytes`, then the payload: Erlang ports, esbuild, browsers
  varint,    ///< a length as protobuf's varint, then the payload: Bazel, Sass
  lines,     ///< the payload, then a line feed (CR LF is taken, too): MCP, NDJSON
  headers,   ///< `Content-Length: N`, an empty line, then the payload: language servers
  node_ipc,  ///< lines over a socket of their own: child_process.fork() of Node
};

/// How messages are cut out of a stream.
struct Framing {
  /// Size of a length prefix: 4 (an Erlang port's `{packet,4}`), 1, 2 or 8.
  std::uint8_t prefix_bytes = 4;
  /// Counts the payload only. A frame that announces or holds more is an error.
  std::size_t max_frame_bytes = std::size_t{16} << 20U;
  Wire wire = Wire::prefix;
  bool little_endian = false;  ///< the byte order of a length prefix
  bool operator==(const Framing&) const = default;

  [[nodiscard]] bool by_lines() const { return wire == Wire::lines || wire == Wire::node_ipc; }
  /// The largest payload that both the wire and max_frame_bytes allow.
  [[nodiscard]] std::size_t payload_limit() const;
  /// Whether a frame can announce or hold more than payload_limit().
  [[nodiscard]] bool can_be_exceeded() const;
};

/// The largest length that a header of `prefix_bytes` can announce. Requires: 1, 2, 4 or 8.
[[nodiscard]] std::uint64_t largest_length(std::uint8_t prefix_bytes);

/// Why a stream can't be cut any further. Nothing after this point of the stream can be read.
struct FrameError {
  enum class Kind : std::uint8_t {
    zero_length,   ///< an empty payload
    too_large,     ///< above payload_limit()
    too_long,      ///< a header without an end: a varint above 10 bytes, a block above its limit
    no_header,     ///< headers: a line without a colon
    bare_newline,  ///< headers: a line that ends with LF and not with CR LF
    no_length,     ///< headers: no Content-Length among them
    two_lengths,   ///< headers: more than one Content-Length
    no_number,     ///< headers: a Content-Length that is no number, or a negative one
  };
  Kind kind;
  std::uint64_t length = 0;  ///< the length in the header; of a line: how many bytes of it came
  std::string first_bytes;   ///< the header and up to 60 bytes that followed it, raw
  std::string message;  ///< one sentence with the bytes as hex and text, control characters escaped
};

/// What the beginning of a stream says of its first frame.
struct Head {
  enum class State : std::uint8_t { incomplete, whole, broken };
  State state = State::incomplete;
  FrameError::Kind why = FrameError::Kind::zero_length;  ///< if broken: the reason
  /// The size of what stands before the payload, if known.
  std::size_t header_bytes = 0;
  /// If whole, or broken by its size: the payload's size.
  std::uint64_t payload_bytes = 0;
  /// If whole: the size of what stands after the payload.
  std::size_t end_bytes = 0;
};

/// Cuts frames out of bytes that arrive in any chunks. Never keeps more than what has arrived,
/// whatever a header says: the buffer grows with the bytes (by doubling), not with the length
/// announced. A caller that calls next() after each push keeps at most one frame and one read.
/// After an error the decoder stays in error and keeps only the bytes that the error shows.
class FrameDecoder {
 public:
  explicit FrameDecoder(Framing framing) : framing_(framing) {}
  /// Resets the decoder as if it were new, and keeps the memory it has.
  void begin(const Framing& framing) {
    framing_ = framing;
    clear();
  }

  void push(std::string_view bytes);

  /// The next whole payload, valid until the next push() or clear(). Nothing if more input is
  /// needed.
  Expected<std::optional<std::string_view>, FrameError> next();

  /// Whether next() has a payload or an error to give.
  [[nodiscard]] bool ready() const;
  /// Whether next() would have anything to give if only the first `bytes` of the buffer had come.
  [[nodiscard]] bool ready_within(std::size_t bytes) const;

  /// If the next frame is whole and empty, which next() would call an error: skips it, and is true.
  bool skip_empty();

  /// The number of bytes that have arrived and belong to no frame given out yet.
  [[nodiscard]] std::size_t buffered_bytes() const { return buffer_.size() - start_; }
  [[nodiscard]] std::string_view buffered() const {
    return std::string_view(buffer_).substr(start_);
  }

  /// The payload length that the current incomplete frame announces, if its header is whole.
  /// A line announces nothing.
  [[nodiscard]] std::optional<std::uint64_t> announced_bytes() const {
    if (head_.state != Head::State::whole) return std::nullopt;
    return head_.payload_bytes;
  }
  /// The size of the current frame's header, once it is whole; 0 before.
  [[nodiscard]] std::size_t header_bytes() const { return head_.header_bytes; }

  /// How much of the frame under way has come, in words: `3 of 100 bytes`.
  [[nodiscard]] std::string progress() const;

  /// The whole frame that next() gave out last, header and end included; valid as long as its
  /// payload.
  [[nodiscard]] std::string_view last_frame() const { return last_; }

  void clear();

 private:
  void look_at_header();
  [[nodiscard]] bool lost() const { return head_.state == Head::State::broken; }
  [[nodiscard]] std::size_t shown_bytes() const;

  Framing framing_;
  std::string buffer_;
  std::size_t start_ = 0;
  /// How many buffered bytes have been searched in vain for the end of a header or line.
  std::size_t looked_ = 0;
  Head head_;
  std::string_view last_;
};

/// A whole and sound frame at the start of bytes, as views into them.
struct WholeFrame {
  std::string_view payload;  ///< empty: there is no such frame
  std::size_t bytes = 0;     ///< the size of the frame, header and end included
};
WholeFrame whole_frame(const Framing& framing, std::string_view bytes);

/// The payload as a frame. Error: it is empty, over framing.payload_limit(), or the wire can't
/// carry it (in a line: a line break, or CR at the end).
Expected<std::string, std::string> encode_frame(const Framing& framing, std::string_view payload);
/// The error of encode_frame() for a payload that is too large.
std::string too_large(const Framing& framing, std::uint64_t payload_bytes);
/// The header of a payload of `length` bytes; empty on a wire of lines. A prefix too short for the
/// length holds the largest number it can.
std::string header_of(const Framing& framing, std::uint64_t length);
/// A length far too large to be meant: half of the largest that the wire can announce.
std::uint64_t huge_length(const Framing& framing);
/// What stands behind each payload: a line feed on a wire of lines, else nothing.
std::string_view end_of(const Framing& framing);

}  // namespace poolproof::wire
