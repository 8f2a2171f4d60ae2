#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "harness/base/clock.hpp"
#include "harness/base/ids.hpp"
#include "harness/host/child.hpp"
#include "harness/pool/effect.hpp"
#include "harness/wire/stdio.hpp"

namespace poolproof::host {

/// What is known of a worker that has ended.
struct PostMortem {
  ExitStatus exit;
  std::string stderr_tail;
};

/// One incarnation while its process exists or somebody still looks at it.
///
/// Who touches what: stdin and stdout belong to the caretaker while it greets and when it leaves,
/// and to the holder of the lease in between. pidfd, stderr and the reaping are the caretaker's.
/// The rest says for itself.
class Worker final : public wire::Stdio {
 public:
  Worker(WorkerId id, Child child, std::size_t tail_bytes)
      : id_(id), child_(std::move(child)), tail_(tail_bytes) {}

  [[nodiscard]] WorkerId id() const { return id_; }
  [[nodiscard]] pid_t pid() const { return child_.pid; }
  [[nodiscard]] int pidfd() const { return child_.pidfd.get(); }
  [[nodiscard]] int stdin_fd() const { return child_.stdin_end.get(); }
  [[nodiscard]] int stdout_fd() const { return child_.stdout_end.get(); }
  [[nodiscard]] int stderr_fd() const { return child_.stderr_end.get(); }
  void close_stdin() { child_.stdin_end.reset(); }

  Expected<std::size_t, int> write(std::string_view bytes) override;
  Expected<std::size_t, int> read(std::span<char> into) override;
  [[nodiscard]] Expected<std::size_t, int> unread() const override;
  [[nodiscard]] bool nobody_reads() const override;

  /// Reads what is on stderr into the tail, without blocking. False at its end.
  bool drain_stderr();
  [[nodiscard]] std::string stderr_tail() const;

  /// The caretaker has reaped it: wakes all who wait for that.
  void publish(ExitStatus exit);
  [[nodiscard]] std::optional<PostMortem> post_mortem() const;
  /// Waits, bounded, until it has been reaped.
  std::optional<PostMortem> wait_for_end(Duration limit) const;

  // By the holder of the lease only.
  std::int64_t next_request = 1;

  // Under the pool's mutex.
  bool watch_queued =
      false;  ///< is to be watched for stray output once it has been idle for a while
  pool::RemovalReason told_to_go = pool::RemovalReason::none;
  std::uint32_t ping_bytes = 0;  ///< 0: not written yet

  // By the caretaker only.
  bool reaped = false;
  bool stderr_open = true;
  bool stdout_watched = false;

 private:
  WorkerId id_;
  Child child_;
  mutable std::mutex mutex_;
  mutable std::condition_variable ended_;
  Tail tail_;
  std::optional<ExitStatus> exit_;
};

}  // namespace poolproof::host
