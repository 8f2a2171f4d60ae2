#include "harness/host/worker.hpp"

#include <array>

#include "harness/host/system.hpp"

namespace poolproof::host {
namespace {

/// What poll(2) says of one descriptor, now.
short poll_now(int fd, short events) {
  std::array<pollfd, 1> fds{{{fd, events, 0}}};
  return sys::poll(fds, Duration::zero()) ? fds[0].revents : short{0};
}

Expected<std::size_t, int> unread_in(int fd) {
  const auto bytes = sys::unread_bytes(fd);
  if (!bytes) return unexpected(bytes.error());
  return static_cast<std::size_t>(*bytes);
}

}  // namespace

Expected<std::size_t, int> Worker::write(std::string_view bytes) {
  return sys::write(stdin_fd(), bytes);
}

Expected<std::size_t, int> Worker::read(std::span<char> into) {
  return sys::read(stdout_fd(), into);
}

Expected<std::size_t, int> Worker::unread() const {
  return unread_in(stdin_fd());
}

bool Worker::nobody_reads() const {
  return (poll_now(stdin_fd(), 0) & POLLERR) != 0;
}

Expected<std::size_t, int> Worker::unread_output() const {
  return unread_in(stdout_fd());
}

bool Worker::output_ended() const {
  const short seen = poll_now(stdout_fd(), POLLIN);
  return (seen & POLLHUP) != 0 && (seen & POLLIN) == 0;
}

Expected<std::size_t, int> Worker::read_stderr(std::span<char> into) {
  return sys::read(stderr_fd(), into);
}

void Worker::signal_group(int signal) {
  (void)sys::signal_group(child_.pid, signal);
}

Expected<std::optional<ExitStatus>, int> Worker::peek_exit() const {
  return sys::peek_exit(pidfd());
}

Expected<void, int> Worker::reap() {
  const auto done = sys::reap(pidfd());
  if (!done) return unexpected(done.error());
  return {};
}

}  // namespace poolproof::host
