#include "harness/wire/conversation.hpp"

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

}  // namespace

Conversation::Conversation(Framing framing, Payload payload, std::int64_t request_id,
                           std::string frame, Time deadline, Codec codec)
    : framing_(framing),
      payload_(payload),
      codec_(codec),
      request_id_(request_id),
      frame_(std::move(frame)),
      deadline_(deadline),
      decoder_(framing) {}

std::string_view Conversation::pending_output() const {
  return decided() ? std::string_view() : std::string_view(frame_).substr(written_);
}

void Conversation::wrote(std::size_t bytes) {
  POOLPROOF_ASSERT(bytes <= frame_.size() - written_);
  written_ += bytes;
  if (decided() && bytes > 0) doubt();
}

void Conversation::write_failed(int errno_value) {
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
  if (decoder_.buffered_bytes() == 0) {
    const WholeFrame whole = whole_frame(framing_, bytes);
    if (!whole.payload.empty())
      return decide_by_frame(whole.payload, bytes, bytes.size() - whole.bytes);
  }
  decoder_.push(bytes);
  auto frame = decoder_.next();
  if (!frame) {
    decide_protocol_error(std::move(frame.error().message), frame.error().first_bytes);
  } else if (frame->has_value()) {
    const std::size_t surplus = decoder_.buffered_bytes();
    const std::string_view all(decoder_.last_frame().data(),
                               decoder_.last_frame().size() + surplus);
    decide_by_frame(**frame, all, surplus);
  }
}

void Conversation::output_closed() {
  if (decided()) return doubt();
  if (read_ > 0) return decide_truncated("the worker closed its stdout and lives on");
  decide(Outcome::stdout_closed, true,
         fmt::format(FMT_COMPILE("the worker closed its stdout and lives on; {}, {}"),
                     request_progress(), reply_progress()));
}

void Conversation::ended(ExitStatus status) {
  if (decided()) return doubt();
  const std::string how =
      status.signal != 0
          ? fmt::format(FMT_COMPILE("the worker was ended by signal {}"), status.signal)
          : fmt::format(FMT_COMPILE("the worker exited with code {}"), status.code);
  if (read_ > 0 && status.signal == 0) {
    decide_truncated(how);
  } else {
    decide(Outcome::worker_died, true,
           fmt::format(FMT_COMPILE("{} before it replied; {}, {}"), how, request_progress(),
                       reply_progress()));
  }
  result_->exit = status;
}

void Conversation::tick(Time now) {
  if (decided() || now < deadline_) return;
  decide(Outcome::call_timeout, touched(),
         fmt::format(FMT_COMPILE("no reply within the call timeout; {}, {}"), request_progress(),
                     reply_progress()));
}

void Conversation::cancel() {
  if (decided()) return;
  decide(Outcome::cancelled, touched(),
         fmt::format(FMT_COMPILE("the call was cancelled; {}, {}"), request_progress(),
                     reply_progress()));
}

Phase Conversation::phase() const {
  if (decided()) return result_->phase;
  if (written_ < frame_.size()) return Phase::writing_request;
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
}

void Conversation::decide_by_frame(std::string_view payload, std::string_view all,
                                   std::size_t surplus) {
  const bool in_doubt = written_ < frame_.size() || surplus > 0;
  if (payload_ == Payload::opaque) {
    decide(Outcome::ok, in_doubt, "");
    result_->payload = payload;
    return;
  }
  Expected<Reply, std::string> reply = codec_ == Codec::json
                                           ? decode_reply(payload, request_id_)
                                           : decode_terse_reply(payload, request_id_);
  if (!reply) {
    return decide_protocol_error(reply.error() + likely(all), payload);
  }
  if (payload_ == Payload::handshake && reply->success && !reply->result_is_object) {
    const std::string shape = reply->result ? reply->result->type_name() : "unknown";
    return decide_protocol_error("the result of the ping must be an object, it is of type " + shape,
                                 payload);
  }
  if (reply->success) {
    decide(Outcome::ok, in_doubt, "");
  } else {
    decide(Outcome::worker_error, in_doubt,
           "the worker answered with an error: " + printable(reply->error));
  }
  result_->reply = *std::move(reply);
}

void Conversation::decide_protocol_error(std::string detail, std::string_view bytes) {
  decide(Outcome::protocol_error, true, std::move(detail));
  result_->first_bytes = bytes.substr(0, kFirstBytesMax);
}

void Conversation::decide_truncated(std::string_view how) {
  decide_protocol_error(
      fmt::format(FMT_COMPILE("reply truncated: {}, then {}{}"), received(), how, text_so_far()),
      undecoded());
}

void Conversation::doubt() {
  result_->in_doubt = true;
  result_->written_bytes = written_;
  result_->read_bytes = read_;
}

std::string Conversation::request_progress() const {
  if (written_ == frame_.size())
    return fmt::format(FMT_COMPILE("request written ({} bytes)"), written_);
  return fmt::format(FMT_COMPILE("{} of {} bytes of the request written"), written_, frame_.size());
}

std::string Conversation::reply_progress() const {
  if (read_ == 0) return "0 bytes came back";
  return fmt::format(FMT_COMPILE("reply incomplete: {}{}"), received(), text_so_far());
}

std::string Conversation::received() const {
  return decoder_.progress();
}

std::string Conversation::likely(std::string_view bytes) const {
  if (codec_ != Codec::json) return "";
  const auto suspicion = suspect(framing_, bytes);
  return suspicion ? "; most likely " + suspicion->words : "";
}

std::string Conversation::text_so_far() const {
  // With a short length prefix the first letters of a banner pass for a length.
  return is_text(undecoded()) ? "; text where a frame should be: " + hex_and_text(undecoded())
                              : likely(undecoded());
}

}  // namespace poolproof::wire
