#pragma once

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "harness/base/tail.hpp"
#include "harness/pool/effect.hpp"
#include "harness/pool/handshake.hpp"
#include "harness/wire/stdio.hpp"

namespace poolproof::pool {

/// How a process ended that somebody else has reaped.
inline constexpr ExitStatus kEndUnknown{-1, 0};

/// One incarnation, while its process exists or somebody still looks at it: what the pool keeps of
/// it, the same in both worlds. A world adds the process and its pipes.
///
/// Who touches what: stdin and stdout belong to the event loop while it greets the worker and when
/// the worker leaves, and to the holder of the lease in between. The members below say who uses
/// them.
class Worker : public wire::Stdio {
 public:
  Worker(WorkerId id, std::size_t tail_bytes) : id_(id), stderr_tail(tail_bytes) {}
  virtual ~Worker() = default;
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  [[nodiscard]] WorkerId id() const { return id_; }

  // ---- the process and its pipes, which each world has. Nothing blocks; errors are errno values
  [[nodiscard]] virtual int pid() const = 0;
  [[nodiscard]] virtual bool stdin_open() const = 0;
  /// Called entered, since an error in the making may look at that pipe.
  virtual void close_stdin() = 0;
  /// Bytes on its stdout that nobody has read; 0 also at its end.
  [[nodiscard]] virtual Expected<std::size_t, int> unread_output() const = 0;
  /// Nothing is left to read from its stdout, and nobody is left who could write there.
  [[nodiscard]] virtual bool output_ended() const = 0;
  /// What the process does now, for an error that tells of a call without an answer.
  [[nodiscard]] virtual Activity activity() const { return {}; }
  /// The resident memory of its process alone, without those that it has started. 0: not known.
  /// After the process was reaped it may be that of a stranger.
  [[nodiscard]] virtual std::uint64_t rss_bytes() const { return 0; }
  virtual Expected<std::size_t, int> read_stderr(std::span<char> into) = 0;
  /// Sends a signal to its process group, unless somebody else has reaped it. Requires: we have not
  /// reaped it. After that the group's number may belong to strangers.
  virtual void signal_group(int signal) = 0;
  /// How the process ended, without reaping it; nothing while it runs. ECHILD: others reaped it.
  [[nodiscard]] virtual Expected<std::optional<ExitStatus>, int> peek_exit() const = 0;
  virtual Expected<ExitStatus, int> reap() = 0;
  /// `exit` has been set: wakes the holder of the lease, if it waits for that.
  virtual void exit_published() {}

  /// Reads what is on stderr, bounded, and hands each piece to `keep`. False at its end.
  template <class Keep>
  bool drain_stderr(Keep keep) {
    std::array<char, 16384> chunk;  // NOLINT(*-member-init): only what was read is looked at
    // Bounded: a worker that floods its stderr must not keep the loop from the others.
    for (int rounds = 0; rounds < 8; ++rounds) {
      const auto got = read_stderr(chunk);
      if (!got) return got.error() == EAGAIN;
      if (*got == 0) return false;
      keep(std::string_view(chunk.data(), *got));
      if (*got < chunk.size()) return true;
    }
    return true;
  }

  /// Reads what is on stderr into `stderr_tail`, bounded. False at its end.
  bool drain_stderr() {
    return drain_stderr([this](std::string_view bytes) { stderr_tail.append(bytes); });
  }

  /// What the event loop waits for from a worker: its end, bytes on stderr or stdout, two
  /// deadlines.
  struct Wants {
    bool end = false;
    bool text = false;
    bool output = false;
    Time handshake_due = kNever;
    Time idle_due = kNever;
  };
  [[nodiscard]] Wants wants() const {
    Wants wants;
    wants.end = !reaped;
    wants.text = stderr_open && !reaped;
    // A pipe at its end is always ready: it would keep the loop spinning.
    wants.output = !reaped && (handshake ? handshake->wants_to_read() : watched);
    if (handshake) wants.handshake_due = handshake->next_deadline();
    wants.idle_due = std::min(watch_at, suspect_at);
    return wants;
  }

 protected:
  /// Makes the object as new, for a world that uses its workers' memory again.
  void begin_again(WorkerId id) {
    id_ = id;
    next_request = 1;
    calls = 0;
    carried.clear();
    told_to_look = false;
    told_to_go = RemovalReason::none;
    ping_bytes = 0;
    answer_bytes = 0;
    stderr_tail.clear();
    exit.reset();
    handshake.reset();
    stderr_open = true;
    pinged = watched = reaped = handshake_reported = exit_reported = false;
    watch_at = suspect_at = kNever;
  }

 private:
  WorkerId id_;

 public:
  // ---- used by the holder of the lease
  std::int64_t next_request = 1;
  std::uint32_t calls = 0;  ///< calls of which something was written to it
  /// What was read of its stdout and belongs to no reply, where workers speak unasked. The event
  /// loop uses it, too: while it greets the worker, and, entered, while the worker is idle.
  std::string carried;

  // ---- used entered
  bool told_to_look = false;  ///< the loop has been told that it is idle, and has not looked yet
  RemovalReason told_to_go = RemovalReason::none;
  std::uint32_t ping_bytes = 0;  ///< size of its init ping; 0: not written yet
  std::size_t answer_bytes = 0;  ///< answers to its own requests, written to it behind that ping
  Tail stderr_tail;
  std::optional<ExitStatus> exit;  ///< how the process ended, once it has been reaped

  // ---- used by the event loop
  std::optional<Handshake> handshake;  ///< the handshake of its start, or an idle ping
  bool pinged = false;                 ///< `handshake` is an idle ping
  bool stderr_open = true;             ///< the end of its stderr has not been seen
  bool watched = false;                ///< idle for a while: a byte on its stdout is noticed
  Time watch_at = kNever;              ///< when it is watched, if it is still idle
  /// When it counts as unsolicited that its stdout ended while it was idle, or that part of a
  /// message is there, unless it exits or the rest comes before.
  Time suspect_at = kNever;
  bool reaped = false;
  bool handshake_reported = false;  ///< the Core knows what came of its handshake
  bool exit_reported = false;       ///< the Core knows that it has ended
};

using WorkerRef = std::shared_ptr<Worker>;

}  // namespace poolproof::pool
