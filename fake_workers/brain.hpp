#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fake_workers/action.hpp"
#include "fake_workers/behaviour.hpp"
#include "fake_workers/plan.hpp"
#include "fake_workers/request.hpp"
#include "fake_workers/sound_worker.hpp"
#include "harness/base/ids.hpp"
#include "harness/wire/framing.hpp"

namespace poolproof::faults {

/// Everything a Brain knows about itself.
struct BrainConfig {
  WorkerId self;
  wire::Framing framing;
  /// The whole plan, which must outlive the Brain; faults that are aimed at others are ignored.
  std::span<const PlannedFault> plan;
  std::string worker_id;  ///< what ping answers; usually "SLOT.GENERATION"
  std::string timestamp;  ///< JSON, copied into every reply
  wire::Codec codec = wire::Codec::json;
  wire::Speech speech = wire::Speech::bridge;
};

/// What a worker, sound or faulty, does with the bytes it reads. Pure: no clock, no system call.
///
/// The world calls start() once, carries the actions out, and then, as long as wants() > 0, reads
/// at most that many bytes from the worker's stdin and passes them to read(), or calls
/// end_of_input(). So what a faulty worker leaves unread stays in the pipe. After Exit or a deadly
/// Raise the Brain is over. TERM may come at any time, also between two actions: the world then
/// calls term(), carries its actions out first, and goes on with what was left unless they ended in
/// Exit.
class Brain {
 public:
  explicit Brain(BrainConfig config) { begin(std::move(config)); }
  /// Starts anew, as if just constructed, and reuses its memory.
  void begin(BrainConfig config);

  void start(Actions& out);
  void read(std::string_view bytes, Actions& out);
  /// Takes up the next of several requests that came in one read, when everything about the one
  /// before has been carried out. Requires: holds_request().
  void go_on(Actions& out);
  void end_of_input(Actions& out);
  void term(Actions& out);
  void computed(std::uint32_t primes, Actions& out);  ///< the answer to Compute
  void held_back() { state_.held_back(); }            ///< the answer to HoldBack

  /// How many bytes it is willing to read next: first the rest of a header, then the rest of a
  /// payload; on a wire whose headers have no fixed size, whatever comes. 0: it reads nothing (and
  /// notices no end of input), for some time or for good.
  [[nodiscard]] std::size_t wants() const;
  /// Whether it has read a further request already: it wants no bytes until go_on() has taken that
  /// up.
  [[nodiscard]] bool holds_request() const;

  /// Says, while an answer is being written, that `unread_bytes` more have come on stdin: who sent
  /// them did not wait for that answer.
  void input_waits(std::size_t unread_bytes) { came_early_ = read_bytes_ + unread_bytes; }

  /// Sets the time, as JSON, that its next replies carry.
  void set_timestamp(std::string json) { config_.timestamp = std::move(json); }

 private:
  /// A fault of the plan that is aimed at this incarnation.
  struct Aimed {
    const PlannedFault* planned;
    const Behaviour* behaviour;
  };

  void take_frame(Actions& out);
  /// Whether a fault stops it within the frame under way, before the frame is whole.
  [[nodiscard]] bool cut_off() const;
  void on_payload(std::string_view payload, bool early, Actions& out);
  void on_empty_frame(bool early, Actions& out);
  void on_lost_stream(const wire::FrameError& error, Actions& out);
  void serve(Actions& out);
  void answer(Answer answer, Actions& out);
  void write_reply(const ReplyInProgress& reply, Actions& out);
  void write_beginning(std::string bytes, const ReplyInProgress& reply, Actions& out);
  void after_reply(Actions& out);
  void leave(Departure departure, Actions& out);
  void stop_if_planned(Actions& out);
  void stop_here(Actions& out);
  /// Lets every fault of that stage strike that is aimed at this incarnation and at the request in
  /// hand.
  void strike(Stage stage, Actions& out, ReplyInProgress* reply = nullptr,
              Departure* departure = nullptr) {
    if (!faults_.empty()) strike_those_of(stage, out, reply, departure);
  }
  void strike_those_of(Stage stage, Actions& out, ReplyInProgress* reply, Departure* departure);
  [[nodiscard]] bool aimed_here(const Aimed& aimed) const;

  BrainConfig config_;
  std::vector<Aimed> faults_;
  SoundWorker worker_{""};
  wire::FrameDecoder decoder_{{}};
  Request request_;  ///< the request in hand, or the last one
  std::uint64_t read_count_ = 0;
  std::uint64_t read_bytes_ = 0;  ///< of its input, in all
  std::uint64_t came_early_ = 0;  ///< how many bytes had come when its last answer was not yet out
  WorkerState state_;
  std::string lines_;  ///< what was read while it looked for a line; bounded
  bool read_any_ = false;
  bool computing_ = false;
  bool terminated_ = false;
  bool repeats_reply_ = false;  ///< a fault of its plan repeats a reply
  bool told_to_leave_ = false;  ///< lsp: it has had `shutdown`, and leaves when `exit` comes
};

}  // namespace poolproof::faults
