#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "harness/base/result.hpp"

namespace poolproof::wire {

/// How one message is cut out of the stream: a big-endian length, then that many bytes of payload.
struct Framing {
  std::uint8_t prefix_bytes = 4;  ///< 4 (an Erlang port's `{packet,4}`), 2 or 1
  /// Payload only; a header that announces more is an error.
  std::size_t max_frame_bytes = std::size_t{16} << 20U;
  bool operator==(const Framing&) const = default;

  /// The largest payload that both the prefix and max_frame_bytes allow.
  [[nodiscard]] std::size_t payload_limit() const;
  /// A header can announce more than that.
  [[nodiscard]] bool can_be_exceeded() const;
};

/// What a header of so many bytes can say at most. Requires: 1, 2 or 4.
[[nodiscard]] std::uint64_t largest_length(std::uint8_t prefix_bytes);

/// Why a stream can't be cut any further. The stream is lost from here on.
struct FrameError {
  enum class Kind : std::uint8_t { zero_length, too_large };
  Kind kind;
  std::uint64_t length = 0;  ///< what the header says
  std::string first_bytes;   ///< the header and up to 60 bytes that followed it, raw
  std::string message;  ///< one sentence with the bytes as hex and text, control characters escaped
};

/// Cuts frames out of bytes that come in any chunks. Never keeps more than what has arrived,
/// whatever a header says: the buffer grows with the bytes that come (by doubling), not with the
/// length announced. Who calls next() after each push keeps at most one frame and one read. After
/// an error it stays in error, and keeps only the bytes that the error shows.
class FrameDecoder {
 public:
  explicit FrameDecoder(Framing framing) : framing_(framing) {}
  /// As if it were made anew, in the memory that it has.
  void begin(const Framing& framing) {
    framing_ = framing;
    clear();
  }

  void push(std::string_view bytes);

  /// The next whole payload, which stands until the next push() or clear(); nothing if more input
  /// is needed; or the error.
  Expected<std::optional<std::string_view>, FrameError> next();

  /// Bytes that arrived and belong to no frame given out yet.
  [[nodiscard]] std::size_t buffered_bytes() const { return buffer_.size() - start_; }
  [[nodiscard]] std::string_view buffered() const {
    return std::string_view(buffer_).substr(start_);
  }

  /// The payload length the current incomplete frame announces, if its header is whole.
  [[nodiscard]] std::optional<std::uint64_t> announced_bytes() const { return announced_; }

  void clear();

 private:
  void look_at_header();
  [[nodiscard]] bool lost() const;  ///< the next header is an error
  [[nodiscard]] std::size_t shown_bytes() const;

  Framing framing_;
  std::string buffer_;
  std::size_t start_ = 0;
  std::optional<std::uint64_t> announced_;
};

/// The payload of the frame that `bytes` begin with, in them; empty: there is no whole and sound
/// one.
std::string_view whole_frame(const Framing& framing, std::string_view bytes);

/// Header and payload as one string. Error: the payload is empty or over framing.payload_limit().
Expected<std::string, std::string> encode_frame(const Framing& framing, std::string_view payload);
/// The same of a payload that stands behind the room for its header already.
Expected<std::string, std::string> seal_frame(const Framing& framing, std::string frame);
/// Writes a length into the first prefix_bytes of `frame`. Requires: it fits in them.
void put_length(const Framing& framing, std::uint64_t length, std::string& frame);

}  // namespace poolproof::wire
