#include "harness/base/write_file.hpp"

#include <cerrno>
#include <fcntl.h>
#include <system_error>
#include <unistd.h>

#include <fmt/format.h>
#include <sys/stat.h>

#include "harness/base/text.hpp"

namespace poolproof {
namespace {

/// Writes the whole text. Returns 0 or the errno of the first write that failed.
int write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::write(fd, text.data(), text.size());
    if (count < 0 && errno != EINTR) return errno;
    if (count > 0) text.remove_prefix(static_cast<std::size_t>(count));
  }
  return 0;
}

/// Creates the file, writes it, flushes it to the disk if it is to be durable, and closes it.
/// Returns 0 or the errno.
int write_new(const std::string& path, std::string_view text, Durable durable) {
  constexpr mode_t kForAll = 0666;  // the umask takes bits away
  const int fd =
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, kForAll);
  if (fd < 0) return errno;
  int problem = write_all(fd, text);
  if (problem == 0 && durable == Durable::yes && ::fsync(fd) != 0) problem = errno;
  if (::close(fd) != 0 && problem == 0) problem = errno;
  return problem;
}

/// Flushes a folder after a file in it was renamed. A failure is ignored: the file is whole in any
/// case, and some file systems can't flush a folder.
void flush_folder(const std::filesystem::path& folder) {
  const int fd = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  static_cast<void>(::fsync(fd));
  ::close(fd);
}

}  // namespace

Expected<void, std::string> write_file_whole(const std::filesystem::path& path,
                                             std::string_view text, Durable durable) {
  const std::filesystem::path hidden =
      path.parent_path() / fmt::format(".{}.{}.tmp", path.filename().string(), ::getpid());
  // A file of this name can only be left from a killed run that had the same process id.
  ::unlink(hidden.c_str());
  int problem = write_new(hidden.string(), text, durable);
  if (problem == 0 && ::rename(hidden.c_str(), path.c_str()) != 0) problem = errno;
  if (problem == 0) {
    if (durable == Durable::yes) flush_folder(path.parent_path());
    return {};
  }
  ::unlink(hidden.c_str());
  return unexpected(fmt::format("cannot write {}: {}", printable(path.string()),
                                std::system_category().message(problem)));
}

}  // namespace poolproof
