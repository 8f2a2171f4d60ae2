#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

/// What each target defines and libFuzzer calls, or replay.cpp, for one input. A property that does
/// not hold aborts. Always 0.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace poolproof::fuzz {

/// An input of libFuzzer's: some bytes that choose, so that a person can write them as digits, and
/// then what is read.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size)
      : rest_(reinterpret_cast<const char*>(data), size) {}

  /// The next byte as a number from 0 to `count` - 1: '0' is 0, and so on. 0 once there is none.
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
