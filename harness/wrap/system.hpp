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

/// What wrap needs of the system besides host/system.hpp: to stand in for a process, and to start
/// one below itself in just the same way.
namespace poolproof::wrap::sys {

using host::Descriptor;
template <class T>
using Try = host::sys::Try<T>;

/// Reads the number of a descriptor from a variable; nothing: it is no number, or no socket.
std::optional<int> socket_called(const char* text);

enum class Kind : std::uint8_t {
  pipe,
  socket,
  other,
  closed,  ///< this process was started without that stream: so is the worker
};

/// One end of a stream, close-on-exec. Reading and writing it never block, and the flags of other
/// processes' ends are left alone. Errors: EAGAIN, and EPIPE when writing.
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

  /// Takes one of our own standard streams, and puts /dev/null in its place. Nothing comes from a
  /// closed one, and nobody reads it.
  static Try<Stream> take(int standard_fd, bool reads);
  /// Takes the half of a socket that is read, or the one that is written; the other is left alone.
  static Try<Stream> half_of(int socket_fd, bool reads);

  [[nodiscard]] Try<std::size_t> read(std::span<char> into);
  [[nodiscard]] Try<std::size_t> write(std::string_view bytes);
  /// Descriptors that came with what was read since the last call. pass() sends such descriptors
  /// with the next write: over a socket, a process may hand its own on to another.
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
  bool own_file_ = true;  ///< nobody else shares its flags: it may be made non-blocking
  std::vector<Descriptor> passed_;
};

/// Moves bytes from pipe to pipe inside the system. 0: end of input.
Try<std::size_t> splice(const Stream& from, const Stream& to, std::size_t most);

/// Signals that ask a process for something: they are held back and read from a descriptor.
class Signals {
 public:
  /// Holds these signals back; writing to a broken pipe gives an error instead of a signal.
  static Try<Signals> hold();
  Signals() = default;
  struct Came {
    int number = 0;
    bool from_terminal = false;  ///< typed at a terminal: its whole process group has received it
  };
  [[nodiscard]] std::optional<Came> next() const;
  [[nodiscard]] int fd() const { return fd_.get(); }
  /// Undoes hold(), for a copy of this process.
  void restore() const;

 private:
  Descriptor fd_;
  sigset_t before_{};
  struct sigaction pipe_before_ {};
};

/// A worker below us, and our ends of its stdin and stdout.
struct Below {
  pid_t pid = -1;
  Descriptor pidfd;
  Stream input;
  Stream output;
};

/// The descriptors that a worker reads and writes: its stdin and stdout, or one socket.
struct Places {
  int input = 0;
  int output = 1;
};

/// Starts a program as this process was started: with the same group, directory, signals, stderr
/// and further descriptors. The streams in `places` are of the same kind as `input` and `output`
/// (one socket for both where that is so), or closed as those are. The program is killed when this
/// process ends. Blocks until exec has happened or failed.
Expected<Below, host::LaunchError> start_below(const std::string& program,
                                               const std::vector<std::string>& argv,
                                               const std::vector<std::string>& env,
                                               const Signals& signals, const Stream& input,
                                               const Stream& output, Places places);

/// The descriptors that this process inherited besides the standard streams: they are meant for the
/// worker alone. Must be called first of all; close_all() closes ours after the start.
std::vector<int> inherited_descriptors();
void close_all(const std::vector<int>& fds);

/// The environment, "NAME=value".
std::vector<std::string> environment();

Try<Descriptor> open_to_append(const std::string& path);
/// Writes the whole text, blocking. False: it can't be written.
bool write_all(int fd, std::string_view text);

/// Leaves a copy of this process behind that runs `body` and ends; the pid, or an errno.
Try<pid_t> leave_behind(const std::function<void()>& body);
/// Sleeps in a copy of this process that holds nothing but its three streams.
void hold_streams(Duration lifetime, int input, int output);

/// Puts /dev/null in the place of that stream, for this process.
void drop(int standard_fd);

/// Sends this process the signal, with its default disposition. Returns if it is not deadly.
void raise(int signal);
/// Ends this process with that exit code or by that signal.
[[noreturn]] void end_as(ExitStatus status);

}  // namespace poolproof::wrap::sys
