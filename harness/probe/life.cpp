#include <algorithm>
#include <array>
#include <csignal>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "harness/base/text.hpp"
#include "harness/host/system.hpp"
#include "harness/pool/explain.hpp"
#include "harness/probe/tests.hpp"
#include "harness/wire/envelope.hpp"
#include "harness/wire/misframing.hpp"

namespace poolproof::probe {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

constexpr Duration kIdle = 1s;
/// How long noise is listened to, so that all of it has come.
constexpr Duration kNoise = 100ms;
/// Unasked output of this many bytes a second, or more, is a flood.
constexpr std::uint64_t kFloodBytes = std::uint64_t{1} << 20U;
constexpr Duration kInCall = 200ms;
/// How long a worker that has answered its goodbye has to leave.
constexpr Duration kLastWait = 300ms;
/// On a busy machine, a shorter call can't be told from one that is answered at once.
constexpr Duration kLongCall = 250ms;
constexpr int kIdlePercent = 20;
constexpr std::size_t kPipeBytes = 65536;

/// Such as `; the process runs at 99 % CPU`; empty for a process that just waits.
std::string busy_words(const Activity& activity) {
  const bool rests =
      activity.kind == Activity::Kind::waits || activity.kind == Activity::Kind::unknown;
  return rests ? "" : "; " + pool::words(activity);
}

/// The finding for a worker that has ended: a signal that nobody sent is a crash, with which a pool
/// can live. `at`: such as `at TERM`.
Finding ended(Subject& subject, const Heard& heard, std::string_view at, int sent) {
  if (heard.exit->signal == 0 || heard.exit->signal == sent)
    return held(fmt::format("ends {} {}", at, end_of(heard)));
  Finding finding =
      remark(fmt::format("crashes {} {}{}", at, end_of(heard), tail_words(heard.stderr_tail)));
  finding.told_elsewhere = std::exchange(subject.crashes_at_end, true);
  return finding;
}

/// Whether the worker ends by itself after its input has ended. `at` and `of` say when, such as `at
/// the end of input`, `of the end of its input`.
Finding end(Subject& subject, Session& session, std::string_view at, std::string_view of) {
  const Duration limit = subject.settings().limit;
  const Heard heard = session.wait_for_end(limit);
  if (heard.exit) {
    Finding finding = ended(subject, heard, at, 0);
    finding.what += last_words(subject, session.last_words());
    return finding;
  }
  session.signal(SIGTERM);
  const bool needs_kill = !session.wait_for_end(limit).exit;
  Finding finding = broken(
      fmt::format("does not end within {} ms {}: it needs {}{}", to_ms(limit), of,
                  needs_kill ? "KILL (TERM does not end it either)" : "TERM at the end of input",
                  busy_words(heard.silence.activity)));
  finding.told_elsewhere = std::exchange(subject.outlives_input, true);
  return finding;
}

/// Whether the worker ends at TERM. If it does not, that costs a pool only a grace.
Finding term(Subject& subject, Session& session, std::string_view when) {
  session.signal(SIGTERM);
  const Heard heard = session.wait_for_end(subject.settings().limit);
  if (heard.exit) return ended(subject, heard, fmt::format("at TERM {}", when), SIGTERM);
  Finding finding = remark(fmt::format("does not end within {} ms of TERM {}: it needs KILL{}",
                                       to_ms(subject.settings().limit), when,
                                       busy_words(heard.silence.activity)));
  finding.told_elsewhere = std::exchange(subject.outlives_term, true);
  return finding;
}

/// Why the worker can't be caught in a call; nothing: a "sleep" keeps it in one for a while.
std::optional<Finding> try_long_call(Subject& subject) {
  Session* session = subject.ready();
  if (session == nullptr) return no_worker();
  // Without a greeting the worker may still be starting: its first answer says nothing of its
  // speed.
  if (!subject.settings().wire().greets())
    (void)session->ask(subject.request("sleep", {{"ms", 0}}).frame, subject.settings().limit);
  const Subject::Request request = subject.request("sleep", {{"ms", 300}});
  const Time begun = host::sys::now();
  const Heard heard = session->ask(request.frame, subject.settings().limit);
  if (heard.after != After::answered || heard.more_than(1)) subject.spoil();
  if (heard.after == After::silent && !heard.silence.closed_stdin && subject.hangs_on_unknown) {
    return not_tried(
        "it leaves the command \"sleep\" unanswered, so nothing shows whether it is in a call");
  }
  if (heard.after != After::answered) {
    Finding finding = remark(failure(heard, subject.settings().framing, "in a call of \"sleep\""));
    finding.told_elsewhere = subject.ends_on_unknown && heard.after == After::ended;
    return finding;
  }
  if (host::sys::now() - begun >= kLongCall) return std::nullopt;
  return not_tried(subject.settings().opaque ? "it answers at once"
                                             : "it has no command \"sleep\" that takes time");
}

/// As try_long_call(), but tried once only: a second row that asks would learn nothing more.
std::optional<Finding> no_long_call(Subject& subject) {
  if (std::exchange(subject.long_call_tried, true)) {
    if (subject.no_long_call) subject.no_long_call->told_elsewhere = true;
    return subject.no_long_call;
  }
  return subject.no_long_call = try_long_call(subject);
}

/// Sends a call that takes so long, and returns whether the worker is in it and has not answered.
bool is_in_call(Subject& subject, Session& session, Duration span) {
  const std::string frame = subject.request("sleep", {{"ms", to_ms(span)}}).frame;
  subject.keep_busy(span);
  return session.write_piece(frame, subject.settings().limit) &&
         session.ask({}, kInCall).after == After::silent;
}

Finding too_short() {
  return not_tried("it was not in a call any more when it was looked for");
}

bool is_calm(const Heard& heard) {
  return heard.after == After::silent && !heard.silence.closed_stdin &&
         heard.silence.activity.kind != Activity::Kind::stopped;
}

/// What is wrong with what the worker did while idle; nothing: it was a message that it may send.
/// Requires: it was not calm.
std::optional<Finding> unrest(Subject& subject, Session& session, const Heard& heard) {
  if (heard.exit) {
    subject.ends_idle = true;
    return broken("ends while it is idle " + end_of(heard));
  }
  if (heard.after == After::closed) {
    return broken(
        fmt::format("closes its {} while it is idle", outlet(subject.settings().framing)));
  }
  if (heard.stalled) {
    return broken("writes part of a message while it is idle, and no more of it: " +
                  hex_and_text(heard.rest, 16));
  }
  if (heard.after != After::silent)
    return noise(subject, session, heard, "while nobody asks it anything");
  if (heard.silence.closed_stdin) {
    Finding finding = broken("closes its stdin while it is idle");
    finding.told_elsewhere = subject.closes_stdin;
    return finding;
  }
  return broken("stops while it is idle (as by SIGSTOP)");
}

}  // namespace

std::string end_of(const Heard& heard) {
  return "(" + pool::words(heard.exit.value_or(ExitStatus{})) + ")";
}

std::optional<Finding> noise(Subject& subject, Session& session, Heard heard,
                             std::string_view when) {
  constexpr std::size_t kShown = 120;
  heard.add(session.hear_out(kNoise));
  // With its rest, it may turn out as what a worker may say.
  if (!heard.more_than(0)) return std::nullopt;
  const std::string bytes = heard.bytes();
  const auto suspicion = wire::suspect(subject.settings().framing, bytes);
  const bool misframed = suspicion && !wire::first_is_sound(suspicion->kind);
  // A sound message is shown as text if it is one, which says more than its bytes.
  const bool readable =
      !heard.frames.empty() && (!subject.settings().opaque || is_text(heard.frames.front()));
  const bool shows = !misframed && readable;
  const std::string what =
      shows       ? "a message that nobody waits for: " + printable(heard.frames.front(), kShown)
      : suspicion ? suspicion->words
                  : hex_and_text(bytes, 16);
  Finding finding = broken(
      fmt::format("makes noise on its {} {}: {}", outlet(subject.settings().framing), when, what));
  finding.told_elsewhere = std::exchange(subject.noisy, true);
  return finding;
}

Finding idle(Subject& subject) {
  Session* session = subject.ready();
  if (session == nullptr) return no_worker();
  Heard heard;
  Duration waited{};
  // A busy process may still be warming up: only one that never rests is to blame.
  do {
    heard = session->listen(kIdle);
    waited += kIdle;
  } while (is_calm(heard) && heard.silence.activity.cpu_percent >= kIdlePercent &&
           waited < subject.settings().limit);
  if (!is_calm(heard)) {
    if (auto finding = unrest(subject, *session, heard)) {
      subject.spoil();
      return *std::move(finding);
    }
  }
  if (heard.unasked_bytes >= kFloodBytes) {
    return remark(
        fmt::format("writes without a pause while nobody asks it anything ({} messages, "
                    "{} bytes in {} ms)",
                    heard.unasked, heard.unasked_bytes, to_ms(kIdle)));
  }
  const int percent = heard.silence.activity.cpu_percent;
  const auto seconds = to_ms(waited) / 1000;
  if (percent >= kIdlePercent) {
    return remark(fmt::format("keeps a processor busy while it is idle ({} % CPU, {} s long)",
                              percent, seconds));
  }
  return held(waited == kIdle ? fmt::format("is quiet for a second of idleness ({} % CPU)", percent)
                              : fmt::format("is quiet in the last of {} s of idleness ({} % CPU)",
                                            seconds, percent));
}

Finding goodbye(Subject& subject) {
  const Settings& settings = subject.settings();
  if (!settings.wire().says_goodbye())
    return not_tried("its speech has no word that asks it to leave");
  if (subject.ends_idle) return not_tried("it ends by itself while it is idle");
  Session* session = subject.ready();
  if (session == nullptr) return no_worker();
  subject.spoil();
  const std::int64_t id = subject.request("shutdown", json::object()).id;
  std::vector<std::string> words =
      wire::row_of(settings.speech).goodbye(id, "0.0", host::sys::timestamp());
  const std::string last = wire::encode_frame(settings.framing, words.back()).value_or("");
  words.pop_back();
  for (const std::string& word : words) {
    const auto frame = wire::encode_frame(settings.framing, word);
    const Heard heard = session->ask(frame.value_or(""), settings.limit);
    if (heard.after != After::answered)
      return remark(failure(heard, settings.framing, "when it is asked to shut down"));
  }
  // A bridge's worker may know no such request: then the end of its input is what it leaves at.
  const bool must_leave = !words.empty();
  if (must_leave) {
    session->write_piece(last);
  } else {
    (void)session->ask(last, kIdle);
  }
  const Heard heard = session->wait_for_end(must_leave ? settings.limit : kLastWait);
  if (heard.exit && (heard.exit->signal != 0 || heard.exit->code != 0)) {
    return remark(fmt::format("fails when it is asked to leave {}{}", end_of(heard),
                              tail_words(heard.stderr_tail)));
  }
  if (heard.exit) return held("leaves when it is asked to " + end_of(heard));
  if (!must_leave) return held("stays when it is asked to leave, until its input ends");
  return remark(fmt::format("does not end within {} ms of being told to exit{}",
                            to_ms(settings.limit), busy_words(heard.silence.activity)));
}

Finding end_of_input(Subject& subject) {
  if (subject.ends_idle) return not_tried("it ends by itself while it is idle");
  Session* session = subject.ready();
  if (session == nullptr) return no_worker();
  subject.spoil();
  session->close_stdin();
  Finding finding = end(subject, *session, "at the end of input", "of the end of its input");
  // A language server exits so to say that nobody had told it to exit.
  const bool has_its_own_goodbye = subject.settings().speech == wire::Speech::lsp;
  const auto exit = session->exit_status();
  if (finding.verdict == Verdict::held && exit && exit->code != 0 && !has_its_own_goodbye) {
    return remark(fmt::format("fails at the end of its input ({}){}", pool::words(*exit),
                              tail_words(session->stderr_tail())));
  }
  return finding;
}

Finding end_in_frame(Subject& subject) {
  Session* session = subject.ready();
  if (session == nullptr) return no_worker();
  subject.spoil();
  const std::string frame = subject.request("echo", {{"text", "half"}}).frame;
  session->write_piece(std::string_view(frame).substr(0, frame.size() / 2));
  session->close_stdin();
  Finding finding = end(subject, *session, "when its input ends inside of a frame",
                        "when its input ends inside of a frame");
  // A language server leaves when it is told to; its protocol does not say what half a message
  // means.
  const bool has_its_own_goodbye = subject.settings().speech == wire::Speech::lsp;
  if (finding.verdict == Verdict::broken && has_its_own_goodbye) finding.verdict = Verdict::remark;
  return finding;
}

Finding end_in_call(Subject& subject) {
  if (auto why = no_long_call(subject)) return *std::move(why);
  Session* session = subject.ready();
  if (session == nullptr) return no_worker();
  subject.spoil();
  if (!is_in_call(subject, *session, 500ms)) return too_short();
  session->close_stdin();
  return end(subject, *session, "when its input ends in mid-call",
             "when its input ends in mid-call");
}

Finding term_while_idle(Subject& subject) {
  Session* session = subject.ready();
  if (session == nullptr) return no_worker();
  subject.spoil();
  return term(subject, *session, "while idle");
}

Finding term_in_call(Subject& subject) {
  if (auto why = no_long_call(subject)) return *std::move(why);
  Session* session = subject.ready();
  if (session == nullptr) return no_worker();
  subject.spoil();
  // Longer than anybody waits for its end, and not much: it may go on in another process.
  if (!is_in_call(subject, *session, kInCall + 2 * subject.settings().limit)) return too_short();
  return term(subject, *session, "in mid-call");
}

Finding starts_again(Subject& subject) {
  if (subject.restart_failure) {
    const bool slow = subject.slowest_start >= subject.settings().limit;
    return broken(fmt::format("does not start again{}: {}",
                              slow ? fmt::format(" within {} ms (--timeout-ms says more)",
                                                 to_ms(subject.settings().limit))
                                   : "",
                              *subject.restart_failure));
  }
  return held("starts again");
}

Finding little_on_stderr(Subject& subject) {
  if (subject.most_stderr < kPipeBytes)
    return held(fmt::format("writes little to stderr ({} bytes)", subject.most_stderr));
  return remark(fmt::format("writes {} bytes to stderr: it hangs wherever nobody reads them",
                            subject.most_stderr));
}

Finding nothing_left(Subject& subject) {
  subject.put_away();
  if (subject.left_behind.empty()) return held("leaves no process behind");
  return broken(
      fmt::format("leaves {} behind when it ends: {}",
                  subject.left_behind.size() == 1 ? "a process" : "processes",
                  printable_message(fmt::format("{}", fmt::join(subject.left_behind, ", ")), 100)));
}

Finding start_time(Subject& subject) {
  if (!subject.settings().wire().greets())
    return not_tried("nobody greets it, so nothing says when it is ready");
  const auto took = to_ms(subject.slowest_start);
  const auto limit = to_ms(subject.settings().limit);
  if (2 * took <= limit) return held(fmt::format("is ready {} ms after its start", took));
  return remark(fmt::format("takes {} ms to be ready, {} the {} ms that it may", took,
                            took < limit ? "more than half of" : "all of", limit));
}

}  // namespace poolproof::probe
