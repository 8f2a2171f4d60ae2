#include "harness/wrap/system.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "harness/base/signals.hpp"
#include "harness/base/text.hpp"
#include "harness/host/system_below.hpp"

extern char** environ;

namespace poolproof::wrap::sys {
namespace {

constexpr std::array kHeld{SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2};
/// What a pipe takes without blocking as soon as poll says that it can be written.
constexpr std::size_t kAtomicBytes = 4096;

template <class Value, class Body>
Try<Value> attempt(Body body) {
  for (;;) {
    const auto got = body();
    if (got >= 0) return static_cast<Value>(got);
    if (errno != EINTR) return unexpected(errno);
  }
}

Kind kind_of(int fd) {
  struct stat what {};
  if (::fstat(fd, &what) != 0) return Kind::other;
  return S_ISFIFO(what.st_mode) ? Kind::pipe : S_ISSOCK(what.st_mode) ? Kind::socket : Kind::other;
}

bool same_file(int a, int b) {
  struct stat one {};
  struct stat other {};
  return ::fstat(a, &one) == 0 && ::fstat(b, &other) == 0 && one.st_dev == other.st_dev &&
         one.st_ino == other.st_ino;
}

/// Opens the same pipe once more, so that its flags are ours alone.
Descriptor reopened(int fd, bool reads) {
  const std::string path = fmt::format("/proc/self/fd/{}", fd);
  const int flags = (reads ? O_RDONLY : O_WRONLY) | O_NONBLOCK | O_CLOEXEC;
  return Descriptor(::open(path.c_str(), flags));
}

/// A copy of the descriptor above the standard streams, even where those are closed.
Try<Descriptor> above(int fd) {
  return attempt<int>([&] { return ::fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1); })
      .map([](int copy) { return Descriptor(copy); });
}

/// The most descriptors that one message may pass on.
constexpr std::size_t kPassedMost = 32;
using Control = std::array<char, CMSG_SPACE(kPassedMost * sizeof(int))>;

/// What one message of a socket is made of.
struct Parts {
  explicit Parts(std::string_view bytes) : place{const_cast<char*>(bytes.data()), bytes.size()} {
    header.msg_iov = &place;
    header.msg_iovlen = 1;
  }
  iovec place;
  msghdr header{};
  alignas(cmsghdr) Control control{};
};

/// Reads bytes, and keeps the descriptors that were passed on with them.
Try<std::size_t> receive(int fd, std::span<char> into, std::vector<Descriptor>& passed) {
  Parts parts({into.data(), into.size()});
  parts.header.msg_control = parts.control.data();
  parts.header.msg_controllen = parts.control.size();
  const auto got = attempt<std::size_t>(
      [&] { return ::recvmsg(fd, &parts.header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC); });
  if (!got) return got;
  for (cmsghdr* one = CMSG_FIRSTHDR(&parts.header); one != nullptr;
       one = CMSG_NXTHDR(&parts.header, one)) {
    if (one->cmsg_level != SOL_SOCKET || one->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (one->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int number = -1;
      std::memcpy(&number, CMSG_DATA(one) + i * sizeof number, sizeof number);
      passed.emplace_back(number);
    }
  }
  return got;
}

/// Writes bytes and passes those descriptors on with the first of them; then they are ours no more.
Try<std::size_t> send(int fd, std::string_view bytes, std::vector<Descriptor>& passed) {
  constexpr int kFlags = MSG_DONTWAIT | MSG_NOSIGNAL;
  if (passed.empty())
    return attempt<std::size_t>([&] { return ::send(fd, bytes.data(), bytes.size(), kFlags); });
  Parts parts(bytes);
  const std::size_t count = std::min(passed.size(), kPassedMost);
  parts.header.msg_control = parts.control.data();
  parts.header.msg_controllen = CMSG_SPACE(count * sizeof(int));
  cmsghdr* const one = CMSG_FIRSTHDR(&parts.header);
  *one = {CMSG_LEN(count * sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
  for (std::size_t i = 0; i < count; ++i) {
    const int number = passed[i].get();
    std::memcpy(CMSG_DATA(one) + i * sizeof number, &number, sizeof number);
  }
  const auto wrote = attempt<std::size_t>([&] { return ::sendmsg(fd, &parts.header, kFlags); });
  if (wrote) passed.erase(passed.begin(), passed.begin() + static_cast<std::ptrdiff_t>(count));
  return wrote;
}

}  // namespace

std::optional<int> socket_called(const char* text) {
  const auto number = parse_number<int>(text);
  if (!number || kind_of(*number) != Kind::socket) return std::nullopt;
  return number;
}

// ---- streams ------------------------------------------------------------------------------------

Try<Stream> Stream::take(int standard_fd, bool reads) {
  Try<Descriptor> null = host::sys::null_device();
  if (!null) return unexpected(null.error());
  const bool is_closed = host::sys::was_closed(standard_fd);
  Try<Descriptor> copy = above(is_closed ? null->get() : standard_fd);
  if (!copy) return unexpected(copy.error());
  Stream stream(std::move(*copy), is_closed ? Kind::closed : kind_of(standard_fd), reads);
  if (stream.kind_ == Kind::pipe) {
    Descriptor own = reopened(stream.fd(), reads);
    Try<Descriptor> high = own ? above(own.get()) : Try<Descriptor>(unexpected(EACCES));
    stream.own_file_ = high.has_value();
    if (high) stream.fd_ = std::move(*high);
  }
  if (null->get() == standard_fd) {
    null->release();
  } else {
    ::dup2(null->get(), standard_fd);
  }
  return stream;
}

Try<Stream> Stream::half_of(int socket_fd, bool reads) {
  return above(socket_fd).map(
      [&](Descriptor&& fd) { return Stream(std::move(fd), Kind::socket, reads); });
}

void Stream::pass(std::vector<Descriptor> passed) {
  for (Descriptor& one : passed) passed_.push_back(std::move(one));
}

Try<std::size_t> Stream::read(std::span<char> into) {
  if (kind_ == Kind::socket) return receive(fd(), into, passed_);
  if (!own_file_ && host::sys::poll_one(fd(), POLLIN) == 0) return unexpected(EAGAIN);
  return attempt<std::size_t>([&] { return ::read(fd(), into.data(), into.size()); });
}

Try<std::size_t> Stream::write(std::string_view bytes) {
  if (kind_ == Kind::socket) return send(fd(), bytes, passed_);
  if (!own_file_) {
    if (host::sys::poll_one(fd(), POLLOUT) == 0) return unexpected(EAGAIN);
    bytes = bytes.substr(0, kAtomicBytes);
  }
  return attempt<std::size_t>([&] { return ::write(fd(), bytes.data(), bytes.size()); });
}

void Stream::close() {
  // The other stream of a socket may live on: only this half is shut down.
  if (fd_ && kind_ == Kind::socket) ::shutdown(fd(), reads_ ? SHUT_RD : SHUT_WR);
  fd_.reset();
}

Try<std::size_t> splice(const Stream& from, const Stream& to, std::size_t most) {
  return attempt<std::size_t>([&] {
    return ::splice(from.fd(), nullptr, to.fd(), nullptr, most, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
  });
}

// ---- signals ------------------------------------------------------------------------------------

Try<Signals> Signals::hold() {
  sigset_t held;
  ::sigemptyset(&held);
  for (const int signal : kHeld) ::sigaddset(&held, signal);
  Signals signals;
  ::sigprocmask(SIG_BLOCK, &held, &signals.before_);
  ::sigaction(SIGPIPE, nullptr, &signals.pipe_before_);
  host::sys::ignore_sigpipe();
  const Try<int> fd =
      attempt<int>([&] { return ::signalfd(-1, &held, SFD_CLOEXEC | SFD_NONBLOCK); });
  if (!fd) return unexpected(fd.error());
  signals.fd_ = Descriptor(*fd);
  return signals;
}

std::optional<Signals::Came> Signals::next() const {
  signalfd_siginfo info{};
  const auto got = attempt<std::size_t>([&] { return ::read(fd_.get(), &info, sizeof info); });
  if (!got || *got != sizeof info) return std::nullopt;
  return Came{static_cast<int>(info.ssi_signo), info.ssi_code == SI_KERNEL};
}

void Signals::restore() const {
  ::sigaction(SIGPIPE, &pipe_before_, nullptr);
  ::sigprocmask(SIG_SETMASK, &before_, nullptr);
}

// ---- the worker ---------------------------------------------------------------------------------

namespace {

/// Our end and the worker's of its stdin or stdout.
struct Ends {
  Stream ours;
  Descriptor theirs;
};

Try<std::pair<Descriptor, Descriptor>> socket_pair() {
  std::array<int, 2> ends{-1, -1};
  const auto made = attempt<int>(
      [&] { return ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()); });
  if (!made) return unexpected(made.error());
  return std::pair(Descriptor(ends[0]), Descriptor(ends[1]));
}

/// Makes a pipe as large as another one, if the system lets us.
void size_like(int pipe, int other) {
  const int bytes = ::fcntl(other, F_GETPIPE_SZ);
  if (bytes > 0) ::fcntl(pipe, F_SETPIPE_SZ, bytes);
}

/// Makes a stream for the worker of the same kind as ours; `worker_reads`: it is the worker's
/// stdin.
Try<Ends> ends_like(const Stream& above_us, bool worker_reads) {
  if (above_us.kind() == Kind::socket) {
    auto pair = socket_pair();
    if (!pair) return unexpected(pair.error());
    return Ends{Stream(std::move(pair->first), Kind::socket, !worker_reads),
                std::move(pair->second)};
  }
  auto pipe = host::sys::pipe();
  if (!pipe) return unexpected(pipe.error());
  if (above_us.kind() == Kind::pipe) size_like(pipe->write_end.get(), above_us.fd());
  Descriptor& ours = worker_reads ? pipe->write_end : pipe->read_end;
  Descriptor& theirs = worker_reads ? pipe->read_end : pipe->write_end;
  if (auto done = host::sys::set_nonblocking(ours.get()); !done) return unexpected(done.error());
  return Ends{Stream(std::move(ours), Kind::pipe, !worker_reads), std::move(theirs)};
}

Try<std::pair<Ends, Ends>> both_ends(const Stream& input, const Stream& output) {
  Try<Ends> in = ends_like(input, true);
  if (!in) return unexpected(in.error());
  if (input.kind() != Kind::socket || !same_file(input.fd(), output.fd())) {
    Try<Ends> out = ends_like(output, false);
    if (!out) return unexpected(out.error());
    return std::pair(std::move(*in), std::move(*out));
  }
  Try<Descriptor> ours = host::sys::duplicate(in->ours.fd());
  Try<Descriptor> theirs = host::sys::duplicate(in->theirs.get());
  if (!ours || !theirs) return unexpected(ours ? theirs.error() : ours.error());
  return std::pair(std::move(*in),
                   Ends{Stream(std::move(*ours), Kind::socket, true), std::move(*theirs)});
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> all;
  for (const std::string& text : texts) all.push_back(const_cast<char*>(text.c_str()));
  all.push_back(nullptr);
  return all;
}

/// Puts a descriptor in that place; -1: leaves the place empty. False: it can't.
bool put(int fd, int place) {
  if (fd >= 0) return ::dup2(fd, place) >= 0;
  ::close(place);
  return true;
}

/// Turns a child into the program, by calls that are safe between fork and exec. Returns an errno.
int become(const std::string& program, char* const* argv, char* const* env, int input, int output,
           Places places, pid_t parent, const Signals& signals) {
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return errno;
  if (::getppid() != parent) return ESRCH;
  if (!put(input, places.input) || !put(output, places.output)) return errno;
  signals.restore();
  ::execve(program.c_str(), argv, env);
  return errno;
}

}  // namespace

Expected<Below, host::LaunchError> start_below(const std::string& program,
                                               const std::vector<std::string>& argv,
                                               const std::vector<std::string>& env,
                                               const Signals& signals, const Stream& input,
                                               const Stream& output, Places places) {
  const auto failed = [&](int error) {
    return unexpected(host::cannot_start(argv.front(), error));
  };
  auto ends = both_ends(input, output);
  if (!ends) return failed(ends.error());
  auto said = host::sys::pipe();
  if (!said) return failed(said.error());
  const std::vector<char*> words = pointers(argv);
  const std::vector<char*> variables = pointers(env);
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return failed(errno);
  if (pid == 0) {
    const auto theirs = [](const Stream& above_us, const Ends& made) {
      return above_us.kind() == Kind::closed ? -1 : made.theirs.get();
    };
    const int error = become(program, words.data(), variables.data(), theirs(input, ends->first),
                             theirs(output, ends->second), places, parent, signals);
    [[maybe_unused]] const ssize_t wrote = ::write(said->write_end.get(), &error, sizeof error);
    ::_exit(127);
  }
  said->write_end.reset();
  int error = 0;
  const auto got =
      attempt<std::size_t>([&] { return ::read(said->read_end.get(), &error, sizeof error); });
  if (got.value_or(0) == sizeof error) {
    host::sys::kill_and_reap(pid);
    return failed(error);
  }
  auto pidfd = host::sys::pidfd_open(pid);
  if (!pidfd) {
    host::sys::kill_and_reap(pid);
    return failed(pidfd.error());
  }
  return Below{pid, std::move(*pidfd), std::move(ends->first.ours), std::move(ends->second.ours)};
}

// ---- the process --------------------------------------------------------------------------------

std::vector<int> inherited_descriptors() {
  std::vector<int> fds;
  DIR* const folder = ::opendir("/proc/self/fd");
  if (folder == nullptr) return fds;
  while (const dirent* const entry = ::readdir(folder)) {
    const int fd = std::atoi(entry->d_name);
    if (fd > STDERR_FILENO && fd != ::dirfd(folder)) fds.push_back(fd);
  }
  ::closedir(folder);
  // A descriptor that is closed at exec is not meant for the worker.
  std::erase_if(fds, [](int fd) { return (::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0; });
  return fds;
}

void close_all(const std::vector<int>& fds) {
  for (const int fd : fds) ::close(fd);
}

std::vector<std::string> environment() {
  std::vector<std::string> all;
  for (char** entry = environ; *entry != nullptr; ++entry) all.emplace_back(*entry);
  return all;
}

Try<Descriptor> open_to_append(const std::string& path) {
  Descriptor fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  if (!fd) return unexpected(errno);
  return above(fd.get());
}

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const auto wrote = attempt<std::size_t>([&] { return ::write(fd, text.data(), text.size()); });
    if (!wrote && wrote.error() == EAGAIN && host::sys::poll_one(fd, POLLOUT, Duration(-1)) >= 0)
      continue;
    if (!wrote) return false;
    text.remove_prefix(*wrote);
  }
  return true;
}

Try<pid_t> leave_behind(const std::function<void()>& body) {
  const pid_t pid = ::fork();
  if (pid < 0) return unexpected(errno);
  if (pid > 0) return pid;
  body();
  ::_exit(0);
}

void hold_streams(Duration lifetime, int input, int output) {
  ::dup2(input, STDIN_FILENO);
  ::dup2(output, STDOUT_FILENO);
  ::close_range(STDERR_FILENO + 1, ~0U, 0);
  const auto us = lifetime.count();
  timespec left{us / 1'000'000, us % 1'000'000 * 1000};
  while (::nanosleep(&left, &left) != 0 && errno == EINTR) {
  }
}

void drop(int standard_fd) {
  if (const auto null = host::sys::null_device()) ::dup2(null->get(), standard_fd);
}

void raise(int signal) {
  struct sigaction normal {};
  normal.sa_handler = SIG_DFL;
  ::sigaction(signal, &normal, nullptr);
  sigset_t only;
  ::sigemptyset(&only);
  ::sigaddset(&only, signal);
  ::sigprocmask(SIG_UNBLOCK, &only, nullptr);
  ::kill(::getpid(), signal);
}

void end_as(ExitStatus status) {
  if (status.signal != 0) {
    // This process writes no core file: a core would have been the worker's.
    const rlimit none{0, 0};
    ::setrlimit(RLIMIT_CORE, &none);
    raise(status.signal);
  }
  ::_exit(status.code);
}

}  // namespace poolproof::wrap::sys
