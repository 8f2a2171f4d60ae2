#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "harness/wire/framing.hpp"

namespace poolproof::wrap {

/// A piece of a stream, as it came.
struct Piece {
  std::string_view bytes;  ///< empty: there is no whole piece yet
  /// The payload within the bytes of a frame; empty: the bytes are no frame
  std::string_view payload;
  /// At the first bytes that break the wire: the rule that they break, and the bytes
  std::string complaint;
};

/// Cuts a stream into frames and loses no byte of it: what is no frame comes out as it is. A broken
/// line is one piece, and the line after it is looked at again. On other wires, nothing behind the
/// first break can be recognised, and all of it comes out as it arrives.
///
/// Keeps at most one frame, its header, and what was pushed since.
class Cutter {
 public:
  explicit Cutter(wire::Framing framing) : framing_(framing) {}

  void push(std::string_view bytes);
  /// The next piece, valid until the next push().
  Piece next();
  /// What came of a frame that can't become whole any more.
  Piece rest();

  [[nodiscard]] std::size_t buffered_bytes() const { return buffer_.size() - start_; }
  /// How many more bytes reach to the end of a header or of a frame, and no further: at least 1.
  [[nodiscard]] std::size_t to_next_end() const;

 private:
  [[nodiscard]] std::string_view buffered() const {
    return std::string_view(buffer_).substr(start_);
  }
  Piece take(std::size_t bytes);
  Piece broken();
  Piece of_long_line();

  wire::Framing framing_;
  std::string buffer_;
  std::size_t start_ = 0;
  std::size_t looked_ = 0;
  wire::Head head_;
  bool lost_ = false;
  bool in_long_line_ = false;
};

}  // namespace poolproof::wrap
