#include "harness/wrap/pump.hpp"

#include <cerrno>
#include <string_view>

namespace poolproof::wrap {
namespace {

constexpr std::size_t kMostBytes = std::size_t{1} << 20U;
constexpr std::size_t kBufferBytes = std::size_t{256} << 10U;
/// A move of fewer bytes has most likely taken all that was there.
constexpr std::size_t kMuchBytes = std::size_t{32} << 10U;

}  // namespace

std::array<pollfd, 2> Pump::waits_for() const {
  if (over()) return {{{-1, 0, 0}, {-1, 0, 0}}};
  // Even without events to wait for, poll reports when the other end is gone.
  return {{{full_ ? -1 : from_.fd(), POLLIN, 0},
           {to_.fd(), static_cast<short>(full_ ? POLLOUT : 0), 0}}};
}

void Pump::go_on(std::span<const pollfd> said) {
  if (over()) return;
  const bool gone = (said[1].revents & (POLLERR | POLLNVAL)) != 0 ||
                    (to_.kind() == sys::Kind::socket && (said[1].revents & POLLHUP) != 0);
  if (gone) return close();
  if (said[0].revents != 0 || (full_ && said[1].revents != 0)) {
    while (move()) {
    }
  }
}

void Pump::drain() {
  full_ = false;
  while (!over() && !full_) {
    const bool ready = held_ > 0 || host::sys::poll_one(from_.fd(), POLLIN) != 0;
    if (!ready) return;
    move();
  }
}

/// Moves bytes inside the system. True: there may be more.
bool Pump::splice_some() {
  const auto moved = sys::splice(from_, to_, kMostBytes);
  if (moved && *moved > 0) {
    full_ = false;
    return *moved >= kMuchBytes;
  }
  if (!moved && moved.error() == EINVAL) {
    splices_ = false;
    return true;
  }
  if (!moved && moved.error() == EAGAIN) {
    full_ = host::sys::poll_one(to_.fd(), POLLOUT) == 0;
  } else {
    close();
  }
  return false;
}

bool Pump::copy_some() {
  if (held_ == 0) {
    if (buffer_.empty()) buffer_.resize(kBufferBytes);
    const auto got = from_.read(buffer_);
    if (!got && got.error() == EAGAIN) return false;
    if (!got || *got == 0) {
      close();
      return false;
    }
    begun_ = 0;
    held_ = *got;
    to_.pass(from_.take_passed());
  }
  const auto wrote = to_.write(std::string_view(buffer_).substr(begun_, held_));
  full_ = !wrote && wrote.error() == EAGAIN;
  if (!wrote && !full_) close();
  if (!wrote) return false;
  begun_ += *wrote;
  held_ -= *wrote;
  full_ = held_ > 0;
  return begun_ >= kMuchBytes;
}

void Pump::close() {
  from_.close();
  to_.close();
}

}  // namespace poolproof::wrap
