#pragma once

#include <condition_variable>
#include <memory>
#include <utility>

#include "harness/host/child.hpp"
#include "harness/host/system.hpp"
#include "harness/pool/worker.hpp"

namespace poolproof::host {

class PoolState;

/// One incarnation on real processes and pipes. pidfd, stderr and the reaping are the reactor's.
class Worker final : public pool::Worker {
 public:
  Worker(WorkerId id, Child child, std::size_t tail_bytes)
      : pool::Worker(id, tail_bytes), child_(std::move(child)), stdin_fd_(first_stdin_fd()) {}

  [[nodiscard]] int pid() const override { return child_.pid; }
  [[nodiscard]] int pidfd() const { return child_.pidfd.get(); }
  [[nodiscard]] int stdin_fd() const { return stdin_fd_; }
  [[nodiscard]] int stdout_fd() const { return child_.stdout_end.get(); }
  [[nodiscard]] int stderr_fd() const { return child_.stderr_end.get(); }

  sys::Try<std::size_t> write(std::string_view bytes) override;
  sys::Try<std::size_t> read(std::span<char> into) override;
  [[nodiscard]] sys::Try<std::size_t> unread() const override;
  [[nodiscard]] bool nobody_reads() const override;

  [[nodiscard]] bool stdin_open() const override { return stdin_fd() >= 0; }
  void close_stdin() override;
  [[nodiscard]] sys::Try<std::size_t> unread_output() const override {
    return sys::unread_bytes(stdout_fd());
  }
  [[nodiscard]] bool output_ended() const override;
  sys::Try<std::size_t> read_stderr(std::span<char> into) override {
    return sys::read(stderr_fd(), into);
  }
  [[nodiscard]] Activity activity() const override;
  [[nodiscard]] std::uint64_t rss_bytes() const override;
  /// From now on activity() tells how much of a processor the process wants.
  void watch_activity(Time now);
  void signal_group(int signal) override;
  [[nodiscard]] sys::Try<std::optional<ExitStatus>> peek_exit() const override {
    return sys::peek_exit(pidfd());
  }
  sys::Try<ExitStatus> reap() override { return sys::reap(pidfd()); }
  void exit_published() override { exited.notify_all(); }

  std::condition_variable exited;  ///< with the pool's mutex: tells that `exit` has been set

  // Used by the holder of the lease.
  std::shared_ptr<PoolState> pool;  ///< the worker's pool, which lives as long as the worker
  Time watched_from = kNever;       ///< since when activity is watched; kNever: it is not

  // Used by the reactor: the worker's place there, and what epoll watches of it.
  static constexpr std::uint32_t kNoPlace = UINT32_MAX;
  std::uint32_t place = kNoPlace;
  bool end_watched = false;
  bool text_watched = false;
  bool output_watched = false;
  Time watch_again_at = kNever;  ///< when to try again what the kernel refused to watch

 private:
  [[nodiscard]] bool on_channel() const { return child_.channel_inode != 0; }
  [[nodiscard]] int first_stdin_fd() const {
    return on_channel() ? child_.stdout_end.get() : child_.stdin_end.get();
  }
  /// Notes the error by which a channel tells that the peer has gone and had not read all.
  void note_reset(int error);

  Child child_;
  int stdin_fd_;                ///< our descriptor for its stdin; -1: closed
  std::size_t sent_bytes_ = 0;  ///< all bytes that were sent over a channel
  /// The worker left the channel without having read all of them.
  bool reset_ = false;
  std::uint64_t demand_before_ = 0;  ///< its demand for a processor at watched_from
};

}  // namespace poolproof::host
