#pragma once

#include <cstddef>
#include <functional>
#include <memory>

#include <sys/types.h>

#include "harness/host/descriptor.hpp"
#include "harness/host/system.hpp"

namespace poolproof::host {

/// A copy of this process, made to try what may crash or never end. It is killed when we end.
struct ForkedChild {
  pid_t pid = -1;
  Descriptor pidfd;
  Descriptor said;    ///< what its body writes, non-blocking
  Descriptor errors;  ///< its stderr (an assert's last words), non-blocking
};

/// Forks; the copy runs `body`, which gets a descriptor to write to, and exits with its result.
/// Requires: this process has one thread. The copy must be reaped (sys::reap).
sys::Try<ForkedChild> fork_child(const std::function<int(int said)>& body);

/// Memory, all zero, that this process and every copy made of it later share; freed with it.
class SharedMemory {
 public:
  static sys::Try<SharedMemory> of_size(std::size_t bytes);

  [[nodiscard]] void* data() const { return data_.get(); }

 private:
  struct Unmap {
    std::size_t bytes;
    void operator()(void* data) const;
  };
  SharedMemory(void* data, std::size_t bytes) : data_(data, Unmap{bytes}) {}

  std::unique_ptr<void, Unmap> data_;
};

}  // namespace poolproof::host
