#include "harness/host/system_below.hpp"

#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <ctime>
#include <fcntl.h>
#include <spawn.h>
#include <unistd.h>

#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

namespace poolproof::host::sys {
namespace {

/// The signal mask as it was before hold_signals().
sigset_t mask_before{};
sigset_t held{};

Duration to_duration(timespec at) {
  return std::chrono::seconds(at.tv_sec) + std::chrono::microseconds(at.tv_nsec / 1000);
}

ExitStatus status_of(int code, int how) {
  return code == CLD_EXITED ? ExitStatus{how, 0} : ExitStatus{0, how};
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> all;
  for (const std::string& text : texts) all.push_back(const_cast<char*>(text.c_str()));
  all.push_back(nullptr);
  return all;
}

/// struct pidfd_info of linux/pidfd.h, version 6.15; older headers lack it.
struct PidfdInfo {
  std::uint64_t mask = 0;
  std::uint64_t cgroup = 0;
  std::array<std::uint32_t, 11> ids{};
  std::int32_t exit_code = 0;
};
constexpr std::uint64_t kPidfdInfoExit = 8;
static_assert(sizeof(PidfdInfo) == 64);

}  // namespace

void take_places_of_closed_streams() {
  // Reading and writing such a descriptor fails as if it were closed (EBADF).
  int fd = -1;
  do {
    fd = ::open("/", O_PATH | O_CLOEXEC);
  } while (fd >= 0 && fd <= STDERR_FILENO);
  if (fd >= 0) ::close(fd);
}

bool was_closed(int standard_fd) {
  const int flags = ::fcntl(standard_fd, F_GETFD);
  // A stream that was inherited is not close-on-exec.
  return flags < 0 || (flags & FD_CLOEXEC) != 0;
}

void hold_signals(std::span<const int> signals) {
  ::sigemptyset(&held);
  for (const int signal : signals) ::sigaddset(&held, signal);
  ::sigprocmask(SIG_BLOCK, &held, &mask_before);
}

Try<Descriptor> held_signals() {
  const int fd = ::signalfd(-1, &held, SFD_CLOEXEC | SFD_NONBLOCK);
  if (fd < 0) return unexpected(errno);
  return Descriptor(fd);
}

std::optional<HeldSignal> next_signal(int fd) {
  signalfd_siginfo info{};
  if (::read(fd, &info, sizeof info) != sizeof info) return std::nullopt;
  return HeldSignal{static_cast<int>(info.ssi_signo), static_cast<pid_t>(info.ssi_pid),
                    info.ssi_code == SI_KERNEL};
}

Try<pid_t> fork_told(int signal) {
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return unexpected(errno);
  if (pid > 0) return pid;
  ::prctl(PR_SET_PDEATHSIG, signal);
  if (::getppid() != parent) ::_exit(1);
  return 0;
}

Try<pid_t> start_as_we_were(const Started& what) {
  posix_spawnattr_t how{};
  if (const int error = ::posix_spawnattr_init(&how); error != 0) return unexpected(error);
  int flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
  if (what.own_group) flags |= POSIX_SPAWN_SETPGROUP;
  sigset_t ours;
  ::sigemptyset(&ours);
  ::sigaddset(&ours, SIGPIPE);
  ::posix_spawnattr_setsigdefault(&how, &ours);
  ::posix_spawnattr_setsigmask(&how, &mask_before);
  ::posix_spawnattr_setpgroup(&how, 0);
  ::posix_spawnattr_setflags(&how, static_cast<short>(flags));
  pid_t pid = -1;
  const int error = ::posix_spawn(&pid, what.program.c_str(), nullptr, &how,
                                  pointers(what.argv).data(), pointers(what.env).data());
  ::posix_spawnattr_destroy(&how);
  if (error != 0) return unexpected(error);
  return pid;
}

std::optional<Reaped> reap_any() {
  siginfo_t info{};
  if (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG) != 0 || info.si_pid == 0) return std::nullopt;
  return Reaped{info.si_pid, status_of(info.si_code, info.si_status)};
}

bool has_children() {
  siginfo_t info{};
  return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) == 0 || errno != ECHILD;
}

void signal_child(pid_t child, int signal) {
  if (child > 1) ::kill(child, signal);
}

std::optional<ExitStatus> exit_of_stranger(int pidfd) {
  PidfdInfo info;
  info.mask = kPidfdInfoExit;
  if (::ioctl(pidfd, _IOWR(0xFF, 11, PidfdInfo), &info) != 0) return std::nullopt;
  if ((info.mask & kPidfdInfoExit) == 0) return std::nullopt;
  if (WIFEXITED(info.exit_code)) return ExitStatus{WEXITSTATUS(info.exit_code), 0};
  return ExitStatus{0, WTERMSIG(info.exit_code)};
}

Try<Descriptor> write_watch() {
  const int fd = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (fd < 0) return unexpected(errno);
  return Descriptor(fd);
}

Try<int> watch_writes(int watch_fd, const char* path) {
  const int number = ::inotify_add_watch(watch_fd, path, IN_MODIFY);
  if (number < 0) return unexpected(errno);
  return number;
}

std::vector<int> next_writes(int watch_fd) {
  alignas(inotify_event) std::array<char, 16384> buffer{};
  std::vector<int> numbers;
  for (ssize_t got = 0; (got = ::read(watch_fd, buffer.data(), buffer.size())) > 0;) {
    for (const char* at = buffer.data(); at < buffer.data() + got;) {
      const auto* const event = reinterpret_cast<const inotify_event*>(at);
      if (numbers.empty() || numbers.back() != event->wd) numbers.push_back(event->wd);
      at += sizeof(inotify_event) + event->len;
    }
  }
  return numbers;
}

bool in_foreground() {
  const Descriptor terminal(::open("/dev/tty", O_RDONLY | O_CLOEXEC | O_NOCTTY));
  return terminal && ::tcgetpgrp(terminal.get()) == ::getpgrp();
}

Duration own_cpu() {
  timespec used{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return to_duration(used);
}

pid_t parent_now() {
  return ::getppid();
}

}  // namespace poolproof::host::sys
