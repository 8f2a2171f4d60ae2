#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace poolproof {

/// The last bytes of what a process wrote to stderr. Bounded; not thread-safe.
class Tail {
 public:
  explicit Tail(std::size_t limit_bytes) : limit_(limit_bytes) {}
  void append(std::string_view bytes);
  void clear();
  [[nodiscard]] const std::string& text() const { return text_; }
  [[nodiscard]] std::uint64_t total_bytes() const { return total_; }

 private:
  std::size_t limit_;
  std::string text_;
  std::uint64_t total_ = 0;
};

}  // namespace poolproof
