#include "harness/pool/handshake.hpp"

#include <algorithm>
#include <array>
#include <cerrno>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "harness/base/assert.hpp"
#include "harness/base/text.hpp"
#include "harness/wire/json_look.hpp"

namespace poolproof::pool {
namespace {

/// How much of a worker's output is kept, to look for the rule that it breaks.
constexpr std::size_t kWrittenKept = 65536;
/// The most that a late frame may have beside its payload.
constexpr std::size_t kHeaderKept = 1024;

/// How many bytes at the beginning are text, of those that the evidence keeps.
std::size_t leading_text(std::string_view bytes) {
  constexpr std::size_t kLooked = std::tuple_size_v<decltype(StartEvidence::first)>;
  std::size_t text = 0;
  while (text < std::min(bytes.size(), kLooked) && is_text(bytes.substr(0, text + 1))) ++text;
  return text;
}

/// The cause of a start whose bytes begin no frame, where no rule of their wire says more.
StartCause look_of(std::string_view first) {
  constexpr std::size_t kLeastText = 3;
  const std::size_t text = leading_text(first);
  // As a length of four bytes, text that begins with a brace would be over 2 GB.
  if (first.starts_with('{') && text > 1) return StartCause::reply_unframed;
  const bool is_text = text >= std::min(kLeastText, first.size()) && text > 0;
  return is_text ? StartCause::text_on_stdout : StartCause::bad_frame;
}

/// The cause of a start whose bytes break this rule.
StartCause cause_of(wire::Misframing kind) {
  switch (kind) {
    case wire::Misframing::json_line:
      return StartCause::reply_unframed;
    case wire::Misframing::text:
    case wire::Misframing::text_then_frame:
      return StartCause::text_on_stdout;
    default:
      return StartCause::bad_frame;
  }
}

std::uint32_t count(std::uint64_t bytes) {
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(bytes, UINT32_MAX));
}

}  // namespace

Handshake::Handshake(wire::Stdio& pipes, const WireOptions& wire, std::string ping, Time deadline,
                     Duration postmortem_budget, Clock clock, CloseStdin close_stdin, Tap tap,
                     std::int64_t ping_id, std::string_view carried)
    : pipes_(pipes),
      wire_(wire),
      ping_id_(ping_id),
      conversation_(wire.framing, wire::Payload::handshake, ping_id, std::move(ping), deadline,
                    wire.codec, wire.speech),
      postmortem_budget_(postmortem_budget),
      clock_(std::move(clock)),
      close_stdin_(std::move(close_stdin)),
      tap_(std::move(tap)),
      until_(deadline) {
  gathered_.ping_bytes = count(conversation_.pending_output().size());
  if (!carried.empty()) conversation_.heard_before(carried);
}

void Handshake::exchange() {
  if (evidence_) return;
  write_some();
  read_all();
  write_some();  // answers to the worker's own requests
  if (conversation_.holds_reply()) conversation_.tick(clock_());
  judge();
}

void Handshake::tick() {
  const Time now = clock_();
  if (evidence_ || now < until_) return;
  exchange();
  if (evidence_ || now < until_) return;
  stage_ == Stage::talking ? budget_over() : postmortem_over();
}

void Handshake::process_ended(ExitStatus status) {
  if (evidence_) return;
  read_all();
  gathered_.exit = status;
  // A worker that read its ping and ended is told from one that never got so far.
  gathered_.unread_bytes = count(unread_of_ping());
  if (stage_ == Stage::stdin_closed) return conclude(late_cause());
  // A good reply and an exit at once: the handshake was good, the death is reported by itself.
  judge();
  if (evidence_) return;
  if (wants_to_read()) {
    reason_ =
        "another process holds its stdout still: most likely it is a launcher that started the "
        "worker and left";
  }
  conclude(StartCause::exited);
}

std::string_view Handshake::pending_output() const {
  return last_words_.empty() ? conversation_.pending_output() : std::string_view(last_words_);
}

void Handshake::write_some() {
  while (!stdin_broken_ && stage_ == Stage::talking && wants_to_write()) {
    const auto wrote = pipes_.write(pending_output());
    if (wrote) {
      if (tap_) tap_(true, pending_output().substr(0, *wrote));
      wrote_some(*wrote);
    } else {
      if (wrote.error() == EAGAIN) return;
      stdin_broken_ = true;
    }
  }
}

void Handshake::wrote_some(std::size_t bytes) {
  if (!last_words_.empty()) return (void)last_words_.erase(0, bytes);
  conversation_.wrote(bytes);
  // Behind the ping come answers to the worker's own requests, which do not count here.
  ping_written_ = std::min<std::size_t>(ping_written_ + bytes, gathered_.ping_bytes);
}

bool Handshake::wants_to_read() const {
  // How much one read takes must not matter: behind a good reply the next reader goes on.
  const bool has_reply = conversation_.decided() && !conversation_.result().in_doubt;
  return !stdout_ended_ && !(has_reply && wire_.hears_unasked());
}

void Handshake::read_all() {
  std::array<char, 16384> chunk;  // NOLINT(*-member-init): only what was read is looked at
  // Bounded: what a worker floods its stdout with is of no more interest than its beginning.
  for (int rounds = 0; rounds < 8 && wants_to_read(); ++rounds) {
    const auto got = pipes_.read(chunk);
    if (!got && got.error() == EAGAIN) return;
    if (!got || *got == 0) {
      stdout_ended_ = true;
      return;
    }
    const std::string_view bytes(chunk.data(), *got);
    if (tap_) tap_(false, bytes);
    written_.append(bytes.substr(0, kWrittenKept - std::min(kWrittenKept, written_.size())));
    first_.append(
        bytes.substr(0, gathered_.first.size() - std::min(gathered_.first.size(), first_.size())));
    if (stage_ == Stage::stdin_closed) {
      gathered_.late_bytes += count(bytes.size());
      const std::size_t most = wire_.framing.max_frame_bytes + kHeaderKept;
      late_.append(bytes.substr(0, most - std::min(most, late_.size())));
    } else {
      gathered_.answered_bytes += count(bytes.size());
      conversation_.read(bytes);
    }
  }
}

/// As long as the worker may answer: looks for a verdict, or for a suspicion.
void Handshake::judge() {
  if (stage_ == Stage::stdin_closed && stdout_ended_) return conclude(late_cause());
  if (stage_ != Stage::talking) return;
  if (conversation_.decided()) {
    const auto& result = conversation_.result();
    if (result.outcome == Outcome::ok && !result.in_doubt) return confirm();
    if (result.outcome == Outcome::worker_error) {
      // Its own words say more than the envelope around them.
      first_ = result.reply.error;
      return conclude(StartCause::refused);
    }
    unsound_ = true;
    suspected_ = StartCause::bad_frame;
  } else if (stdout_ended_) {
    suspected_ = has_begun() ? StartCause::reply_incomplete : StartCause::stdout_closed;
  } else if (stdin_broken_) {
    suspected_ = StartCause::stdin_closed;
  } else {
    return;
  }
  // The worker gets time to exit: its death would be the better explanation.
  stage_ = Stage::dying;
  until_ = after(clock_(), postmortem_budget_);
}

/// Whether a message has begun that is not whole. A worker that only said what it may say unasked
/// has not begun to answer.
bool Handshake::has_begun() const {
  return gathered_.answered_bytes > 0 && !conversation_.undecoded().empty();
}

/// How much of the ping the worker has not read. What was not written, since it had closed its
/// stdin or had said too much by then, was not read either. Answers to its own requests lie behind
/// it.
std::size_t Handshake::unread_of_ping() const {
  const std::size_t unread = pipes_.unread().value_or(0);
  return gathered_.ping_bytes - ping_written_ + unread - std::min(unread, answer_bytes());
}

/// The reply is good. The handshake is over once the worker has got the confirmation, if one is
/// due.
void Handshake::confirm() {
  if (!confirmed_) {
    confirmed_ = true;
    last_words_ = conversation_.result().owed;
    const std::string_view greeted = wire_.row().greeted;
    if (ping_id_ == 0 && !greeted.empty() && wire_.codec == wire::Codec::json) {
      if (const auto frame = wire::encode_frame(wire_.framing, greeted)) last_words_ += *frame;
    }
    write_some();
  }
  // A worker that closed its stdin will be found out by the first call.
  if (last_words_.empty() || stdin_broken_) conclude(StartCause::none);
}

void Handshake::budget_over() {
  if (has_begun()) return conclude(unfinished_cause());
  gathered_.unread_bytes = count(unread_of_ping());
  if (gathered_.unread_bytes > 0) {
    return conclude(pipes_.nobody_reads() ? StartCause::stdin_closed : StartCause::ping_unread);
  }
  stage_ = Stage::stdin_closed;
  close_stdin_();
  until_ = after(clock_(), postmortem_budget_);
}

void Handshake::postmortem_over() {
  gathered_.outlived_stdin = stage_ == Stage::stdin_closed;
  if (stage_ == Stage::stdin_closed) return conclude(late_cause());
  // More bytes may have come in the meantime, which may show a better cause.
  conclude(unsound_ ? unsound_cause() : suspected_);
}

void Handshake::hurry(Time deadline) {
  if (stage_ == Stage::talking) until_ = std::min(until_, deadline);
}

std::optional<wire::Suspicion> Handshake::suspicion(std::string_view bytes) const {
  if (wire_.codec != wire::Codec::json) return std::nullopt;
  return wire::suspect(wire_.framing, wire::behind_unasked(wire_.framing, wire_.speech, bytes));
}

/// The cause of a start whose worker has answered, and not well.
StartCause Handshake::unsound_cause() const {
  if (const auto found = suspicion(written_)) return cause_of(found->kind);
  // If the wrong bytes are the very first of the stream, they were not even a frame. Else the frame
  // was sound and its payload was not.
  const std::string_view wrong =
      std::string_view(conversation_.result().first_bytes).substr(0, first_.size());
  const bool unframed = !wrong.empty() && std::string_view(first_).starts_with(wrong);
  // A line has no header: JSON at the very beginning is well framed, and wrong by what it says.
  const bool line =
      wire_.framing.by_lines() && (wire::json_look(first_) != wire::JsonLook::other ||
                                   wire::parse_json(written_.substr(0, written_.find('\n'))));
  return unframed && !line ? look_of(first_) : StartCause::bad_frame;
}

/// The cause of a start whose worker wrote something that is no whole frame.
StartCause Handshake::unfinished_cause() const {
  if (const auto found = suspicion(written_)) {
    const StartCause cause = cause_of(found->kind);
    return cause == StartCause::bad_frame ? StartCause::reply_incomplete : cause;
  }
  const bool begun =
      wire_.codec == wire::Codec::json && wire::may_begin_message(wire_.framing, first_);
  const bool all_text = leading_text(first_) == first_.size();
  return all_text && !begun ? look_of(first_) : StartCause::reply_incomplete;
}

/// The cause of a start whose worker read its ping and answered nothing before its stdin was
/// closed.
StartCause Handshake::late_cause() const {
  wire::Conversation late(wire_.framing, wire::Payload::handshake, ping_id_, "", kNever,
                          wire_.codec, wire_.speech);
  late.read(late_);
  // Nobody writes any more what the worker asked for itself.
  if (late.holds_reply()) late.output_closed();
  if (late.decided() && late.result().outcome == Outcome::ok) return StartCause::reply_unflushed;
  if (late.decided() && late.result().outcome == Outcome::worker_error)
    return StartCause::reply_unflushed;
  const auto found = suspicion(late_);
  const bool unframed = found ? found->kind == wire::Misframing::json_line
                              : !late_.empty() && !wire_.framing.by_lines() &&
                                    look_of(late_) == StartCause::reply_unframed;
  return unframed ? StartCause::reply_unframed : StartCause::ping_unanswered;
}

/// Finds reason_: the rule that the bytes break, or what the decoder says of a sound frame.
void Handshake::find_reason() {
  if (gathered_.cause == StartCause::reply_unframed) {
    reason_ = wire::without_header(wire_.framing);
    return;
  }
  if (gathered_.cause == StartCause::ping_unanswered && gathered_.late_bytes == 0) {
    reason_ = fmt::format("{} bytes of sound messages, of which none is an answer",
                          gathered_.answered_bytes);
    return;
  }
  const auto found = suspicion(written_);
  if (gathered_.cause == StartCause::reply_incomplete && !found) return tell_whole_messages();
  const bool decided = conversation_.decided();
  // A sound frame with the wrong content is worse than what stands behind it.
  const bool says_wrong = decided && conversation_.result().outcome != Outcome::ok && found &&
                          wire::first_is_sound(found->kind);
  if (found && !says_wrong) {
    reason_ = found->words;
  } else if (decided) {
    reason_ = conversation_.result().detail;
  }
}

/// The worker said whole messages that are no answer before the one that is not whole: the evidence
/// is about that one, and the reason about those before.
void Handshake::tell_whole_messages() {
  const std::string_view begun = conversation_.undecoded();
  if (conversation_.decided() || begun.empty() || begun.size() >= gathered_.answered_bytes) return;
  reason_ = fmt::format("before them came {} bytes of sound messages, of which none is an answer",
                        gathered_.answered_bytes - begun.size());
  gathered_.answered_bytes = count(begun.size());
  first_ = begun.substr(0, gathered_.first.size());
}

void Handshake::conclude(StartCause cause) {
  POOLPROOF_ASSERT(!evidence_);
  gathered_.cause = cause;
  const bool wrote = gathered_.late_bytes > 0 || gathered_.answered_bytes > 0;
  if ((cause == StartCause::ping_unanswered && wrote) || cause == StartCause::bad_frame ||
      cause == StartCause::reply_incomplete || cause == StartCause::reply_unframed) {
    find_reason();
  }
  gathered_.first_size = static_cast<std::uint8_t>(std::min(first_.size(), gathered_.first.size()));
  std::copy_n(first_.begin(), gathered_.first_size, gathered_.first.begin());
  evidence_ = gathered_;
}

}  // namespace poolproof::pool
