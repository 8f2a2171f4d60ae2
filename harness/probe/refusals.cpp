#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "harness/base/text.hpp"
#include "harness/pool/explain.hpp"
#include "harness/probe/answers.hpp"
#include "harness/probe/tests.hpp"
#include "harness/wire/misframing.hpp"

/// What a worker does with bytes that are no request.
namespace poolproof::probe {
namespace {

using namespace std::chrono_literals;

/// A worker that answers at once has answered by then.
constexpr Duration kAtOnce = 200ms;
/// A worker that has answered the next call has by then answered this one too, if it ever will.
constexpr Duration kBelated = 1s;
/// More bytes than a pipe holds.
constexpr std::size_t kManyBytes = std::size_t{4} * 65536;

struct Outcome {
  std::optional<ExitStatus> exit;
  std::string last_words;             ///< what it wrote before its end, to be read behind that
  std::optional<std::string> answer;  ///< the message that answers these bytes
  std::string fault;                  ///< to be read after "it"; empty: the next call is as before
};

/// Takes bytes that are no frame for the worker's last words, unless it lives on.
void take_for_last_words(const Subject& subject, Session& session, Heard heard,
                         std::string_view when, Outcome& outcome) {
  heard.add(session.hear_out(subject.settings().limit));
  if (!heard.exit) {
    outcome.fault = failure(heard, subject.settings().framing, when);
    return;
  }
  outcome.exit = heard.exit;
  outcome.last_words = last_words(subject, heard.bytes());
}

/// What came of sending bytes. `what`: a noun for them; `heard`: all that came at once.
Outcome outcome_of(Subject& subject, Session& session, const Heard& heard, std::string_view what) {
  Outcome outcome;
  outcome.exit = heard.exit;
  const bool wrote_no_message = heard.after == After::wrote_no_message && !heard.under_way;
  if (wrote_no_message || heard.after == After::closed ||
      (heard.exit && heard.frames.empty() && !heard.rest.empty())) {
    take_for_last_words(subject, session, heard, fmt::format("on {}", what), outcome);
    return outcome;
  }
  if (heard.after == After::answered) outcome.answer = heard.frames.front();
  if (outcome.exit) return outcome;
  const NextCall next = next_call(subject, session, what, outcome.answer.has_value());
  if (!outcome.answer) outcome.answer = next.other;
  outcome.fault = next.fault;
  if (next.ended) outcome.exit = session.exit_status();
  return outcome;
}

/// The finding for a worker that ended on `what`: that is as good as an answer, unless it crashed.
Finding end_on(Subject& subject, std::string_view what, const Outcome& outcome) {
  const std::string words =
      fmt::format("{} ({}){}", what, pool::words(*outcome.exit), outcome.last_words);
  if (outcome.exit->signal == 0) return held("ends on " + words);
  Finding finding = remark("crashes on " + words);
  finding.told_elsewhere = std::exchange(subject.crashes_at_end, true);
  return finding;
}

/// The finding for an answer to `what`, which was no request and deserves an error.
Finding answered(Subject& subject, std::string_view answer, std::string_view what,
                 std::string_view more = "") {
  const Said said = said_by(answer);
  if (const std::string flaw = error_flaw(subject, answer); said == Said::error && !flaw.empty()) {
    Finding finding = remark(fmt::format("answers {} with an error {}", what, flaw));
    finding.told_elsewhere = std::exchange(subject.errors_are_flawed, true);
    return finding;
  }
  if (said == Said::error) return held(fmt::format("answers {} with an error{}", what, more));
  return remark(fmt::format("answers {} with {}", what,
                            said == Said::success ? "success" : "what is no error"));
}

}  // namespace

std::string last_words(const Subject& subject, std::string_view bytes) {
  if (bytes.empty()) return "";
  const auto suspicion = wire::suspect(subject.settings().framing, bytes);
  return ", and writes on its way out " + (suspicion ? suspicion->words : hex_and_text(bytes, 16));
}

Finding not_json(Subject& subject) {
  if (subject.settings().opaque) return not_tried("opaque bytes say nothing that it could refuse");
  Session* session = subject.ready();
  if (session == nullptr) return no_worker();
  subject.spoil();
  constexpr std::string_view kWhat = "a request that is no JSON";
  const auto frame = wire::encode_frame(
      subject.settings().framing, fmt::format(R"({{"id": {}, "command": "echo", )", kBrokenId));
  const Heard heard = session->ask(*frame, kAtOnce);
  Outcome outcome = outcome_of(subject, *session, heard, kWhat);
  if (outcome.exit) {
    const std::string how = fmt::format("({})", pool::words(*outcome.exit));
    if (outcome.answer) return remark(fmt::format("answers {} and ends {}", kWhat, how));
    if (!outcome.last_words.empty())
      return remark(fmt::format("ends on {} {}{}", kWhat, how, outcome.last_words));
    return remark(fmt::format("ends without a word on {} {}{}", kWhat, how,
                              tail_words(session->stderr_tail())));
  }
  if (!outcome.fault.empty()) return remark(outcome.fault);
  if (!outcome.answer) {
    const Heard later = session->listen(std::min(kBelated, subject.settings().limit));
    if (!later.frames.empty()) outcome.answer = later.frames.front();
  } else if (!heard.more_than(1)) {
    subject.keep();
  }
  if (!outcome.answer)
    return remark(fmt::format("leaves {} unanswered, and answers the call after it", kWhat));
  return answered(subject, *outcome.answer, kWhat, ", and lives on");
}

Finding zero_length(Subject& subject) {
  Session* session = subject.ready();
  if (session == nullptr) return no_worker();
  subject.spoil();
  constexpr std::string_view kWhat = "a frame of no bytes";
  const wire::Framing& framing = subject.settings().framing;
  const bool opaque = subject.settings().opaque;
  const std::string empty = wire::header_of(framing, 0).append(wire::end_of(framing));
  const Heard heard = session->ask(empty, kAtOnce);
  if (opaque && heard.bytes() == empty) return held(fmt::format("gives {} back", kWhat));
  const Outcome outcome = outcome_of(subject, *session, heard, kWhat);
  if (outcome.exit) return end_on(subject, kWhat, outcome);
  if (!outcome.fault.empty()) return remark(outcome.fault);
  if (!outcome.answer) return held(fmt::format("passes over {}", kWhat));
  if (opaque) return held(fmt::format("answers {}", kWhat));
  return answered(subject, *outcome.answer, kWhat);
}

Finding oversized(Subject& subject) {
  const wire::Framing& framing = subject.settings().framing;
  if (framing.by_lines()) return not_tried("a line announces no length");
  if (!framing.can_be_exceeded())
    return not_tried(fmt::format("its {} byte(s) of length can't say more than the limit",
                                 framing.prefix_bytes));
  Session* session = subject.ready();
  if (session == nullptr) return no_worker();
  subject.spoil();
  constexpr std::string_view kWhat = "an oversized frame";
  const std::string header = wire::header_of(framing, std::uint64_t{framing.max_frame_bytes} + 1);
  std::string bytes = header;
  // More than a pipe holds: a worker that takes all of it waits for the payload.
  bytes.append(std::min<std::size_t>(kManyBytes, framing.max_frame_bytes), ' ');
  const Heard heard = session->ask(bytes, subject.settings().limit);
  if (heard.after == After::answered) {
    if (subject.settings().opaque) return held(fmt::format("answers {}", kWhat));
    return answered(subject, heard.frames.front(), kWhat);
  }
  if (subject.settings().opaque && heard.bytes().starts_with(header)) {
    return remark(fmt::format("gives back a frame of more than {} bytes", framing.max_frame_bytes));
  }
  if (heard.after != After::silent) {
    Outcome outcome;
    take_for_last_words(subject, *session, heard, fmt::format("on {}", kWhat), outcome);
    if (outcome.exit) return end_on(subject, kWhat, outcome);
    return remark(outcome.fault);
  }
  const std::size_t left = heard.silence.left;
  const std::size_t read = bytes.size() - left;
  // Nobody knows whether it would accept the frame, or read it to its end and then refuse it.
  return remark(left == 0
                    ? fmt::format("reads on behind the header of {} (all {} bytes that came of it)",
                                  kWhat, read)
                    : fmt::format("neither ends nor answers on {}, of which it has read {} of {} "
                                  "bytes",
                                  kWhat, read, bytes.size()));
}

}  // namespace poolproof::probe
