#include "harness/probe/subject.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "harness/base/text.hpp"
#include "harness/host/system.hpp"
#include "harness/pool/explain.hpp"
#include "harness/probe/answers.hpp"
#include "harness/wire/envelope.hpp"
#include "harness/wire/misframing.hpp"
#include "harness/wire/wires.hpp"

namespace poolproof::probe {
namespace {

constexpr std::size_t kTailShown = 300;
/// A worker that nobody greets, and that can't start, has mostly ended by then.
constexpr Duration kDeadAtStart = std::chrono::seconds(1);
/// How long a worker has on its channel to say that it is ready, at least, and how long all of that
/// takes. One that is still busy with its start has the whole limit.
constexpr Duration kHello = std::chrono::seconds(2);
constexpr Duration kHelloLook = std::chrono::milliseconds(250);
constexpr int kAtWorkPercent = 5;
constexpr Duration kWholeHello = std::chrono::milliseconds(100);

/// The log line in front of the answer to the greeting; empty: there is none.
std::string log_in_greeting(const Settings& settings, std::string_view bytes) {
  std::vector<std::string> frames;
  bytes = wire::behind_unasked(settings.framing, settings.speech, bytes);
  for (wire::WholeFrame whole = wire::whole_frame(settings.framing, bytes); whole.bytes > 0;
       whole = wire::whole_frame(settings.framing, bytes)) {
    frames.emplace_back(whole.payload);
    bytes.remove_prefix(whole.bytes);
  }
  return log_before_reply(settings, frames, 0, "to the greeting");
}

/// The post-mortem of a failed start, in the words of a pool.
std::string why(const Session& session, const pool::StartEvidence& evidence,
                const Settings& settings) {
  if (std::string echo = session.echo(); !echo.empty()) return echo;
  const std::string cause = fmt::format(" [{}]", name(evidence.cause));
  if (const std::string log = log_in_greeting(settings, session.greeting()); !log.empty())
    return log + cause;
  pool::Config config;
  config.startup_budget = settings.limit;
  const bool hangs =
      evidence.cause == StartCause::ping_unread || evidence.cause == StartCause::ping_unanswered;
  const std::string told = pool::explain_start({}, evidence, config,
                                               {session.stderr_tail(), session.reason(), "",
                                                wire::row_of(settings.speech).greeting_name}) +
                           (hangs ? "; " + pool::words(session.greeting_silence().activity) : "");
  // There is only one worker here, so its number is left out.
  constexpr std::string_view kWho = "worker 0.0 ";
  return told.substr(told.starts_with(kWho) ? kWho.size() : 0) + cause;
}

}  // namespace

std::string tail_words(const std::string& tail) {
  if (tail.empty()) return "";
  const std::size_t from = tail.size() > kTailShown ? tail.size() - kTailShown : 0;
  return fmt::format("; its stderr ends: {}",
                     printable(std::string_view(tail).substr(from), kTailShown));
}

Finding Subject::first_start() {
  zero_ = host::sys::now();
  const auto begun = begin();
  if (!begun) return {Verdict::broken, begun.error()};
  if (!settings_.wire().greets()) {
    if (!session_->ends_within(kDeadAtStart))
      return {Verdict::held, "starts, and is greeted by nobody"};
    spoilt_ = true;
    return {Verdict::broken, fmt::format("ends before it is asked anything ({}): dead at start{}",
                                         pool::words(*session_->exit_status()),
                                         tail_words(session_->stderr_tail()))};
  }
  // The greeting of some speeches is called otherwise.
  const std::string_view greeting = wire::row_of(settings_.speech).greeting_name;
  return {Verdict::held,
          fmt::format("answers {} after {} ms", greeting == "ping" ? "its init ping" : greeting,
                      to_ms(session_->start_time()))};
}

Session* Subject::ready() {
  if (session_ && !spoilt_ && !session_->exit_status()) return &*session_;
  return fresh();
}

Session* Subject::fresh() {
  const auto begun = begin();
  if (begun) return &*session_;
  if (!restart_failure) restart_failure = begun.error();
  spoilt_ = true;
  return nullptr;
}

std::optional<ExitStatus> Subject::ended_by_itself() const {
  return requests_behind() > 0 ? session_->exit_status() : std::nullopt;
}

Expected<void, std::string> Subject::begin() {
  put_away();
  session_.emplace(settings_, token_, zero_, say_);
  spoilt_ = false;
  requests_ = 0;
  if (auto started = session_->start(); !started) {
    session_.reset();
    return started;
  }
  const pool::StartEvidence evidence = session_->greet();
  slowest_start = std::max(slowest_start, session_->start_time());
  if (evidence.cause == StartCause::none) {
    // What follows the greeting must not come in one piece with the first request.
    if (settings_.wire().greets()) (void)session_->wait_until_read();
    if (answers_notifications) (void)session_->hear_out(kWholeHello);
    hear_hello();
    return {};
  }
  spoilt_ = true;
  return unexpected(why(*session_, evidence, settings_));
}

/// Workers of Node's process pools say on their channel that they are ready, and nobody answers.
/// Those whose first process does not are not waited for again.
void Subject::hear_hello() {
  const bool on_channel = wire::row_of(settings_.framing.wire).on_channel;
  if (!settings_.opaque || !on_channel || !says_hello_) return;
  const Time begun = host::sys::now();
  const auto is_over = [&](const Heard& heard) {
    const Duration waited = host::sys::now() - begun;
    const bool at_work = heard.silence.activity.cpu_percent >= kAtWorkPercent;
    return waited >= settings_.limit || (waited >= kHello && !at_work);
  };
  Heard heard;
  do {
    heard = session_->listen(std::min(kHelloLook, settings_.limit));
  } while (heard.after == After::silent && !heard.exit && !is_over(heard));
  says_hello_ = !heard.frames.empty();
  if (says_hello_) (void)session_->hear_out(kWholeHello);
}

void Subject::keep_busy(Duration span) {
  busy_until_ = after(host::sys::now(), span);
}

void Subject::put_away() {
  if (!session_) return;
  most_stderr = std::max(most_stderr, session_->stderr_bytes());
  // Once something was left behind, later processes are waited for only briefly.
  const Duration moment = Session::kLeavingLimit;
  const Duration busy = std::max(Duration::zero(), busy_until_ - host::sys::now());
  busy_until_ = {};
  const Duration patience = left_behind.empty() ? std::max(busy + moment, settings_.limit) : moment;
  for (std::string& command : session_->put_away(patience)) {
    if (std::find(left_behind.begin(), left_behind.end(), command) == left_behind.end())
      left_behind.push_back(std::move(command));
  }
  session_.reset();
}

Subject::Request Subject::request(const std::string& command, const nlohmann::json& args) {
  // The numbers jump, so that a worker with numbers of its own does not guess them.
  constexpr std::array<std::int64_t, 3> kJumps{7, 2, 1};
  const std::int64_t id = next_id_;
  next_id_ += kJumps.at(static_cast<std::size_t>(requests_++) % kJumps.size());
  const std::string payload =
      settings_.opaque
          ? args.dump()
          : wire::row_of(settings_.speech).request(id, command, args, host::sys::timestamp());
  return {id, wire::encode_frame(settings_.framing, payload).value_or("")};
}

std::string stuck(const Heard& heard) {
  const Silence& silence = heard.silence;
  if (silence.closed_stdin) return "it has closed its stdin, and " + pool::words(silence.activity);
  const std::string words =
      heard.sent == 0              ? "it has nothing to read"
      : silence.left >= heard.sent ? fmt::format("the request ({} bytes) is unread", heard.sent)
      : silence.left > 0           ? fmt::format("it has read {} of {} bytes of the request",
                                                 heard.sent - silence.left, heard.sent)
                                   : fmt::format("it has read the request ({} bytes)", heard.sent);
  const std::string answers =
      silence.answers == 0
          ? ""
          : fmt::format(", {} bytes of answers to what it asked wait for it", silence.answers);
  const std::string said =
      heard.unasked == 0
          ? ""
          : fmt::format(", it has written {} message{} that {} no answer", heard.unasked,
                        heard.unasked == 1 ? "" : "s", heard.unasked == 1 ? "is" : "are");
  return words + answers + said + ", and " + pool::words(silence.activity);
}

std::string_view outlet(const wire::Framing& framing) {
  return wire::row_of(framing.wire).on_channel ? "channel" : "stdout";
}

std::string failure(const Heard& heard, const wire::Framing& framing, std::string_view when) {
  const std::string tail = tail_words(heard.stderr_tail);
  const std::string bytes = heard.bytes();
  if (heard.after == After::answered) return "";
  if (heard.after == After::silent && heard.silence.closed_stdin)
    return fmt::format("closes its {} {} and lives on{}",
                       outlet(framing) == "stdout" ? "stdin" : outlet(framing), when, tail);
  if (heard.after == After::silent) return fmt::format("hangs {}: {}{}", when, stuck(heard), tail);
  if (heard.after == After::asks_on) {
    return fmt::format("asks {} and does not read the answers, of which {} bytes wait{}", when,
                       heard.silence.answers, tail);
  }
  if (heard.after == After::closed && bytes.empty())
    return fmt::format("closes its {} {} and lives on{}", outlet(framing), when, tail);
  if (bytes.empty()) {
    return fmt::format("ends {} ({}){}", when, pool::words(heard.exit.value_or(ExitStatus{})),
                       tail);
  }
  const std::string end = (heard.exit ? ", and " + pool::words(*heard.exit) : "") + tail;
  if (const auto suspicion = wire::suspect(framing, bytes))
    return fmt::format("writes {} {}{}", when, suspicion->words, end);
  wire::FrameDecoder decoder(framing);
  decoder.push(heard.rest);
  if (framing.by_lines() && !heard.rest.empty())
    return fmt::format("writes {} {}{}", when, decoder.progress(), end);
  if (decoder.next() && decoder.announced_bytes()) {
    return fmt::format("writes {} only {} of the {} bytes of its answer{}", when,
                       decoder.buffered_bytes() - decoder.header_bytes(),
                       *decoder.announced_bytes(), end);
  }
  return fmt::format("makes noise {}, bytes that make no frame: {}{}", when,
                     hex_and_text(bytes, 16), end);
}

}  // namespace poolproof::probe
