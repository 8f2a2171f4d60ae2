#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

/// Each fuzz target defines this function; libFuzzer, or replay.cpp, calls it for one input. It
/// aborts if a property does not hold. Always returns 0.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace poolproof::fuzz {

/// An input of libFuzzer's: first some bytes that make choices, which a person can write as digits,
/// then the text to read.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size)
      : rest_(reinterpret_cast<const char*>(data), size) {}

  /// The next byte as a number from 0 to `count` - 1: '0' is 0, and so on. 0 if no byte is left.
  std::size_t choose(std::size_t count) {
    if (rest_.empty()) return 0;
    const auto digit = static_cast<unsigned char>(rest_.front() - '0');
    rest_.remove_prefix(1);
    return digit % count;
  }

  [[nodiscard]] std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
};

}  // namespace poolproof::fuzz
