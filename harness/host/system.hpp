#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <poll.h>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <sys/epoll.h>
#include <sys/types.h>

#include "harness/base/clock.hpp"
#include "harness/base/outcome.hpp"
#include "harness/base/result.hpp"
#include "harness/host/descriptor.hpp"

/// The one door to the operating system: every system call of the pool goes through here, so that
/// a test can make the Nth of them fail.
namespace poolproof::host::sys {

/// The value, or the errno.
template <class T>
using Try = Expected<T, int>;

enum class Call : std::uint8_t {
  pipe,
  open,
  fork_exec,
  pidfd_open,
  read,
  write,
  poll,
  epoll,
  eventfd,
  waitid,
  kill,
  ioctl,
  fcntl,
  close,
  count
};

/// Makes calls fail on purpose, for tests: the `nth` (from 0) next call of that kind fails with
/// `errno_value`, once. One plan per kind: the last one counts. Process-wide, thread-safe; an
/// unarmed check costs one relaxed atomic load. EINTR is retried like a real one.
void fail_next(Call call, std::uint32_t nth, int errno_value);
void fail_none();
/// How often a planned failure has struck, ever in this process or since fail_none().
std::uint32_t failures_struck();
/// The errno the launcher must fail with now, or 0 (for Call::fork_exec, which Boost makes).
int planned_failure(Call call);

Time now();  ///< CLOCK_MONOTONIC
/// CLOCK_MONOTONIC as it was at the kernel's last tick: at most 10 ms ago, for a tenth of the cost.
Time recently();
/// The wall clock as ISO-8601 in UTC with milliseconds: `2026-11-23T10:00:00.123Z`. For people who
/// read requests; nothing decides by it.
std::string timestamp();

/// Sleeps while the word is `value`, but not beyond `until`. May return earlier without a reason.
void sleep_while(const std::atomic<std::uint32_t>& word, std::uint32_t value, Time until);
/// Wakes the thread that sleeps on that word. Only the address is used: the word may be gone.
void wake_sleeper(const std::atomic<std::uint32_t>* word);

/// All system calls here are repeated after EINTR.
Try<std::size_t> read(int fd, std::span<char> into);  ///< 0: end of file; EAGAIN is an error value
Try<std::size_t> write(int fd, std::string_view bytes);  ///< the caller ignores SIGPIPE
Try<int> poll(std::span<pollfd> fds, Duration timeout);  ///< a timeout below 0 waits for ever
/// For callers that have just read the clock.
Try<int> poll(std::span<pollfd> fds, Time now, Time until);
/// What poll(2) says of one descriptor; 0: nothing, or it failed.
short poll_one(int fd, short events, Duration timeout = Duration::zero());
Try<std::size_t> unread_bytes(int pipe_fd);  ///< bytes that wait in the pipe (FIONREAD)
Try<void> set_nonblocking(int fd);

/// Both ends close-on-exec and blocking.
struct Pipe {
  Descriptor read_end;
  Descriptor write_end;
};
Try<Pipe> pipe();
/// Both ends close-on-exec and blocking, each to read and to write.
using SocketPair = std::pair<Descriptor, Descriptor>;
Try<SocketPair> socket_pair();
/// The number that tells this socket from all others; 0: the descriptor is no socket.
std::uint32_t inode_of(int socket_fd);
/// How many of the bytes sent over a socket of a pair its peer has not read; `peer` is the peer's
/// inode_of(). Errors: the peer is gone, or the kernel does not tell.
Try<std::size_t> unread_by_peer(int socket_fd, std::uint32_t peer);
bool peer_reads(int socket_fd);  ///< false: what is sent is lost
bool peer_ended(int socket_fd);  ///< all was read, and nothing more can come from the peer
void end_output(int socket_fd);  ///< the peer sees the end of its input

Try<Descriptor> duplicate(int fd);  ///< the same open file, close-on-exec
Try<Descriptor> null_device();      ///< /dev/null to read and write, close-on-exec
Try<Descriptor> event_fd();         ///< non-blocking, close-on-exec
/// Closes a descriptor, which is gone whatever the system says. Closing one that is not open is a
/// broken promise.
void close(int fd);

Try<Descriptor> epoll();
Try<void> epoll_add(int epoll_fd, int fd, std::uint32_t events, std::uint64_t tag);
void epoll_remove(int epoll_fd, int fd);
/// Rounds the timeout up to milliseconds; < 0 waits for ever.
Try<int> epoll_wait(int epoll_fd, std::span<epoll_event> events, Duration timeout);

Try<Descriptor> pidfd_open(pid_t pid);
/// Has it ended, and how? Does not reap. Nothing while it runs.
Try<std::optional<ExitStatus>> peek_exit(int pidfd);
/// Reaps an ended child. Blocks if it still runs.
Try<ExitStatus> reap(int pidfd);
/// Kills and reaps a child of which nobody holds a pidfd. Cannot be made to fail.
void kill_and_reap(pid_t child);
/// Forks: 0 in the copy, which is killed when we end and writes its stderr to `stderr_fd`.
/// Requires: this process has one thread.
Try<pid_t> fork_copy(int stderr_fd);
/// Ends a copy: nothing of the original is written a second time.
[[noreturn]] void leave_copy(int code);
Try<void> signal_process(int pidfd, int signal);  ///< pidfd_send_signal
/// kill(-leader); the leader must not be reaped yet.
Try<void> signal_group(pid_t leader, int signal);
/// Holds a folder for this process alone until the descriptor is closed. EWOULDBLOCK: another one
/// holds it.
Try<Descriptor> lock_folder(const char* path);
/// From now on this process is the parent of every process below it whose own parent ends: nobody
/// can leave by a double fork. Process-wide; children do not inherit it. `false` ends that.
void adopt_orphans(bool adopt = true);
bool adopts_orphans();
void ignore_sigpipe();  ///< process-wide; idempotent

}  // namespace poolproof::host::sys
