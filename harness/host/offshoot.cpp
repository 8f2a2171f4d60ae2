#include "harness/host/offshoot.hpp"

#include <utility>

namespace poolproof::host {

sys::Try<Offshoot> fork_off(const std::function<int(int said)>& body) {
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
  Offshoot offshoot;
  offshoot.pid = *pid;
  auto pidfd = sys::pidfd_open(*pid);
  if (!pidfd) {
    sys::kill_and_reap(*pid);
    return unexpected(pidfd.error());
  }
  offshoot.pidfd = std::move(*pidfd);
  offshoot.said = std::move(said->read_end);
  offshoot.errors = std::move(errors->read_end);
  (void)sys::set_nonblocking(offshoot.said.get());
  (void)sys::set_nonblocking(offshoot.errors.get());
  return offshoot;
}

sys::Try<SharedMemory> SharedMemory::of_size(std::size_t bytes) {
  const auto memory = sys::share_memory(bytes);
  if (!memory) return unexpected(memory.error());
  return SharedMemory(*memory, bytes);
}

SharedMemory::SharedMemory(SharedMemory&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), bytes_(other.bytes_) {}

SharedMemory::~SharedMemory() {
  if (data_ != nullptr) sys::unshare_memory(data_, bytes_);
}

}  // namespace poolproof::host
