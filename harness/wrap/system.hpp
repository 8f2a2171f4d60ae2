#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <signal.h>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/types.h>

#include "harness/base/outcome.hpp"
#include "harness/host/child.hpp"
#include "harness/host/descriptor.hpp"
#include "harness/host/system.hpp"

/// What wrap asks of the system beside host/system.hpp: to stand in for a process, and to have one
/// stand below it in just the same way.
namespace poolproof::wrap::sys {

using host::Descriptor;
template <class T>
using Try = host::sys::Try<T>;

/// The number of a descriptor that is a socket, as a variable says it.
std::optional<int> socket_called(const char* text);

enum class Kind : std::uint8_t { pipe, socket, other };

/// One end of a stream, close-on-exec, that never blocks who reads or writes it and leaves the
/// flags of everybody else's ends alone. Errors: EAGAIN, and EPIPE for who writes.
class Stream {
 public:
  Stream() = default;
  Stream(Descriptor fd, Kind kind, bool reads) : fd_(std::move(fd)), kind_(kind), reads_(reads) {}
  Stream(Stream&&) noexcept = default;
  Stream& operator=(Stream&& other) noexcept {
    close();
    fd_ = std::move(other.fd_);
    kind_ = other.kind_;
    reads_ = other.reads_;
    own_file_ = other.own_file_;
    passed_ = std::move(other.passed_);
    return *this;
  }
  ~Stream() { close(); }

  /// One of our own standard streams; /dev/null takes its place.
  static Try<Stream> take(int standard_fd, bool reads);
  /// One half of a socket that is both; another one's is left to it.
  static Try<Stream> half_of(int socket_fd, bool reads);

  [[nodiscard]] Try<std::size_t> read(std::span<char> into);
  [[nodiscard]] Try<std::size_t> write(std::string_view bytes);
  /// Descriptors that came with what was read since the last call, and that go with what is written
  /// next: over a socket a process may pass them on to another.
  std::vector<Descriptor> take_passed() { return std::exchange(passed_, {}); }
  void pass(std::vector<Descriptor> passed);
  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] Kind kind() const { return kind_; }
  explicit operator bool() const { return static_cast<bool>(fd_); }
  void close();

 private:
  Descriptor fd_;
  Kind kind_ = Kind::other;
  bool reads_ = false;
  bool own_file_ = true;  ///< so that it may be made not to block
  std::vector<Descriptor> passed_;
};

/// Moves bytes from pipe to pipe inside the system. 0: end of input.
Try<std::size_t> splice(const Stream& from, const Stream& to, std::size_t most);

/// The signals that ask a process for something, held back from now on and read instead.
class Signals {
 public:
  /// Also: a broken pipe is an error value from now on.
  static Try<Signals> hold();
  Signals() = default;
  struct Came {
    int number = 0;
    bool from_terminal = false;  ///< the whole group has it
  };
  [[nodiscard]] std::optional<Came> next() const;
  [[nodiscard]] int fd() const { return fd_.get(); }
  /// As they were before: for a copy of this process.
  void restore() const;

 private:
  Descriptor fd_;
  sigset_t before_{};
  struct sigaction pipe_before_ {};
};

/// A worker below us and our ends of its stdin and stdout.
struct Below {
  pid_t pid = -1;
  Descriptor pidfd;
  Stream input;
  Stream output;
};

/// Where a worker finds what it reads and writes: its stdin and stdout, or one socket.
struct Places {
  int input = 0;
  int output = 1;
};

/// Starts a program as this process was started: the same group, directory, signals, stderr and
/// further descriptors; the streams in those places are of the same kind as `input` and `output`
/// (one socket for both where that is so). It is killed when this process ends. Blocks until exec
/// has happened or failed.
Expected<Below, host::LaunchError> start_below(const std::string& program,
                                               const std::vector<std::string>& argv,
                                               const std::vector<std::string>& env,
                                               const Signals& signals, const Stream& input,
                                               const Stream& output, Places places);

/// All that was inherited beside the standard streams is the worker's alone from now on. To be
/// called first of all: it remembers them. The second one closes them.
std::vector<int> inherited_descriptors();
void close_all(const std::vector<int>& fds);

/// The environment, "NAME=value".
std::vector<std::string> environment();

Try<Descriptor> open_to_append(const std::string& path);
/// Writes all of it, blocking. False: it can't be written.
bool write_all(int fd, std::string_view text);

/// Leaves a copy of this process behind that runs `body` and ends; the pid, or an errno.
Try<pid_t> leave_behind(const std::function<void()>& body);
/// Sleeps with nothing but the three streams; for a copy.
void hold_streams(Duration lifetime, int input, int output);

/// From now on /dev/null stands there for us.
void drop(int standard_fd);

/// The signal with its default disposition. Returns if it is not deadly.
void raise(int signal);
/// Ends this process just so.
[[noreturn]] void end_as(ExitStatus status);

}  // namespace poolproof::wrap::sys
