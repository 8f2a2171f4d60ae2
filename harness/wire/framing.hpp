#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "harness/base/result.hpp"

namespace poolproof::wire {

/// How messages are cut out of a stream: a big-endian length, then that many bytes of payload.
struct Framing {
  std::uint8_t prefix_bytes = 4;  ///< 4 (an Erlang port's `{packet,4}`), 2 or 1
  /// Counts the payload only. A header that announces more is an error.
  std::size_t max_frame_bytes = std::size_t{16} << 20U;
  bool operator==(const Framing&) const = default;

  /// The largest payload that both the prefix and max_frame_bytes allow.
  [[nodiscard]] std::size_t payload_limit() const;
  /// Whether a header can announce more than payload_limit().
  [[nodiscard]] bool can_be_exceeded() const;
};

/// The largest length that a header of `prefix_bytes` can announce. Requires: 1, 2 or 4.
[[nodiscard]] std::uint64_t largest_length(std::uint8_t prefix_bytes);

/// Why a stream can't be cut any further. Nothing after this point of the stream can be read.
struct FrameError {
  enum class Kind : std::uint8_t { zero_length, too_large };
  Kind kind;
  std::uint64_t length = 0;  ///< what the header says
  std::string first_bytes;   ///< the header and up to 60 bytes that followed it, raw
  std::string message;  ///< one sentence with the bytes as hex and text, control characters escaped
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

  /// The number of bytes that have arrived and belong to no frame given out yet.
  [[nodiscard]] std::size_t buffered_bytes() const { return buffer_.size() - start_; }
  [[nodiscard]] std::string_view buffered() const {
    return std::string_view(buffer_).substr(start_);
  }

  /// The payload length that the current incomplete frame announces, if its header is whole.
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

/// The payload of the frame at the start of `bytes`, as a view into them. Empty if there is no
/// whole and sound frame.
std::string_view whole_frame(const Framing& framing, std::string_view bytes);

/// Header and payload as one string. Error: the payload is empty or over framing.payload_limit().
Expected<std::string, std::string> encode_frame(const Framing& framing, std::string_view payload);
/// The same for a payload that already stands behind the room for its header.
Expected<std::string, std::string> seal_frame(const Framing& framing, std::string frame);
/// Writes a length into the first prefix_bytes of `frame`. Requires: it fits in them.
void put_length(const Framing& framing, std::uint64_t length, std::string& frame);

}  // namespace poolproof::wire
