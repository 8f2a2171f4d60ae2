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
  handshake,  ///< a reply to the greeting or a ping: `result` must be an object
  opaque,     ///< any bytes: the first whole frame is the reply
};

/// How a conversation ended.
struct CallResult {
  Outcome outcome = Outcome::ok;
  Phase phase = Phase::none;  ///< the phase that it had reached when it ended
  bool in_doubt = false;      ///< the stream can't be trusted: the worker must leave service
  Reply reply;                ///< set if an envelope or handshake ended as ok or worker_error
  std::string payload;        ///< set if an opaque call ended as ok: the reply's bytes
  /// Why it did not end as ok: one sentence for people, safe on a terminal.
  std::string detail;
  /// protocol_error: the first bytes of what was no reply, raw, at most 64. stale_worker: those of
  /// what the worker had written before the request.
  std::string first_bytes;
  /// Part of a message that the worker sends unasked, if nothing of the request was written: the
  /// next conversation must hear it first.
  std::string carried;
  std::string owed;  ///< answers to the worker's own requests that are still to be written to it
  std::uint64_t written_bytes = 0;  ///< including those written after the decision
  std::uint64_t read_bytes = 0;     ///< including those read after the decision
  ExitStatus exit;                  ///< how the process ended, if that decided the outcome
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
///  * In a speech in which workers speak unasked, whole messages of that kind may come before and
///    after the reply. If part of one follows the reply, the rest is waited for, for 250 ms at most
///    and not beyond the deadline; then, or if anything ends sooner, the outcome is that of the
///    reply, in_doubt. The same holds while answers to the worker's own requests are unwritten, but
///    with each byte that it takes the 250 ms begin anew; above 1 MiB of them it is a
///    protocol_error.
///  * A request that is given back is a protocol_error; it is never answered.
///  * A whole frame decides even when the request is not fully written yet (phase
///    writing_request): if it is a reply to this request the outcome is ok or worker_error, but
///    `in_doubt` is true (the rest of the request will never be written).
///  * deadline, cancel: call_timeout / cancelled; in_doubt exactly when a byte was written or read
///    (an unwritten request leaves the stream as it was; a byte read is missing from it).
///  * ended(status): what was read before still counts (the world drains stdout first). Without a
///    whole frame: by a signal or unknown -> worker_died; with part of a frame and an exit code ->
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

  /// Takes what was read from the worker since the previous request; to be called first. In a
  /// speech in which workers speak unasked, that may be notifications and requests. Anything else
  /// decides the conversation: stale_worker.
  void heard_before(std::string_view bytes);

  /// The bytes still to be written. Empty when all are written or the conversation is decided.
  [[nodiscard]] std::string_view pending_output() const;
  void wrote(std::size_t bytes);
  void write_failed(int errno_value);

  /// There was output in stdout before the first byte was written. Empty `unasked`: stdout had
  /// ended.
  void found_stale(std::string_view unasked);
  void read(std::string_view bytes);
  void output_closed();
  void ended(ExitStatus status);
  void tick(Time now);  ///< decides if now >= deadline
  void cancel();

  [[nodiscard]] Time deadline() const { return reply_ ? rest_until_ : deadline_; }
  /// The reply has come, but the conversation waits for more, until deadline(): for the rest of a
  /// message behind it, or for the worker to take the answers to its own requests.
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
  /// Decides by the next frame. False if there is no whole and sound one.
  bool take_frame();
  /// Whether a message is one that may come at any time: a notification, or the worker's own
  /// request, which is answered. False if too much of earlier answers is still unwritten.
  [[nodiscard]] bool is_unasked(const Heard& heard);
  [[nodiscard]] bool speaks_unasked() const;
  [[nodiscard]] bool is_request(std::string_view payload) const;
  void read_after_reply();
  [[nodiscard]] bool owes_answers() const;
  [[nodiscard]] bool has_begun_to_reply() const;
  void hand_over(bool in_doubt);
  [[nodiscard]] Heard hear(std::string_view payload) const;
  [[nodiscard]] std::string wrong_greeting(const Reply& reply) const;
  void decide(Outcome outcome, bool in_doubt, std::string detail);
  /// `all` is the frame and what follows it; `surplus` is the size of what follows.
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
  std::string frame_;          ///< the request, then the answers to the worker's own requests
  std::size_t request_bytes_;  ///< the size of the request alone, without the answers
  Time deadline_;
  FrameDecoder decoder_;
  std::uint64_t written_ = 0;
  std::uint64_t read_ = 0;
  /// The result, held back while the rest of a message is missing.
  std::optional<CallResult> reply_;
  Time rest_until_{};  ///< when that wait ends; zero: the next tick() sets it
  std::optional<CallResult> result_;
};

}  // namespace poolproof::wire
