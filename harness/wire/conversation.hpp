#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "harness/base/clock.hpp"
#include "harness/base/outcome.hpp"
#include "harness/wire/envelope.hpp"
#include "harness/wire/framing.hpp"
#include "harness/wire/speech.hpp"
#include "harness/wire/terse.hpp"

namespace poolproof::wire {

/// What the payload of the reply must be.
enum class Payload : std::uint8_t {
  envelope,   ///< a JSON reply with the request's id
  handshake,  ///< the same, and `result` must be an object (the init ping)
  opaque,     ///< any bytes: the first whole frame is the reply
};

/// How a conversation ended.
struct CallResult {
  Outcome outcome = Outcome::ok;
  Phase phase = Phase::none;  ///< where it was when it ended
  bool in_doubt = false;      ///< the stream can't be trusted: the worker must leave service
  Reply reply;                ///< envelope and handshake: ok and worker_error
  std::string payload;        ///< opaque and ok: the reply's bytes
  std::string detail;         ///< any other outcome: one sentence for a person, safe on a terminal
  /// protocol_error: the first bytes of what was no reply, raw, at most 64.
  std::string first_bytes;
  /// Where workers speak unasked and nothing was asked in the end: part of a message, which the
  /// next conversation hears first.
  std::string carried;
  std::string owed;  ///< answers to what the worker asked that are still to be written to it
  std::uint64_t written_bytes = 0;  ///< including those written after the decision
  std::uint64_t read_bytes = 0;     ///< including those read after the decision
  ExitStatus exit;                  ///< the status given to ended(), if that decided
  bool truncated = false;           ///< protocol_error: the stream ended within a frame
};

/// One request and its reply on one worker. Pure: bytes in, bytes out, deadline in, outcome out.
/// The same class serves the init ping, client calls and the `probe` command.
///
/// A conversation is decided by the first of these: a whole frame, a frame error, the end of the
/// worker or of its stdout, a write error, the deadline, a cancel. Anything later can only set
/// `in_doubt`, so the way in which the bytes are chunked never changes an outcome.
///
/// Rules:
///  * Where workers speak unasked, whole messages before and behind the reply are theirs. Part of
///    one behind it is waited for, for 250 ms at most and not beyond the deadline; then, or if
///    anything ends sooner, the outcome is that of the reply, in_doubt. So it is while more than
///    4096 bytes of answers to what the worker asked are unwritten; above 1 MiB of them it is a
///    protocol_error.
///  * The request itself, given back, is a protocol_error, and no question to be answered.
///  * A whole frame decides even when the request is not fully written yet (phase
///    writing_request): if it is a reply to this request the outcome is ok or worker_error, but
///    `in_doubt` is true (the rest of the request will never be written).
///  * deadline, cancel: call_timeout / cancelled; in_doubt exactly when a byte was written or read
///    (an unwritten request leaves the stream as it was; a byte read is missing from it).
///  * ended(status): what was read before still counts (the world drains stdout first). Without a
///    whole frame: by a signal -> worker_died; with part of a frame and an exit code ->
///    protocol_error (truncated 3 of 100 bytes, exit code); with nothing read -> worker_died.
///    Always in_doubt.
///  * output_closed(): stdout ended and the world found the process alive -> stdout_closed; part of
///    a frame read -> protocol_error (truncated). in_doubt.
///  * write_failed(): EPIPE while the process lives -> stdin_closed, unless a reply decides first.
///    in_doubt.
class Conversation {
 public:
  /// `frame` is the encoded request, header included; `request_id` is ignored for Payload::opaque.
  Conversation(Framing framing, Payload payload, std::int64_t request_id, std::string frame,
               Time deadline, Codec codec = Codec::json, Speech speech = Speech::bridge);

  /// What was read of the worker since the request before; comes before anything else. In a speech
  /// in which workers speak unasked, whatever is no reply may be there. Else, and for the rest,
  /// the conversation is decided: stale_worker.
  void heard_before(std::string_view bytes);

  /// The bytes still to be written. Empty when all are written or the conversation is decided.
  [[nodiscard]] std::string_view pending_output() const;
  void wrote(std::size_t bytes);
  void write_failed(int errno_value);

  /// Before the first byte was written there was something in stdout; no bytes: it had ended.
  void found_stale(std::string_view unasked);
  void read(std::string_view bytes);
  void output_closed();
  void ended(ExitStatus status);
  void tick(Time now);  ///< decides if now >= deadline
  void cancel();

  [[nodiscard]] Time deadline() const { return reply_ ? rest_until_ : deadline_; }
  /// The reply is there, and behind it part of what the worker may say unasked, or answers to much
  /// that it asked are still to be written: that is waited for, until deadline().
  [[nodiscard]] bool holds_reply() const { return reply_.has_value(); }
  [[nodiscard]] Phase phase() const;
  [[nodiscard]] bool decided() const { return result_.has_value(); }
  [[nodiscard]] std::uint64_t written_bytes() const { return written_; }
  [[nodiscard]] std::uint64_t read_bytes() const { return read_; }
  /// The bytes read so far that make no whole frame (for post-mortems).
  [[nodiscard]] std::string_view undecoded() const { return decoder_.buffered(); }
  /// Requires: decided().
  [[nodiscard]] const CallResult& result() const;
  [[nodiscard]] CallResult take_result();

 private:
  /// False: it waits for the rest of a frame.
  bool take_frame();
  /// What the worker said is its own affair, and answered if it asked; unless too much of what it
  /// was answered is unwritten still.
  [[nodiscard]] bool is_unasked(const Heard& heard);
  [[nodiscard]] bool speaks_unasked() const;
  [[nodiscard]] bool is_request(std::string_view payload) const;
  void carry_on();
  [[nodiscard]] bool owes_much() const;
  void hand_over(bool in_doubt);
  [[nodiscard]] Heard hear(std::string_view payload) const;
  [[nodiscard]] std::string wrong_greeting(const Reply& reply) const;
  void decide(Outcome outcome, bool in_doubt, std::string detail);
  /// `all`: the frame and what follows it, which are `surplus` bytes.
  void decide_by_frame(std::string_view payload, std::string_view all, std::size_t surplus);
  /// `; most likely ` and the rule that these bytes break, if one is known.
  [[nodiscard]] std::string likely(std::string_view bytes) const;
  void decide_protocol_error(std::string detail, std::string_view bytes);
  void decide_truncated(std::string_view how);
  void doubt();

  [[nodiscard]] bool touched() const { return written_ > 0 || read_ > 0; }
  [[nodiscard]] std::string request_progress() const;
  [[nodiscard]] std::string reply_progress() const;
  [[nodiscard]] std::string received() const;
  [[nodiscard]] std::string text_so_far() const;

  Framing framing_;
  Payload payload_;
  Codec codec_;
  Speech speech_;
  std::int64_t request_id_;
  std::string frame_;          ///< and the answers to what the worker asked, behind it
  std::size_t request_bytes_;  ///< of the request alone
  Time deadline_;
  FrameDecoder decoder_;
  std::uint64_t written_ = 0;
  std::uint64_t read_ = 0;
  std::optional<CallResult> reply_;  ///< the result to be, while the rest of a message is missing
  Time rest_until_{};                ///< zero: since just now
  std::optional<CallResult> result_;
};

}  // namespace poolproof::wire
