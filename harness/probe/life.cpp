#include <algorithm>
#include <array>
#include <csignal>

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

/// A worker that has done nothing by then with what is no request will do nothing with it.
constexpr Duration kSilence = 1s;
constexpr Duration kIdle = 1s;
/// All of a noise comes by then.
constexpr Duration kNoise = 100ms;
/// What nobody asked for is a flood from so many bytes a second on.
constexpr std::uint64_t kFloodBytes = std::uint64_t{1} << 20U;
constexpr Duration kInCall = 200ms;
constexpr int kIdlePercent = 20;
constexpr std::size_t kPipeBytes = 65536;

/// It was asked to end. `when`: `at the end of its input`, `of the end of its input`.
Finding end(Subject& subject, Session& session, std::string_view at, std::string_view of) {
  const Duration limit = subject.settings().limit;
  const Heard heard = session.wait_for_end(limit);
  if (heard.exit) return held(fmt::format("ends {} {}", at, end_of(heard)));
  session.signal(SIGTERM);
  const bool needs_kill = !session.wait_for_end(patience(subject)).exit;
  Finding finding = broken(
      fmt::format("does not end within {} ms {}: it needs {}", to_ms(limit), of,
                  needs_kill ? "KILL (TERM does not end it either)" : "TERM at the end of input"));
  finding.told_elsewhere = std::exchange(subject.outlives_input, true);
  return finding;
}

/// A worker that does not end at TERM costs a pool a grace time only.
Finding term(Subject& subject, Session& session, std::string_view when) {
  session.signal(SIGTERM);
  const Heard heard = session.wait_for_end(subject.settings().limit);
  if (heard.exit) return held(fmt::format("ends at TERM {} {}", when, end_of(heard)));
  Finding finding = remark(fmt::format("does not end within {} ms of TERM {}: it needs KILL",
                                       to_ms(subject.settings().limit), when));
  finding.told_elsewhere = std::exchange(subject.outlives_term, true);
  return finding;
}

}  // namespace

std::string end_of(const Heard& heard) {
  return "(" + pool::words(heard.exit.value_or(ExitStatus{})) + ")";
}

Duration patience(const Subject& subject) {
  return std::min(kSilence, subject.settings().limit);
}

Finding noise(Subject& subject, Session& session, Heard heard, std::string_view when) {
  heard.add(session.hear_out(kNoise));
  const std::string bytes = heard.bytes();
  const auto suspicion = wire::suspect(subject.settings().framing, bytes);
  Finding finding = broken(fmt::format("makes noise on its stdout {}: {}", when,
                                       suspicion ? suspicion->words : hex_and_text(bytes, 16)));
  finding.told_elsewhere = std::exchange(subject.noisy, true);
  return finding;
}

Finding idle(Subject& subject) {
  Session* session = subject.ready();
  if (session == nullptr) return no_worker();
  const Time until = after(host::sys::now(), subject.settings().limit);
  Heard heard;
  // Whom nobody greets may still be starting: only who never rests is busy.
  do {
    heard = session->listen(kIdle);
  } while (heard.after == After::silent && heard.silence.activity.cpu_percent >= kIdlePercent &&
           after(host::sys::now(), kIdle) <= until);
  if (heard.after != After::silent) subject.spoil();
  if (heard.exit) return broken("ends while it is idle " + end_of(heard));
  if (heard.after == After::closed) return broken("closes its stdout while it is idle");
  if (heard.stalled) {
    return broken("writes part of a message while it is idle, and no more of it: " +
                  hex_and_text(heard.rest, 16));
  }
  if (heard.after != After::silent)
    return noise(subject, *session, heard, "while nobody asks it anything");
  if (heard.unasked_bytes >= kFloodBytes) {
    return remark(
        fmt::format("writes without a pause while nobody asks it anything ({} messages, "
                    "{} bytes in {} ms)",
                    heard.unasked, heard.unasked_bytes, to_ms(kIdle)));
  }
  const int percent = heard.silence.activity.cpu_percent;
  if (percent >= kIdlePercent)
    return remark(fmt::format("keeps a processor busy while it is idle ({} % CPU)", percent));
  return held(fmt::format("is quiet while it is idle ({} % CPU)", percent));
}

Finding end_of_input(Subject& subject) {
  Session* session = subject.ready();
  if (session == nullptr) return no_worker();
  subject.spoil();
  session->close_stdin();
  return end(subject, *session, "at the end of input", "of the end of its input");
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
  // A language server leaves when it is told to exit; no text says what half a message means.
  const bool has_its_own_goodbye = subject.settings().speech == wire::Speech::lsp;
  if (finding.verdict == Verdict::broken && has_its_own_goodbye) finding.verdict = Verdict::remark;
  return finding;
}

Finding end_in_call(Subject& subject) {
  Session* session = subject.ready();
  if (session == nullptr) return no_worker();
  subject.spoil();
  session->write_piece(subject.request("sleep", {{"ms", 300}}).frame);
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
  Session* session = subject.ready();
  if (session == nullptr) return no_worker();
  subject.spoil();
  const Heard heard = session->ask(subject.request("sleep", {{"ms", 60000}}).frame, kInCall);
  if (heard.after != After::silent && subject.settings().opaque)
    return not_tried("it answers at once");
  if (heard.after != After::silent) return not_tried("it has no command \"sleep\" that takes time");
  return term(subject, *session, "in mid-call");
}

Finding starts_again(Subject& subject) {
  if (subject.restart_failure) return broken("does not start again: " + *subject.restart_failure);
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
  return remark(
      fmt::format("takes {} ms to be ready, more than half of the {} ms that it may", took, limit));
}

}  // namespace poolproof::probe
