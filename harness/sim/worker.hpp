#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "harness/pool/effect.hpp"
#include "harness/pool/greeting.hpp"
#include "harness/sim/machine.hpp"
#include "harness/sim/process.hpp"
#include "harness/wire/exchange.hpp"
#include "harness/wire/stdio.hpp"

namespace poolproof::sim {

/// One incarnation: the process, its pipes, and what the pool keeps of it while it exists or
/// somebody still looks at it.
class Worker final : public wire::Stdio {
 public:
  /// `number` is its place among the machine's workers: its tasks are named by it.
  Worker(Machine& machine, std::uint32_t number) : machine_(machine), number_(number) {}

  void start(faults::BrainConfig config);

  // Our ends of its pipes.
  Expected<std::size_t, int> write(std::string_view bytes) override;
  Expected<std::size_t, int> read(std::span<char> into) override;
  [[nodiscard]] Expected<std::size_t, int> unread() const override;
  [[nodiscard]] bool nobody_reads() const override;
  void close_stdin();
  void close_all();
  /// Reads what is on stderr into the tail, of which the last bytes are kept.
  void drain_stderr(std::size_t tail_bytes);

  /// Says who of its own can go on, now or when: after everything that touched it.
  void look();
  /// Nobody of its own goes on any more.
  void drop_tasks();

  [[nodiscard]] WorkerId id() const { return id_; }
  [[nodiscard]] std::uint32_t number() const { return number_; }
  [[nodiscard]] Process& process() { return process_; }
  [[nodiscard]] const Process& process() const { return process_; }
  [[nodiscard]] const Pipes& pipes() const { return pipes_; }
  [[nodiscard]] const std::string& stderr_tail() const { return stderr_tail_; }
  [[nodiscard]] bool stdin_open() const { return stdin_open_; }
  /// How many ends of its pipes we hold.
  [[nodiscard]] std::uint32_t descriptors() const {
    return std::uint32_t{stdin_open_} + std::uint32_t{stdout_open_} + std::uint32_t{stderr_open_};
  }

  // Kept by the pool.
  std::optional<pool::Greeting> greeting;
  bool watched = false;      ///< idle for a while: a byte on its stdout is noticed
  Time watch_at = kNever;    ///< from then on it is watched, if it is still idle
  Time suspect_at = kNever;  ///< its stdout ended while idle: stray, unless it has exited by then
  bool reaped = false;
  bool end_told = false;  ///< the Core knows that it has ended
  bool forgotten = false;
  pool::RemovalReason told_to_go = pool::RemovalReason::none;
  std::uint32_t ping_bytes = 0;  ///< 0: not written yet

  // Kept by the holder of the lease.
  std::int64_t next_request = 1;
  std::uint32_t holders = 0;       ///< clients that still look at it
  wire::Exchange* call = nullptr;  ///< under way
  std::uint32_t caller = 0;        ///< the client whose call it is
  bool end_awaited = false;        ///< the caller waits for its post-mortem
  bool stop_asked = false;         ///< the caller is to look at its call, whatever else there is

 private:
  Machine& machine_;
  std::uint32_t number_;
  WorkerId id_;
  Pipes pipes_;
  Process process_;
  bool stdin_open_ = false;
  bool stdout_open_ = false;
  bool stderr_open_ = false;
  std::string stderr_tail_;
};

}  // namespace poolproof::sim
