#include "harness/host/system.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <climits>
#include <ctime>
#include <fcntl.h>
#include <mutex>
#include <signal.h>
#include <unistd.h>

#include <fmt/compile.h>
#include <fmt/format.h>
#include <linux/futex.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "harness/base/assert.hpp"

namespace poolproof::host::sys {
namespace {

struct PlannedFailure {
  std::uint32_t calls_before = 0;
  int errno_value = 0;  ///< 0: no plan
};

std::atomic<bool> armed{false};
std::atomic<std::uint32_t> struck{0};
std::mutex plans_mutex;
std::array<PlannedFailure, static_cast<std::size_t>(Call::count)> plans;

/// The same open file with a number above those of the streams. In a program that was started
/// without stdin, say, a new descriptor gets its number, and whoever reads there would take what is
/// ours.
Try<Descriptor> above_streams(int fd) {
  Descriptor made(fd);
  if (fd > STDERR_FILENO) return made;
  const int above = ::fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  if (above < 0) return unexpected(errno);
  return Descriptor(above);
}

/// Makes the call until it is not interrupted. A result below 0 is a failure, with the reason in
/// errno; if `Value` is void, the result is of no other use.
template <class Value, class Body>
Try<Value> attempt(Call call, Body body) {
  for (;;) {
    const int planned = planned_failure(call);
    if (planned == 0) {
      const auto got = body();
      if constexpr (std::is_void_v<Value>) {
        if (got >= 0) return {};
      } else if constexpr (std::is_same_v<Value, Descriptor>) {
        if (got >= 0) return above_streams(got);
      } else {
        if (got >= 0) return static_cast<Value>(got);
      }
    }
    const int error = planned != 0 ? planned : errno;
    if (error != EINTR) return unexpected(error);
  }
}

Time read_clock(clockid_t clock) {
  timespec at{};
  ::clock_gettime(clock, &at);
  const auto since_boot = std::chrono::seconds(at.tv_sec) + std::chrono::nanoseconds(at.tv_nsec);
  return Time(std::chrono::duration_cast<Duration>(since_boot));
}

/// When a wait that begins now is over; a negative timeout never is.
Time end_of_wait(Duration timeout) {
  return timeout < Duration::zero() ? kNever : after(now(), timeout);
}

Duration left_until(Time end) {
  return std::max(end - now(), Duration::zero());
}

timespec to_timespec(Duration span) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(span);
  timespec result{};
  result.tv_sec = seconds.count();
  result.tv_nsec = std::chrono::nanoseconds(span - seconds).count();
  return result;
}

ExitStatus status_of(const siginfo_t& info) {
  if (info.si_code == CLD_EXITED) return ExitStatus{info.si_status, 0};
  return ExitStatus{0, info.si_status};
}

Try<siginfo_t> wait_for(int pidfd, int flags) {
  siginfo_t info{};
  return attempt<void>(Call::waitid,
                       [&] { return ::waitid(P_PIDFD, static_cast<id_t>(pidfd), &info, flags); })
      .map([&] { return info; });
}

}  // namespace

void fail_next(Call call, std::uint32_t nth, int errno_value) {
  POOLPROOF_ASSERT(call < Call::count && errno_value > 0);
  const std::lock_guard lock(plans_mutex);
  plans[static_cast<std::size_t>(call)] = {nth, errno_value};
  armed.store(true, std::memory_order_relaxed);
}

void fail_none() {
  const std::lock_guard lock(plans_mutex);
  plans.fill({});
  struck.store(0, std::memory_order_relaxed);
  armed.store(false, std::memory_order_relaxed);
}

std::uint32_t failures_struck() {
  return struck.load(std::memory_order_relaxed);
}

int planned_failure(Call call) {
  if (!armed.load(std::memory_order_relaxed)) return 0;
  const std::lock_guard lock(plans_mutex);
  PlannedFailure& plan = plans[static_cast<std::size_t>(call)];
  if (plan.errno_value == 0) return 0;
  if (plan.calls_before > 0) {
    --plan.calls_before;
    return 0;
  }
  struck.fetch_add(1, std::memory_order_relaxed);
  return std::exchange(plan.errno_value, 0);
}

Time now() {
  return read_clock(CLOCK_MONOTONIC);
}

Time recently() {
  return read_clock(CLOCK_MONOTONIC_COARSE);
}

void sleep_while(const std::atomic<std::uint32_t>& word, std::uint32_t value, Time until) {
  static_assert(sizeof word == sizeof(std::uint32_t));
  const timespec at = to_timespec(std::max(until.time_since_epoch(), Duration::zero()));
  ::syscall(SYS_futex, &word, FUTEX_WAIT_BITSET_PRIVATE, value, until == kNever ? nullptr : &at,
            nullptr, FUTEX_BITSET_MATCH_ANY);
}

void wake_sleeper(const std::atomic<std::uint32_t>* word) {
  ::syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1);
}

std::string timestamp() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  tm utc{};
  ::gmtime_r(&now.tv_sec, &utc);
  return fmt::format(FMT_COMPILE("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z"), utc.tm_year + 1900,
                     utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
                     now.tv_nsec / 1'000'000);
}

Try<std::size_t> read(int fd, std::span<char> into) {
  return attempt<std::size_t>(Call::read, [&] { return ::read(fd, into.data(), into.size()); });
}

Try<std::size_t> write(int fd, std::string_view bytes) {
  return attempt<std::size_t>(Call::write, [&] { return ::write(fd, bytes.data(), bytes.size()); });
}

Try<int> poll(std::span<pollfd> fds, Duration timeout) {
  const Time begun = now();
  return poll(fds, begun, timeout < Duration::zero() ? kNever : after(begun, timeout));
}

Try<int> poll(std::span<pollfd> fds, Time now, Time until) {
  return attempt<int>(Call::poll, [&, now]() mutable {
    const timespec left = to_timespec(std::max(until - now, Duration::zero()));
    const int ready = ::ppoll(fds.data(), fds.size(), until == kNever ? nullptr : &left, nullptr);
    if (ready < 0) now = sys::now();  // for the next attempt
    return ready;
  });
}

short poll_one(int fd, short events, Duration timeout) {
  std::array<pollfd, 1> fds{{{fd, events, 0}}};
  return poll(fds, timeout) ? fds[0].revents : short{0};
}

Try<std::size_t> unread_bytes(int pipe_fd) {
  int bytes = 0;
  return attempt<void>(Call::ioctl, [&] { return ::ioctl(pipe_fd, FIONREAD, &bytes); }).map([&] {
    return static_cast<std::size_t>(bytes);
  });
}

Try<void> set_nonblocking(int fd) {
  return attempt<void>(Call::fcntl, [&] {
    const int flags = ::fcntl(fd, F_GETFL);
    return flags < 0 ? flags : ::fcntl(fd, F_SETFL, flags | O_NONBLOCK);
  });
}

Try<Pipe> pipe() {
  std::array<int, 2> ends{-1, -1};
  const auto made = attempt<void>(Call::pipe, [&] { return ::pipe2(ends.data(), O_CLOEXEC); });
  if (!made) return unexpected(made.error());
  auto read_end = above_streams(ends[0]);
  auto write_end = above_streams(ends[1]);
  if (!read_end || !write_end) return unexpected((read_end ? write_end : read_end).error());
  return Pipe{std::move(*read_end), std::move(*write_end)};
}

Try<Descriptor> duplicate(int fd) {
  return attempt<Descriptor>(Call::fcntl, [&] { return ::fcntl(fd, F_DUPFD_CLOEXEC, 0); });
}

/// With any number: it may be wanted to take the place of a stream.
Try<Descriptor> null_device() {
  return attempt<int>(Call::open, [] { return ::open("/dev/null", O_RDWR | O_CLOEXEC); })
      .map([](int fd) { return Descriptor(fd); });
}

Try<Descriptor> event_fd() {
  return attempt<Descriptor>(Call::eventfd,
                             [] { return ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); });
}

void close(int fd) {
  // A planned failure is only counted: on Linux a failed close has closed, and must not be
  // repeated.
  static_cast<void>(planned_failure(Call::close));
  POOLPROOF_ASSERT(::close(fd) == 0 || errno != EBADF);
}

Try<Descriptor> epoll() {
  return attempt<Descriptor>(Call::epoll, [] { return ::epoll_create1(EPOLL_CLOEXEC); });
}

Try<void> epoll_add(int epoll_fd, int fd, std::uint32_t events, std::uint64_t tag) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = tag;
  return attempt<void>(Call::epoll,
                       [&] { return ::epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event); });
}

void epoll_remove(int epoll_fd, int fd) {
  ::epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fd, nullptr);
}

Try<int> epoll_wait(int epoll_fd, std::span<epoll_event> events, Duration timeout) {
  const Time end = end_of_wait(timeout);
  return attempt<int>(Call::epoll, [&] {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(left_until(end)).count();
    const auto left_ms = static_cast<int>(std::min<std::int64_t>(left, INT_MAX));
    return ::epoll_wait(epoll_fd, events.data(), static_cast<int>(events.size()),
                        end == kNever ? -1 : left_ms);
  });
}

Try<Descriptor> pidfd_open(pid_t pid) {
  return attempt<Descriptor>(Call::pidfd_open,
                             [&] { return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)); });
}

Try<std::optional<ExitStatus>> peek_exit(int pidfd) {
  return wait_for(pidfd, WEXITED | WNOHANG | WNOWAIT).map([](const siginfo_t& info) {
    return info.si_pid == 0 ? std::nullopt : std::optional(status_of(info));
  });
}

Try<ExitStatus> reap(int pidfd) {
  return wait_for(pidfd, WEXITED).map(status_of);
}

void kill_and_reap(pid_t child) {
  POOLPROOF_ASSERT(child > 1);
  ::kill(child, SIGKILL);
  while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
}

void adopt_orphans(bool adopt) {
  ::prctl(PR_SET_CHILD_SUBREAPER, adopt ? 1 : 0);
}

bool adopts_orphans() {
  int adopts = 0;
  return ::prctl(PR_GET_CHILD_SUBREAPER, &adopts) == 0 && adopts != 0;
}

Try<pid_t> fork_copy(int stderr_fd) {
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return unexpected(errno);
  if (pid > 0) return pid;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);
  ::dup2(stderr_fd, STDERR_FILENO);
  return 0;
}

void leave_copy(int code) {
  ::_exit(code);
}

Try<void> signal_process(int pidfd, int signal) {
  return attempt<void>(Call::kill,
                       [&] { return ::syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0); });
}

Try<void> signal_group(pid_t leader, int signal) {
  POOLPROOF_ASSERT(leader > 1);  // -1 would be everybody
  return attempt<void>(Call::kill, [&] { return ::kill(-leader, signal); });
}

Try<Descriptor> lock_folder(const char* path) {
  Descriptor folder(::open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder || ::flock(folder.get(), LOCK_EX | LOCK_NB) != 0) return unexpected(errno);
  return folder;
}

void ignore_sigpipe() {
  struct sigaction ignore {};
  ignore.sa_handler = SIG_IGN;
  ::sigaction(SIGPIPE, &ignore, nullptr);
}

}  // namespace poolproof::host::sys

void poolproof::host::Descriptor::reset() {
  const int fd = release();
  if (fd >= 0) sys::close(fd);
}
