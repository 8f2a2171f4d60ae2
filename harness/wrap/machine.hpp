#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "fake_workers/behaviour.hpp"
#include "fake_workers/plan.hpp"
#include "harness/base/clock.hpp"
#include "harness/base/ids.hpp"
#include "harness/base/outcome.hpp"
#include "harness/wrap/aims.hpp"
#include "harness/wrap/cutter.hpp"
#include "harness/wrap/order.hpp"
#include "harness/wrap/speech.hpp"

namespace poolproof::wrap {

struct MachineConfig {
  wire::Framing framing;
  Speech speech = Speech::bridge;
  WorkerId self;
  /// Must outlive the machine. Faults that are aimed at other workers are ignored; all others must
  /// be able to strike here (faults::cannot_strike).
  std::span<const faults::PlannedFault> plan;
  bool journals = false;  ///< the machine makes JournalRecords
};

/// Stands between a client and a real worker, and spoils what the worker says where the plan says
/// so. Pure: no clock, no system call. What no fault strikes is passed on byte for byte and in
/// order, even where it breaks the wire.
///
/// The world calls start(), carries out take_orders() in order, moves bytes as the four functions
/// to_* and wrote_* say, reads at most what wants_* says, and calls tick() at next_deadline(). A
/// frame at which no fault strikes waits only for its own last byte (without any plan not even for
/// that) and for whoever takes it: a pause before one reply does not delay the others.
///
/// Memory: at most two frames and two reads each way, which wants_* has let in; delayed output
/// counts.
class Machine {
 public:
  explicit Machine(const MachineConfig& config);

  void start(Time now);
  void from_client(std::string_view bytes, Time now);
  void client_ended(Time now);
  /// The client has stopped reading.
  void client_left();
  void from_worker(std::string_view bytes, Time now);
  void worker_output_ended(Time now);
  /// The worker is gone; all its output has been passed to from_worker().
  void worker_exited(ExitStatus status, Time now);
  void term(Time now);
  void tick(Time now);

  [[nodiscard]] std::size_t wants_client() const;
  [[nodiscard]] std::size_t wants_worker() const;
  [[nodiscard]] std::string_view to_worker() const;
  void wrote_to_worker(std::size_t bytes);
  /// The worker has stopped reading.
  void worker_left();
  [[nodiscard]] std::string_view to_client(Time now) const { return queue_.due(now); }
  void wrote_to_client(std::size_t bytes, Time now);
  [[nodiscard]] Time next_deadline(Time now) const;
  std::deque<Order> take_orders() { return std::exchange(orders_, {}); }

 private:
  using Stage = faults::Stage;
  using Departure = faults::Departure;
  using Reading = faults::WorkerState::Reading;

  /// Actions that are carried out one after the other, and an order that follows them.
  struct Script {
    faults::Actions actions;
    std::optional<Order> then = {};
    [[nodiscard]] std::size_t bytes() const;
  };

  void pass_on(const Piece& piece);
  void on_client_frame(const Piece& frame, Time now);
  void on_request(const Message& message, const Piece& frame, Time now);
  void give(const Piece& piece);
  void on_worker_frame(const Piece& frame, Time now);
  void answer(const PendingRequest& request, const Message& message, const Piece& frame, Time now);
  void spoil(const Aimed& aimed, faults::ReplyInProgress& reply, bool& stands_in,
             std::uint64_t request, faults::Actions& out);
  void write_reply(const faults::ReplyInProgress& reply, std::string bytes, std::uint64_t request,
                   faults::Actions& out);
  void misframed(std::string_view who, const Piece& piece);
  void strike(Stage stage, faults::Actions& out, Departure* departure = nullptr);
  void strike_at(Stage stage, const PendingRequest& request, faults::Actions& out,
                 faults::ReplyInProgress* reply = nullptr);
  void stop_if_planned(Time now);
  void stop_if_due(Time now);
  void stop_here(Time now);
  void leave(Departure::Cause cause, Time now);
  void forget_later();
  void play(Script script, Time now);
  void carry_out(faults::Action& action);
  void note(faults::JournalRecord record);
  void end_worker_input();
  void settle();

  MachineConfig config_;
  Aims aims_;
  faults::WorkerState state_;
  Cutter client_;
  Cutter worker_;
  OrderQueue queue_;
  std::string to_worker_;
  std::size_t to_worker_taken_ = 0;
  std::multimap<Time, Script> later_;
  std::size_t later_bytes_ = 0;
  std::deque<Order> orders_;
  std::optional<Departure::Cause> cause_;  ///< why the worker should exit
  std::optional<End> end_;  ///< how this process is to end, once all that is under way is out
  bool streams_;    ///< no fault is aimed at this worker: all bytes are passed on as they come
  bool ends_late_;  ///< faults strike at the worker's end
  /// A fault stops the reading before the next request, once all earlier replies are under way
  bool stop_is_held_ = false;
  bool started_ = false;
  bool read_any_ = false;
  bool stays_ = false;  ///< this process lives on though its worker exits
  bool lingers_ = false;
  bool mute_ = false;          ///< nothing of what the worker says is passed on
  bool closed_ = false;        ///< the client's stream is closed: nothing is written to it any more
  bool deaf_ = false;          ///< the worker reads no more
  bool output_ended_ = false;  ///< the worker's output has ended
  bool exited_ = false;        ///< the worker has exited; others may still hold its stdout
  bool input_ending_ = false;  ///< the worker's input ends once it has taken everything
  bool over_ = false;
};

}  // namespace poolproof::wrap
