#pragma once

#include <cstdint>

#include "harness/pool/worker.hpp"
#include "harness/sim/machine.hpp"
#include "harness/sim/process.hpp"
#include "harness/wire/exchange.hpp"

namespace poolproof::sim {

/// One incarnation on the simulated machine: the process and its pipes. Its memory is used again.
class Worker final : public pool::Worker {
 public:
  /// `number` is its place among the machine's workers: its tasks are named by it.
  Worker(Machine& machine, std::uint32_t number);

  void start(faults::BrainConfig config);

  // Our ends of its pipes.
  Expected<std::size_t, int> write(std::string_view bytes) override;
  Expected<std::size_t, int> read(std::span<char> into) override;
  [[nodiscard]] Expected<std::size_t, int> unread() const override;
  [[nodiscard]] bool nobody_reads() const override;
  [[nodiscard]] bool stdin_open() const override { return stdin_open_; }
  void close_stdin() override;
  [[nodiscard]] Expected<std::size_t, int> unread_output() const override;
  [[nodiscard]] bool output_ended() const override;
  Expected<std::size_t, int> read_stderr(std::span<char> into) override;
  void close_all();

  // The process.
  [[nodiscard]] int pid() const override { return static_cast<int>(process_.pid()); }
  [[nodiscard]] Activity activity() const override {
    machine_.reads(Shared::state, number_);
    return {process_.stopped() ? Activity::Kind::stopped : Activity::Kind::waits, 0};
  }
  [[nodiscard]] std::uint64_t rss_bytes() const override {
    machine_.reads(Shared::work, number_);
    return process_.rss_bytes();
  }
  void signal_group(int signal) override { process_.signal_group(signal); }
  [[nodiscard]] Expected<std::optional<ExitStatus>, int> peek_exit() const override;
  Expected<ExitStatus, int> reap() override;

  /// Tells the agenda which tasks of the worker can go on, now or when; after everything that
  /// touched it.
  void look();
  /// Takes all tasks of the worker off the agenda.
  void drop_tasks();

  [[nodiscard]] std::uint32_t number() const { return number_; }
  [[nodiscard]] Process& process() { return process_; }
  [[nodiscard]] const Process& process() const { return process_; }
  /// How many ends of its pipes we hold.
  [[nodiscard]] std::uint32_t descriptors() const {
    return std::uint32_t{stdin_open_} + std::uint32_t{stdout_open_} + std::uint32_t{stderr_open_};
  }

  bool forgotten = false;  ///< nobody keeps it any more

  // Kept by the holder of the lease.
  wire::Exchange* call = nullptr;  ///< the call under way; null: none
  std::uint32_t caller = 0;        ///< the client whose call it is
  bool stop_asked = false;         ///< the caller is to look at its call, whatever else there is

 private:
  void look_at_call(bool readable, bool ended);

  Machine& machine_;
  std::uint32_t number_;
  Pipes pipes_;
  Process process_;
  bool stdin_open_ = false;
  bool stdout_open_ = false;
  bool stderr_open_ = false;
};

}  // namespace poolproof::sim
