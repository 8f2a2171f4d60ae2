#pragma once

#include <algorithm>
#include <functional>
#include <optional>

#include "harness/pool/event.hpp"
#include "harness/pool/requests.hpp"
#include "harness/wire/conversation.hpp"
#include "harness/wire/misframing.hpp"
#include "harness/wire/stdio.hpp"

namespace poolproof::pool {

/// One worker's init ping, and the post-mortem when it is not answered well. Never blocks; the
/// world calls it when its pipes are ready, when its time has come and when its process has ended.
///
/// The evidence, in the order in which it is looked for: an exit; text or a bad frame on stdout
/// (then it is given the post-mortem's time to exit, since a dead worker is the better
/// explanation); at the end of the budget, the ping still unread; else stdin is closed, and what
/// comes out then tells a reply never flushed from none.
class Handshake {
 public:
  using Clock = std::function<Time()>;
  using CloseStdin = std::function<void()>;
  /// Called with all bytes that are written and read, for those who want to show them.
  using Tap = std::function<void(bool written, std::string_view bytes)>;

  /// `ping` is the encoded request with the id `ping_id`, and `carried` what was read of the
  /// worker before. `pipes` must outlive the handshake. `clock` is asked after the pipes where a
  /// time begins and before them where one ends: a caller that is put to sleep in between takes
  /// none of its time from the worker.
  Handshake(wire::Stdio& pipes, const WireOptions& wire, std::string ping, Time deadline,
            Duration postmortem_budget, Clock clock, CloseStdin close_stdin, Tap tap = {},
            std::int64_t ping_id = 0, std::string_view carried = {});

  [[nodiscard]] bool wants_to_write() const { return !pending_output().empty(); }
  /// False once its stdout has ended, or it has answered well in a speech in which workers speak
  /// unasked: what it says next is for whoever reads next.
  [[nodiscard]] bool wants_to_read() const;
  [[nodiscard]] Time next_deadline() const {
    return conversation_.holds_reply() ? std::min(until_, conversation_.deadline()) : until_;
  }

  /// Writes and reads what can be without blocking.
  void exchange();
  void tick();
  void process_ended(ExitStatus status);
  /// Ends the time in which the worker may answer at `deadline`, if that is sooner.
  void hurry(Time deadline);

  /// How many bytes of answers to the worker's own requests have been written behind the ping.
  [[nodiscard]] std::size_t answer_bytes() const {
    return conversation_.written_bytes() - ping_written_;
  }

  /// Set once the handshake is over. With cause `none` the worker is good.
  [[nodiscard]] const std::optional<StartEvidence>& evidence() const { return evidence_; }
  /// Why what it wrote is no reply, in words; empty: nothing is known beyond the evidence.
  [[nodiscard]] const std::string& reason() const { return reason_; }

 private:
  enum class Stage : std::uint8_t { talking, dying, stdin_closed };

  [[nodiscard]] std::string_view pending_output() const;
  void write_some();
  void wrote_some(std::size_t bytes);
  void read_all();
  void judge();
  void confirm();
  void budget_over();
  void postmortem_over();
  [[nodiscard]] bool has_begun() const;
  [[nodiscard]] std::size_t unread_of_ping() const;
  void find_reason();
  void tell_whole_messages();
  void conclude(StartCause cause);
  [[nodiscard]] StartCause late_cause() const;
  [[nodiscard]] std::optional<wire::Suspicion> suspicion(std::string_view bytes) const;
  [[nodiscard]] StartCause unsound_cause() const;
  [[nodiscard]] StartCause unfinished_cause() const;

  wire::Stdio& pipes_;
  WireOptions wire_;
  std::int64_t ping_id_;
  wire::Conversation conversation_;
  Duration postmortem_budget_;
  Clock clock_;
  CloseStdin close_stdin_;
  Tap tap_;
  Stage stage_ = Stage::talking;
  Time until_;
  /// What is written after a good reply: answers still owed, and the confirmation.
  std::string last_words_;
  bool confirmed_ = false;
  std::size_t ping_written_ = 0;  ///< how many bytes of the ping have been written
  bool stdout_ended_ = false;
  bool stdin_broken_ = false;
  StartCause suspected_ = StartCause::none;
  bool unsound_ = false;  ///< the worker has answered, and not well
  std::string first_;     ///< the first bytes from its stdout
  std::string written_;   ///< the first bytes from its stdout, more than in first_
  std::string reason_;
  std::string late_;  ///< all bytes from its stdout after we closed its stdin, bounded
  StartEvidence gathered_;
  std::optional<StartEvidence> evidence_;
};

}  // namespace poolproof::pool
