#include "harness/wire/conversation.hpp"

#include <algorithm>
#include <utility>

#include <fmt/compile.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "harness/base/assert.hpp"
#include "harness/base/text.hpp"
#include "harness/wire/misframing.hpp"

namespace poolproof::wire {
namespace {

constexpr std::size_t kFirstBytesMax = 64;
/// How long a conversation waits for the rest of a message that follows the reply, and for a worker
/// that takes no more of the answers it is owed.
constexpr Duration kRestWait{250'000};
/// The most bytes of answers that are kept for a worker that does not read them.
constexpr std::size_t kAnswersMostBytes = std::size_t{1} << 20U;

constexpr std::string_view kEcho =
    "the worker gives back what it is sent, as cat does, or a terminal in front of it";

}  // namespace

Conversation::Conversation(Framing framing, Payload payload, std::int64_t request_id,
                           std::string frame, Time deadline, Codec codec, Speech speech)
    : framing_(framing),
      payload_(payload),
      codec_(codec),
      speech_(speech),
      request_id_(request_id),
      frame_(std::move(frame)),
      request_bytes_(frame_.size()),
      deadline_(deadline),
      decoder_(framing) {}

std::string_view Conversation::pending_output() const {
  return decided() ? std::string_view() : std::string_view(frame_).substr(written_);
}

void Conversation::wrote(std::size_t bytes) {
  POOLPROOF_ASSERT(bytes <= frame_.size() - written_);
  written_ += bytes;
  if (decided() && bytes > 0) doubt();
  // A worker that reads its answers, however slowly, is waited for until the call's own deadline.
  if (bytes > 0 && owes_answers()) rest_until_ = Time{};
  if (reply_ && undecoded().empty() && !owes_answers()) hand_over(false);
}

void Conversation::write_failed(int errno_value) {
  if (reply_) return hand_over(true);
  if (decided()) return doubt();
  decide(Outcome::stdin_closed, true,
         fmt::format(FMT_COMPILE("the worker closed its stdin and lives on (errno {}); {}, {}"),
                     errno_value, request_progress(), reply_progress()));
}

void Conversation::found_stale(std::string_view unasked) {
  const std::string what = unasked.empty()
                               ? "the worker had ended or closed its stdout"
                               : "the worker had written unasked: " + hex_and_text(unasked);
  decide(Outcome::stale_worker, true,
         what + " before the request was written; nothing was written, it is safe to ask again");
  result_->first_bytes = unasked;
}

void Conversation::read(std::string_view bytes) {
  if (bytes.empty()) return;
  read_ += bytes.size();
  if (decided()) return doubt();
  // Most replies arrive in one read: such a reply is not copied into the buffer.
  if (decoder_.buffered_bytes() == 0 && !speaks_unasked()) {
    const WholeFrame whole = whole_frame(framing_, bytes);
    if (!whole.payload.empty())
      return decide_by_frame(whole.payload, bytes, bytes.size() - whole.bytes);
  }
  decoder_.push(bytes);
  if (reply_) return read_after_reply();
  while (!decided() && !reply_ && take_frame()) {
  }
}

bool Conversation::take_frame() {
  const auto frame = decoder_.next();
  if (!frame) {
    decide_protocol_error(frame.error().message, frame.error().first_bytes);
    return false;
  }
  if (!frame->has_value()) return false;
  const std::size_t surplus = decoder_.buffered_bytes();
  const std::string_view all(decoder_.last_frame().data(), decoder_.last_frame().size() + surplus);
  decide_by_frame(**frame, all, surplus);
  return true;
}

void Conversation::heard_before(std::string_view bytes) {
  if (!speaks_unasked()) return found_stale(bytes);
  decoder_.push(bytes);
  for (;;) {
    const auto frame = decoder_.next();
    if (!frame) return found_stale(frame.error().first_bytes);
    if (!*frame) break;
    // No request has the id -1, so nothing is taken for a reply here.
    if (!is_unasked(row_of(speech_).hear(**frame, -1)))
      return found_stale(decoder_.last_frame().substr(0, kFirstBytesMax));
  }
  if (!may_begin_message(framing_, undecoded())) found_stale(undecoded().substr(0, kFirstBytesMax));
}

bool Conversation::is_unasked(const Heard& heard) {
  if (heard.kind == Heard::Kind::asked) {
    if (frame_.size() - written_ > request_bytes_ + kAnswersMostBytes) return false;
    if (const auto answer = encode_frame(framing_, heard.answer)) frame_ += *answer;
  }
  return heard.kind == Heard::Kind::asked || heard.kind == Heard::Kind::unasked;
}

bool Conversation::speaks_unasked() const {
  return payload_ != Payload::opaque && row_of(speech_).speaks_unasked;
}

void Conversation::output_closed() {
  if (reply_) return hand_over(true);
  if (decided()) return doubt();
  if (has_begun_to_reply()) return decide_truncated("the worker closed its stdout and lives on");
  decide(Outcome::stdout_closed, true,
         fmt::format(FMT_COMPILE("the worker closed its stdout and lives on; {}, {}"),
                     request_progress(), reply_progress()));
}

void Conversation::ended(ExitStatus status) {
  if (reply_) return hand_over(true);
  if (decided()) return doubt();
  const bool by_itself = status.signal == 0 && status.code >= 0;
  const std::string how =
      status.code < 0 ? "the worker ended"
      : by_itself     ? fmt::format(FMT_COMPILE("the worker exited with code {}"), status.code)
                  : fmt::format(FMT_COMPILE("the worker was ended by signal {}"), status.signal);
  if (has_begun_to_reply() && by_itself) {
    decide_truncated(how);
  } else {
    decide(Outcome::worker_died, true,
           fmt::format(FMT_COMPILE("{} before it replied; {}, {}"), how, request_progress(),
                       reply_progress()));
  }
  result_->exit = status;
}

void Conversation::tick(Time now) {
  if (reply_) {
    if (rest_until_ == Time{}) rest_until_ = std::min(deadline_, after(now, kRestWait));
    if (now >= rest_until_) hand_over(true);
    return;
  }
  if (decided() || now < deadline_) return;
  decide(Outcome::call_timeout, touched(),
         fmt::format(FMT_COMPILE("no reply within the call timeout; {}, {}"), request_progress(),
                     reply_progress()));
}

void Conversation::cancel() {
  if (reply_) return hand_over(true);
  if (decided()) return;
  decide(Outcome::cancelled, touched(),
         fmt::format(FMT_COMPILE("the call was cancelled; {}, {}"), request_progress(),
                     reply_progress()));
}

Phase Conversation::phase() const {
  if (decided()) return result_->phase;
  if (written_ < request_bytes_) return Phase::writing_request;
  return read_ == 0 ? Phase::awaiting_reply : Phase::reading_reply;
}

const CallResult& Conversation::result() const {
  POOLPROOF_ASSERT(decided());
  return *result_;
}

CallResult Conversation::take_result() {
  POOLPROOF_ASSERT(decided());
  return std::move(*result_);
}

void Conversation::decide(Outcome outcome, bool in_doubt, std::string detail) {
  POOLPROOF_ASSERT(!decided());
  const Phase reached = phase();
  CallResult& result = result_.emplace();
  result.outcome = outcome;
  result.phase = reached;
  result.in_doubt = in_doubt;
  result.detail = std::move(detail);
  result.written_bytes = written_;
  result.read_bytes = read_;
  if (written_ > 0 || !speaks_unasked()) return;
  result.carried = undecoded();
  result.owed = frame_.substr(request_bytes_);
}

void Conversation::decide_by_frame(std::string_view payload, std::string_view all,
                                   std::size_t surplus) {
  const bool carries = speaks_unasked();
  const bool in_doubt = written_ < request_bytes_ || (surplus > 0 && !carries);
  if (payload_ == Payload::opaque) {
    decide(Outcome::ok, in_doubt, "");
    result_->payload = payload;
    return;
  }
  Heard heard = hear(payload);
  if (is_unasked(heard)) return;
  if (heard.kind == Heard::Kind::asked) {
    return decide_protocol_error(
        fmt::format("the worker asks and does not read the answers, of which {} bytes wait",
                    frame_.size() - std::max(written_, std::uint64_t{request_bytes_})),
        payload);
  }
  if (heard.kind == Heard::Kind::wrong)
    return decide_protocol_error(heard.why + likely(all), payload);
  if (const std::string wrong = wrong_greeting(heard.reply); !wrong.empty())
    return decide_protocol_error(wrong, payload);
  if (heard.reply.success) {
    decide(Outcome::ok, in_doubt, "");
  } else {
    decide(Outcome::worker_error, in_doubt,
           "the worker answered with an error: " + printable(heard.reply.error));
  }
  result_->reply = std::move(heard.reply);
  if (!carries) return;
  reply_ = std::exchange(result_, std::nullopt);
  rest_until_ = Time{};
  read_after_reply();
}

/// Whether a message is our own request, echoed. An idle ping can't be told from the worker's own
/// ping, so in a handshake only the greeting is recognised.
bool Conversation::is_request(std::string_view payload) const {
  if (payload_ == Payload::handshake && request_id_ != 0) return false;
  const std::string_view request = std::string_view(frame_).substr(0, request_bytes_);
  return same_message(payload, whole_frame(framing_, request).payload);
}

/// Whether a message has begun that no reply has ended. What was heard before the call is of no
/// reply.
bool Conversation::has_begun_to_reply() const {
  return read_ > 0 && !undecoded().empty();
}

/// Whether answers to the worker's own requests are still to be written. A call ends only when they
/// are, for nobody knows how much room the worker's pipe has.
bool Conversation::owes_answers() const {
  return written_ >= request_bytes_ && written_ < frame_.size();
}

/// Reads what follows the reply: it must be what a worker may say unasked. If part of a message is
/// missing, the rest is waited for, or the next call would begin in the middle of it.
void Conversation::read_after_reply() {
  for (;;) {
    const auto frame = decoder_.next();
    if (!frame) return hand_over(true);
    if (!*frame) break;
    if (!is_unasked(row_of(speech_).hear(**frame, -1))) return hand_over(true);
  }
  if (undecoded().empty()) {
    if (!owes_answers()) hand_over(false);
    return;
  }
  if (!may_begin_message(framing_, undecoded())) hand_over(true);
}

void Conversation::hand_over(bool in_doubt) {
  result_ = std::exchange(reply_, std::nullopt);
  result_->in_doubt = result_->in_doubt || in_doubt;
  result_->written_bytes = written_;
  result_->read_bytes = read_;
  if (written_ >= request_bytes_) result_->owed = frame_.substr(written_);
}

Heard Conversation::hear(std::string_view payload) const {
  if (codec_ == Codec::json) {
    Heard heard = row_of(speech_).hear(payload, request_id_);
    // A request equal to ours is our own, echoed: to answer it would be to answer ourselves.
    if (heard.kind == Heard::Kind::asked && is_request(payload))
      return {Heard::Kind::wrong, {}, "", std::string(kEcho)};
    return heard;
  }
  auto reply = decode_terse_reply(payload, request_id_);
  if (!reply) return {Heard::Kind::wrong, {}, "", std::move(reply.error())};
  return {Heard::Kind::reply, *std::move(reply), "", ""};
}

/// What is wrong with a successful reply to the greeting or to a ping; empty: nothing.
std::string Conversation::wrong_greeting(const Reply& reply) const {
  if (payload_ != Payload::handshake || !reply.success) return "";
  const SpeechRow& row = row_of(speech_);
  const bool greeting = request_id_ == 0;
  if (!reply.result_is_object) {
    const std::string shape = reply.result ? reply.result->type_name() : "unknown";
    return fmt::format("the result of {} must be an object, it is of type {}",
                       greeting ? row.greeting_name : "ping", shape);
  }
  return greeting && row.bad_greeting != nullptr ? row.bad_greeting(reply) : "";
}

void Conversation::decide_protocol_error(std::string detail, std::string_view bytes) {
  decide(Outcome::protocol_error, true, std::move(detail));
  result_->first_bytes = bytes.substr(0, kFirstBytesMax);
}

void Conversation::decide_truncated(std::string_view how) {
  decide_protocol_error(
      fmt::format(FMT_COMPILE("reply truncated: {}, then {}{}"), received(), how, text_so_far()),
      undecoded());
  result_->truncated = true;
}

void Conversation::doubt() {
  result_->in_doubt = true;
  result_->written_bytes = written_;
  result_->read_bytes = read_;
}

std::string Conversation::request_progress() const {
  if (written_ >= request_bytes_)
    return fmt::format(FMT_COMPILE("request written ({} bytes)"), request_bytes_);
  return fmt::format(FMT_COMPILE("{} of {} bytes of the request written"), written_,
                     request_bytes_);
}

std::string Conversation::reply_progress() const {
  if (read_ == 0) return "0 bytes came back";
  // All of it was messages that a worker may say unasked.
  if (undecoded().empty())
    return fmt::format(FMT_COMPILE("{} bytes of messages came back that are no reply"), read_);
  return fmt::format(FMT_COMPILE("reply incomplete: {}{}"), received(), text_so_far());
}

std::string Conversation::received() const {
  return decoder_.progress();
}

std::string Conversation::likely(std::string_view bytes) const {
  if (codec_ != Codec::json) return "";
  const auto suspicion = suspect(framing_, bytes);
  // Broken JSON has been named already by the parser, and bytes that follow a sound message do not
  // make that message wrong.
  return suspicion && suspicion->kind != Misframing::broken_json && !first_is_sound(suspicion->kind)
             ? "; most likely " + suspicion->words
             : "";
}

std::string Conversation::text_so_far() const {
  // A line of JSON and a block of headers are text by themselves. With a short length prefix the
  // first letters of a banner pass for a length.
  const bool is_begun = (framing_.by_lines() || framing_.wire == Wire::headers) &&
                        codec_ == Codec::json && may_begin_message(framing_, undecoded());
  return is_text(undecoded()) && !is_begun
             ? "; text where a frame should be: " + hex_and_text(undecoded())
             : likely(undecoded());
}

}  // namespace poolproof::wire
