#include "harness/host/worker.hpp"

#include <array>
#include <cerrno>

#include "harness/host/system.hpp"

namespace poolproof::host {

Expected<std::size_t, int> Worker::write(std::string_view bytes) {
  return sys::write(stdin_fd(), bytes);
}

Expected<std::size_t, int> Worker::read(std::span<char> into) {
  return sys::read(stdout_fd(), into);
}

Expected<std::size_t, int> Worker::unread() const {
  const auto bytes = sys::unread_bytes(stdin_fd());
  if (!bytes) return unexpected(bytes.error());
  return static_cast<std::size_t>(*bytes);
}

bool Worker::nobody_reads() const {
  std::array<pollfd, 1> fds{{{stdin_fd(), 0, 0}}};
  const auto ready = sys::poll(fds, Duration::zero());
  return ready && (fds[0].revents & POLLERR) != 0;
}

bool Worker::drain_stderr() {
  std::array<char, 16384> chunk{};
  // Bounded: a worker that floods its stderr must not keep the caretaker from the others.
  for (int rounds = 0; rounds < 8; ++rounds) {
    const auto got = sys::read(stderr_fd(), chunk);
    if (!got) return got.error() == EAGAIN;
    if (*got == 0) return false;
    const std::lock_guard lock(mutex_);
    tail_.append(std::string_view(chunk.data(), *got));
  }
  return true;
}

std::string Worker::stderr_tail() const {
  const std::lock_guard lock(mutex_);
  return tail_.text();
}

void Worker::publish(ExitStatus exit) {
  const std::lock_guard lock(mutex_);
  exit_ = exit;
  ended_.notify_all();
}

std::optional<PostMortem> Worker::post_mortem() const {
  const std::lock_guard lock(mutex_);
  if (!exit_) return std::nullopt;
  return PostMortem{*exit_, tail_.text()};
}

std::optional<PostMortem> Worker::wait_for_end(Duration limit) const {
  std::unique_lock lock(mutex_);
  if (!ended_.wait_for(lock, limit, [this] { return exit_.has_value(); })) return std::nullopt;
  return PostMortem{*exit_, tail_.text()};
}

}  // namespace poolproof::host
