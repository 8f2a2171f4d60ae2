#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "harness/base/result.hpp"

namespace poolproof::sim {

/// A pipe as Linux has it: 64 KiB, end of file only after the last writer has closed, what was
/// written before stays readable, EPIPE without a reader. Source: pipe(7).
class Pipe {
 public:
  static constexpr std::size_t kCapacity = 65'536;
  static constexpr std::size_t kAtomic = 4096;  ///< PIPE_BUF: a write up to this goes in whole

  /// Makes the pipe empty, with one reader and one writer.
  void open();

  void add_reader() { ++readers_; }
  void add_writer() { ++writers_; }
  void drop_reader();
  void drop_writer();

  /// Takes what fits; a write of at most kAtomic bytes is taken whole or not at all. Errors:
  /// EAGAIN (full), EPIPE (nobody reads).
  Expected<std::size_t, int> write(std::string_view bytes);
  /// Gives what is there, at most `into`. 0: empty, and nobody can write any more. EAGAIN: empty.
  Expected<std::size_t, int> read(std::span<char> into);

  [[nodiscard]] std::size_t unread() const { return bytes_.size() - head_; }
  [[nodiscard]] bool readable() const { return unread() > 0 || writers_ == 0; }
  [[nodiscard]] bool writable() const { return readers_ == 0 || unread() + kAtomic <= kCapacity; }
  [[nodiscard]] bool has_reader() const { return readers_ > 0; }
  [[nodiscard]] bool has_writer() const { return writers_ > 0; }

 private:
  std::string bytes_;
  std::size_t head_ = 0;  ///< the first byte that has not been read
  std::uint32_t readers_ = 0;
  std::uint32_t writers_ = 0;
};

}  // namespace poolproof::sim
