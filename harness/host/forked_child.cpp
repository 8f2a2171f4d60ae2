#include "harness/host/forked_child.hpp"

#include <cerrno>
#include <utility>

#include <sys/mman.h>

namespace poolproof::host {

sys::Try<ForkedChild> fork_child(const std::function<int(int said)>& body) {
  auto said = sys::pipe();
  if (!said) return unexpected(said.error());
  auto errors = sys::pipe();
  if (!errors) return unexpected(errors.error());
  const auto pid = sys::fork_copy(errors->write_end.get());
  if (!pid) return unexpected(pid.error());
  if (*pid == 0) {
    said->read_end.reset();
    errors->read_end.reset();
    errors->write_end.reset();
    sys::leave_copy(body(said->write_end.get()));
  }
  ForkedChild child;
  child.pid = *pid;
  auto pidfd = sys::pidfd_open(*pid);
  if (!pidfd) {
    sys::kill_and_reap(*pid);
    return unexpected(pidfd.error());
  }
  child.pidfd = std::move(*pidfd);
  child.said = std::move(said->read_end);
  child.errors = std::move(errors->read_end);
  (void)sys::set_nonblocking(child.said.get());
  (void)sys::set_nonblocking(child.errors.get());
  return child;
}

sys::Try<SharedMemory> SharedMemory::of_size(std::size_t bytes) {
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return unexpected(errno);
  return SharedMemory(memory, bytes);
}

void SharedMemory::Unmap::operator()(void* data) const {
  ::munmap(data, bytes);
}

}  // namespace poolproof::host
