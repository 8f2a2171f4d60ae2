#include "harness/sim/pipe.hpp"

#include <algorithm>
#include <cerrno>

#include "harness/base/assert.hpp"

namespace poolproof::sim {

void Pipe::open() {
  bytes_.clear();
  head_ = 0;
  readers_ = 1;
  writers_ = 1;
}

void Pipe::drop_reader() {
  POOLPROOF_ASSERT(readers_ > 0);
  --readers_;
}

void Pipe::drop_writer() {
  POOLPROOF_ASSERT(writers_ > 0);
  --writers_;
}

Expected<std::size_t, int> Pipe::write(std::string_view bytes) {
  if (readers_ == 0) return unexpected(EPIPE);
  const std::size_t room = kCapacity - unread();
  if (room == 0 || (bytes.size() <= kAtomic && bytes.size() > room)) return unexpected(EAGAIN);
  const std::size_t taken = std::min(room, bytes.size());
  if (head_ == bytes_.size() || head_ > kCapacity) {
    bytes_.erase(0, head_);
    head_ = 0;
  }
  bytes_.append(bytes.substr(0, taken));
  return taken;
}

Expected<std::size_t, int> Pipe::read(std::span<char> into) {
  if (unread() == 0 && writers_ > 0) return unexpected(EAGAIN);
  const std::size_t given = std::min(into.size(), unread());
  std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(head_), given, into.begin());
  head_ += given;
  return given;
}

}  // namespace poolproof::sim
