#pragma once

#include <condition_variable>
#include <cstdint>
#include <string>
#include <utility>

#include "harness/base/clock.hpp"
#include "harness/base/ids.hpp"
#include "harness/host/child.hpp"
#include "harness/pool/worker.hpp"

namespace poolproof::host {

/// One incarnation on real processes and pipes. pidfd, stderr and the reaping are the reactor's.
class Worker final : public pool::Worker {
 public:
  Worker(WorkerId id, Child child, std::size_t tail_bytes)
      : pool::Worker(id, tail_bytes), child_(std::move(child)) {}

  [[nodiscard]] int pid() const override { return child_.pid; }
  [[nodiscard]] int pidfd() const { return child_.pidfd.get(); }
  [[nodiscard]] int stdin_fd() const { return child_.stdin_end.get(); }
  [[nodiscard]] int stdout_fd() const { return child_.stdout_end.get(); }
  [[nodiscard]] int stderr_fd() const { return child_.stderr_end.get(); }

  Expected<std::size_t, int> write(std::string_view bytes) override;
  Expected<std::size_t, int> read(std::span<char> into) override;
  [[nodiscard]] Expected<std::size_t, int> unread() const override;
  [[nodiscard]] bool nobody_reads() const override;

  [[nodiscard]] bool stdin_open() const override { return stdin_fd() >= 0; }
  void close_stdin() override { child_.stdin_end.reset(); }
  [[nodiscard]] Expected<std::size_t, int> unread_output() const override;
  [[nodiscard]] bool output_ended() const override;
  Expected<std::size_t, int> read_stderr(std::span<char> into) override;
  void signal_group(int signal) override;
  [[nodiscard]] Expected<std::optional<ExitStatus>, int> peek_exit() const override;
  Expected<void, int> reap() override;
  void exit_published() override { exited.notify_all(); }

  std::condition_variable exited;  ///< with the pool's mutex: `exit` has been set

  // By the reactor: where it stands there, and what epoll watches of it.
  static constexpr std::uint32_t kNoPlace = UINT32_MAX;
  std::uint32_t place = kNoPlace;
  bool end_watched = false;
  bool text_watched = false;
  bool output_watched = false;
  Time watch_again_at = kNever;  ///< the kernel refused to watch something of it

 private:
  Child child_;
};

}  // namespace poolproof::host
