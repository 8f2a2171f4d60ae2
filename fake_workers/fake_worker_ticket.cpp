#include "fake_workers/fake_worker_ticket.hpp"

#include <fcntl.h>
#include <unistd.h>

namespace poolproof::faults {

std::optional<std::uint32_t> draw_ticket(const std::string& path) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (fd < 0) return std::nullopt;
  // An appending write takes its place in the file and moves the offset behind itself in one step.
  const bool drawn = ::write(fd, ".", 1) == 1;
  const off_t behind = drawn ? ::lseek(fd, 0, SEEK_CUR) : 0;
  ::close(fd);
  if (behind < 1) return std::nullopt;
  return static_cast<std::uint32_t>(behind - 1);
}

}  // namespace poolproof::faults
