#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "harness/base/result.hpp"

namespace poolproof::wire {

/// Our ends of one worker's stdin and stdout: pipes of the system, or of the simulator. No call
/// blocks. Errors are errno values; EAGAIN means "not now".
class Stdio {
 public:
  /// Writes as much to the worker's stdin as the pipe takes. EPIPE: nobody reads it any more.
  virtual Expected<std::size_t, int> write(std::string_view bytes) = 0;
  /// Reads what is in the worker's stdout. 0: its end, nobody can write any more.
  virtual Expected<std::size_t, int> read(std::span<char> into) = 0;
  /// How many bytes in stdin the worker has not read yet. Error: the number is not known.
  [[nodiscard]] virtual Expected<std::size_t, int> unread() const = 0;
  /// The worker has closed its stdin: bytes left in the pipe will never be read.
  [[nodiscard]] virtual bool nobody_reads() const = 0;

 protected:
  Stdio() = default;
  Stdio(const Stdio&) = default;
  Stdio& operator=(const Stdio&) = default;
  ~Stdio() = default;
};

}  // namespace poolproof::wire
