#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "harness/base/text.hpp"
#include "harness/host/system.hpp"
#include "harness/probe/answers.hpp"
#include "harness/probe/tests.hpp"
#include "harness/wire/misframing.hpp"

namespace poolproof::probe {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

/// The time in which a worker may still write more, or end, after it has answered.
constexpr Duration kAfterthought = 200ms;
constexpr int kCalls = 3;
constexpr int kManyCalls = 12;
/// A worker that is slower than this is asked less often.
constexpr Duration kManyLimit = 1s;
constexpr std::size_t kLargeBytes = 1'000'000;
/// What an envelope has around the echoed text, in each direction.
constexpr std::size_t kEnvelopeBytes = 400;

/// What came of one echo.
struct Answer {
  std::string fault;    ///< to be read after "it"; empty: it is the reply to this request
  bool echoed = false;  ///< the result is what was sent
  std::optional<std::string> error;
  std::optional<json> result;
};

/// What came too much behind a good answer, to be read after "it"; empty: nothing.
std::string surplus(Subject& subject, const Heard& heard, const Subject::Request& request) {
  if (heard.frames.size() > 1) {
    const std::string& second = heard.frames[1];
    const bool is_message = subject.settings().opaque || wire::first_document(second) == second;
    const auto reply = reply_to(subject, request, second);
    if (reply) return "writes more than one reply to a call";
    if (is_message)
      return "writes more than one reply to a call; of the second one: " + reply.error();
  } else if (heard.stalled) {
    return fmt::format("writes part of a message behind its reply to a call, and no more of it: {}",
                       hex_and_text(heard.rest, 16));
  } else if (heard.rest.empty() || heard.under_way) {
    return "";
  }
  subject.noisy = true;
  // Except for opaque payloads, a broken rule of the wire says more than the bytes themselves.
  const auto suspicion = subject.settings().opaque
                             ? std::nullopt
                             : wire::suspect(subject.settings().framing, heard.bytes());
  const std::string behind = heard.frames.size() > 1 ? heard.frames[1] : heard.rest;
  return fmt::format("makes noise on its {} in a call: it answers with ",
                     outlet(subject.settings().framing)) +
         (suspicion ? suspicion->words : "a reply and, behind it, " + hex_and_text(behind, 16));
}

/// What came instead of a reply to the request, as a noun phrase.
std::string no_reply(const Subject& subject, const Heard& heard, const Subject::Request& request) {
  const auto suspicion = wire::suspect(subject.settings().framing, heard.bytes());
  if (suspicion && !wire::first_is_sound(suspicion->kind)) return suspicion->words;
  return "what is no reply: " + reply_to(subject, request, heard.frames.front()).error();
}

Answer judge(Subject& subject, const Heard& heard, const Subject::Request& request,
             const json& args, std::string_view when) {
  const wire::Framing& framing = subject.settings().framing;
  Answer answer;
  answer.fault = failure(heard, framing, when);
  if (answer.fault.empty() && heard.echoes > 0) {
    const bool answers = heard.frames.size() > heard.echoes || !heard.rest.empty();
    answer.fault = echo_words(framing, heard.framed, answers);
  }
  if (!answer.fault.empty()) return answer;
  const auto reply = reply_to(subject, request, heard.frames.front());
  if (!reply) {
    answer.fault = log_before_reply(subject.settings(), heard.frames, request.id, "to a call");
    if (!answer.fault.empty()) return answer;
    answer.fault = "answers a call with " + no_reply(subject, heard, request);
    return answer;
  }
  answer.fault = surplus(subject, heard, request);
  if (!answer.fault.empty()) return answer;
  if (!reply->success) {
    answer.error = reply->error;
    return answer;
  }
  answer.result = content(subject, *reply);
  answer.echoed = *answer.result == echo_of(subject, args);
  return answer;
}

/// The fault, with its circumstance if it does not say that already.
std::string at_that(std::string fault, std::string_view when) {
  if (fault.empty() || fault.find(when) != std::string::npos) return fault;
  return fmt::format("{} ({})", fault, when);
}

/// Sends a request and hears what comes of it. What follows a doubtful answer is always heard out:
/// parts of it may still be on their way, and only the whole shows the kind of noise.
Heard exchange(const Subject& subject, Session& session, const Subject::Request& request,
               std::string_view rest_of_it, bool hear_out = false) {
  Heard heard = session.ask(rest_of_it, subject.settings().limit);
  const bool plain = heard.after == After::answered && heard.rest.empty() &&
                     heard.frames.size() == 1 && reply_to(subject, request, heard.frames[0]);
  const bool nothing = heard.after == After::ended || heard.after == After::silent;
  if (!nothing && (hear_out || !plain)) heard.add(session.hear_out(kAfterthought));
  // A process closes all its ends just before it is gone.
  const bool has_closed = heard.closed || heard.silence.closed_stdin;
  if (!heard.exit && has_closed && session.ends_within(kAfterthought)) {
    heard.exit = session.exit_status();
    if (heard.after == After::closed || heard.after == After::silent) heard.after = After::ended;
  }
  return heard;
}

Answer call(Subject& subject, Session& session, const Subject::Request& request, const json& args,
            std::string_view when) {
  const Heard heard = exchange(subject, session, request, request.frame);
  Answer answer = judge(subject, heard, request, args, when);
  answer.fault = at_that(std::move(answer.fault), when);
  if (!answer.fault.empty()) subject.spoil();
  return answer;
}

std::string after_calls(std::size_t calls) {
  return calls == 1 ? "after its first call" : fmt::format("after {} calls", calls);
}

/// How the worker left or closed an end after so many calls, to be read after "it"; empty: it is
/// there.
std::string gone(const Subject& subject, const Heard& heard, std::size_t calls) {
  const std::string_view out = outlet(subject.settings().framing);
  if (heard.exit) return fmt::format("ends {} {}", after_calls(calls), end_of(heard));
  if (heard.closed) return fmt::format("closes its {} {} and lives on", out, after_calls(calls));
  if (!heard.silence.closed_stdin) return "";
  return fmt::format("closes its {} {} and lives on", out == "stdout" ? "stdin" : out,
                     after_calls(calls));
}

/// What the worker did before it read any of the request, so that the calls before are to blame, of
/// which there were so many; empty: nothing.
std::string done_before(const Subject& subject, const Heard& heard, std::size_t calls) {
  if (!heard.bytes().empty() || heard.silence.left < heard.sent) return "";
  const bool greeted = subject.settings().wire().greets();
  if (heard.after == After::ended && calls == 0 && !greeted) {
    return fmt::format("ends before it reads anything {}: dead at start{}", end_of(heard),
                       tail_words(heard.stderr_tail));
  }
  return calls == 0 ? "" : gone(subject, heard, calls);
}

/// Whether a result holds what another caller sent, and nothing of what this one sent: it is then
/// the other one's, however it is wrapped.
bool is_of_another(const json& result, std::string_view mark, std::string_view mark_of_other) {
  return !mark_of_other.empty() && carries(result, mark_of_other) && !carries(result, mark);
}

/// Whether each of two requests that came in one piece has its own answer. Ids tell which reply
/// belongs to which; without ids it is their order.
Finding pairing(const Subject& subject, const Heard& heard,
                const std::array<Subject::Request, 2>& requests, const std::array<json, 2>& args) {
  constexpr std::array kWhich{"the first", "the second"};
  constexpr std::string_view kOf = "of two requests that come in one piece";
  for (const std::size_t i : {0U, 1U}) {
    auto reply = reply_to(subject, requests.at(i), heard.frames.at(i));
    if (const auto other = reply_to(subject, requests.at(i), heard.frames.at(1 - i));
        !reply && other)
      reply = other;
    if (!reply) {
      return broken(fmt::format("answers {} {} with what is no reply to it: {}", kWhich.at(i), kOf,
                                reply.error()));
    }
    if (!reply->success) {
      if (!subject.succeeds) continue;
      return remark(fmt::format("answers {} {} with an error: \"{}\"", kWhich.at(i), kOf,
                                printable(reply->error, 80)));
    }
    const json result = content(subject, *reply);
    const bool swapped = is_of_another(result, args.at(i).at("nonce").get<std::string>(),
                                       args.at(1 - i).at("nonce").get<std::string>());
    if (swapped)
      return broken(fmt::format("gives {} {} the answer of the other", kWhich.at(i), kOf));
    if (subject.echoes && result != echo_of(subject, args.at(i)))
      return broken(fmt::format("gives {} {} what it was not sent", kWhich.at(i), kOf));
  }
  return held("answers two requests that come in one piece");
}

/// Whether the first message is a reply to either request.
bool answers_one_of(const Subject& subject, const Heard& heard,
                    const std::array<Subject::Request, 2>& requests) {
  return std::ranges::any_of(requests, [&](const Subject::Request& request) {
    return reply_to(subject, request, heard.frames.front()).has_value();
  });
}

/// Sends one more echo, of `nonce`, to a process that echoed `before` last. Returns what is wrong
/// with the answer, to be read after "it"; empty: nothing.
std::string one_of_many(Subject& subject, Session& session, int number, const std::string& nonce,
                        const std::string& before) {
  const std::string when = fmt::format("in call {} of the same process", number);
  const json args{{number % 2 == 0 ? "nonce" : "text", nonce}};
  const Subject::Request request = subject.request("echo", args);
  const Heard heard = exchange(subject, session, request, request.frame);
  if (std::string before_it = done_before(subject, heard, static_cast<std::size_t>(number) - 1);
      !before_it.empty())
    return before_it;
  const Answer answer = judge(subject, heard, request, args, when);
  if (!answer.fault.empty()) return at_that(answer.fault, when);
  if (answer.error && subject.succeeds)
    return fmt::format("fails {}: \"{}\"", when, printable(*answer.error, 80));
  if (answer.result && is_of_another(*answer.result, nonce, before))
    return "gives a caller the answer that belongs to the caller before, " + when;
  if (subject.echoes && answer.result && !answer.echoed)
    return "gives back what it was not sent " + when;
  return "";
}

/// The words with which a worker refuses a request for its size, perhaps without having read the
/// id; nothing: it does not refuse.
std::optional<std::string> refusal_of_size(const Subject& subject, const Heard& heard,
                                           const Answer& answer) {
  if (subject.settings().opaque || !subject.succeeds) return std::nullopt;
  if (answer.fault.empty()) return answer.error;
  if (heard.after != After::answered || heard.more_than(1)) return std::nullopt;
  const std::string& said = heard.frames.front();
  if (said_by(said) != Said::error || !answers_no_request(said)) return std::nullopt;
  return said;
}

/// The size of the largest smaller request that is answered well; 0: none is.
std::size_t most_taken(Subject& subject, std::size_t refused) {
  constexpr std::size_t kLeastTried = 1000;
  for (std::size_t size = refused / 4; size >= kLeastTried; size /= 4) {
    Session* session = subject.ready();
    if (session == nullptr) return 0;
    const json args{{"text", std::string(size, 'x')}};
    const Answer answer =
        call(subject, *session, subject.request("echo", args), args, "in a smaller call");
    if (answer.fault.empty() && !answer.error) return size;
  }
  return 0;
}

/// What the worker wrote behind its answer to the greeting, before it was asked anything: perhaps
/// an answer to the notification that follows the greeting.
std::optional<Finding> early_noise(Subject& subject, Session& session, Heard early) {
  constexpr std::size_t kShown = 120;
  const std::string_view greeted = wire::row_of(subject.settings().speech).greeted;
  const bool answers =
      !greeted.empty() && !early.frames.empty() && answers_no_request(early.frames.front());
  if (!answers)
    return noise(subject, session, std::move(early), "behind its answer to the greeting");
  subject.noisy = true;
  subject.answers_notifications = true;
  return broken(fmt::format("answers the notification {}, which has no answer: {}",
                            json::parse(greeted).value("method", ""),
                            printable(early.frames.front(), kShown)));
}

}  // namespace

Finding three_calls(Subject& subject) {
  Session* session = subject.ready();
  if (session == nullptr) return no_worker();
  constexpr std::array kWhen{"in its first call", "in its second call", "in its third call"};
  // Late output that belongs to the greeting must not be taken for the first answer.
  if (subject.settings().wire().greets()) {
    Heard early = session->listen(kAfterthought);
    if (early.after == After::wrote_no_message) {
      if (auto finding = early_noise(subject, *session, std::move(early))) {
        subject.spoil();
        return *std::move(finding);
      }
    }
  }
  std::optional<std::string> error;
  std::string before;
  bool echoed = true;
  for (std::size_t number = 0; number < kCalls; ++number) {
    const std::string nonce = fmt::format("probe-{}", number);
    const json args{{"nonce", nonce}};
    const Subject::Request request = subject.request("echo", args);
    subject.spoil();
    const Heard heard = exchange(subject, *session, request, request.frame, true);
    if (const auto fault = done_before(subject, heard, number); !fault.empty())
      return broken(fault);
    const Answer answer = judge(subject, heard, request, args, kWhen.at(number));
    subject.closes_stdin = heard.silence.closed_stdin;
    if (!answer.fault.empty()) return broken(answer.fault);
    if (const auto fault = gone(subject, heard, number + 1); !fault.empty()) return broken(fault);
    if (answer.result && is_of_another(*answer.result, nonce, before))
      return broken("gives a caller the answer that belongs to the caller before");
    before = nonce;
    echoed = echoed && answer.echoed;
    if (answer.error) error = answer.error;
  }
  subject.answers = true;
  subject.succeeds = !error;
  subject.echoes = echoed;
  subject.keep();
  return held(error ? fmt::format("answers {} calls in a row (here with the error \"{}\")", kCalls,
                                  printable(*error, 80))
                    : fmt::format("answers {} calls in a row", kCalls));
}

Finding many_calls(Subject& subject) {
  Session* session = subject.ready();
  if (session == nullptr) return no_worker();
  subject.spoil();
  std::string before;
  const Time until = after(host::sys::now(), kManyLimit);
  int number = subject.requests_behind();
  session->show_briefly(true);
  while (number < kManyCalls && host::sys::now() < until) {
    const std::string nonce = fmt::format("probe-call-{:02}", ++number);
    const std::string fault = one_of_many(subject, *session, number, nonce, before);
    if (!fault.empty()) return broken(fault);
    before = nonce;
  }
  session->show_briefly(false);
  subject.keep();
  return held(fmt::format("answers {} calls of the same process", number));
}

Finding non_ascii(Subject& subject) {
  Session* session = subject.ready();
  if (session == nullptr) return no_worker();
  const json args{{"text", "h\u00e9llo \u2713 \U0001f980"}};
  // A worker without an echo mostly quotes the unknown command in its error.
  const Subject::Request request =
      subject.request(subject.echoes ? "echo" : "h\u00e9llo \u2713 \U0001f980", args);
  const Answer answer = call(subject, *session, request, args, "in a call with non-ASCII text");
  if (!answer.fault.empty()) return broken(answer.fault);
  if (subject.echoes && !answer.error && !answer.echoed)
    return broken("changes non-ASCII text on its way through");
  if (subject.echoes && answer.error) {
    return broken(
        fmt::format("answers non-ASCII text with an error: \"{}\"", printable(*answer.error, 80)));
  }
  return held("takes non-ASCII text");
}

Finding megabyte(Subject& subject) {
  Session* session = subject.ready();
  if (session == nullptr) return no_worker();
  const std::size_t limit = subject.settings().framing.payload_limit();
  if (limit < 2 * kEnvelopeBytes)
    return not_tried(fmt::format("a frame holds {} bytes at most", limit));
  const std::size_t size = std::min(kLargeBytes, limit - kEnvelopeBytes);
  const json args{{"text", std::string(size, 'x')}};
  const std::string when = fmt::format("in a call of {} bytes", size);
  const Subject::Request request = subject.request("echo", args);
  const Heard heard = exchange(subject, *session, request, request.frame);
  const Answer answer = judge(subject, heard, request, args, when);
  if (!answer.fault.empty()) subject.spoil();
  if (const auto why = refusal_of_size(subject, heard, answer)) {
    if (const std::size_t most = most_taken(subject, size); most > 0) {
      return remark(
          fmt::format("answers a call of {} bytes with an error, and takes one of {}: if "
                      "it has such a limit, say so (--max-frame-bytes): \"{}\"",
                      size, most, printable(*why, 80)));
    }
  }
  if (!answer.fault.empty()) return broken(at_that(answer.fault, when));
  if (answer.error && subject.echoes) {
    return remark(fmt::format("answers a call of {} bytes with an error: \"{}\"", size,
                              printable(*answer.error, 80)));
  }
  if (subject.echoes && !answer.echoed)
    return broken(fmt::format("changes a text of {} bytes on its way through", size));
  return held(fmt::format("takes {} bytes{}", size,
                          subject.echoes ? ", and gives them back"
                                         : " (its own large replies were "
                                           "not tried)"));
}

Finding torn_request(Subject& subject) {
  Session* session = subject.ready();
  if (session == nullptr) return no_worker();
  const json args{{"text", "torn"}};
  const Subject::Request request = subject.request("echo", args);
  const std::string_view frame = request.frame;
  const std::size_t middle = frame.size() / 2;
  const std::size_t head = std::max<std::size_t>(
      1, wire::header_of(subject.settings().framing, frame.size()).size() / 2);
  const Duration limit = subject.settings().limit;
  // If the first piece is not read by itself, it joins the rest in the pipe.
  const bool first = session->write_piece(frame.substr(0, head), limit);
  const bool second = session->write_piece(frame.substr(head, middle - head), limit);
  const bool alone = first && second;
  const Heard heard = exchange(subject, *session, request, frame.substr(middle));
  constexpr std::string_view kWhen = "on a request that comes in pieces";
  const Answer answer = judge(subject, heard, request, args, kWhen);
  if (!answer.fault.empty()) {
    subject.spoil();
    return broken(at_that(answer.fault, kWhen));
  }
  if (!alone) {
    return not_tried(fmt::format("it read no piece of a request alone within {} ms", to_ms(limit)));
  }
  return held("takes a request that comes in three pieces");
}

Finding glued_requests(Subject& subject) {
  Session* session = subject.ready();
  if (session == nullptr) return no_worker();
  const std::array<json, 2> args{json{{"text", "one"}, {"nonce", "probe-glued-1"}},
                                 json{{"text", "two"}, {"nonce", "probe-glued-2"}}};
  const std::array<Subject::Request, 2> requests{subject.request("echo", args[0]),
                                                 subject.request("echo", args[1])};
  const Duration limit = subject.settings().limit;
  Heard heard = session->ask(requests[0].frame + requests[1].frame, limit);
  if (heard.after == After::answered && !answers_one_of(subject, heard, requests)) {
    subject.spoil();
    return broken("answers two requests that come in one piece with " +
                  no_reply(subject, heard, requests.front()));
  }
  if (heard.after == After::answered && heard.frames.size() == 1) {
    Heard later = session->ask({}, limit);
    heard.after = later.after;
    heard.add(std::move(later));
  }
  if (heard.after == After::answered) {
    Finding finding = pairing(subject, heard, requests, args);
    if (finding.verdict != Verdict::held || heard.more_than(2)) subject.spoil();
    return finding;
  }
  subject.spoil();
  if (heard.frames.size() == 1)
    return remark("answers only the first of two requests that come in one piece");
  return remark(failure(heard, subject.settings().framing, "on two requests in one piece"));
}

Finding unknown_command(Subject& subject) {
  if (subject.settings().opaque) return not_tried("opaque bytes say nothing that it could refuse");
  Session* session = subject.ready();
  if (session == nullptr) return no_worker();
  const json args = json::object();
  const Subject::Request request = subject.request("poolproof_no_such_command", args);
  const Heard heard = exchange(subject, *session, request, request.frame);
  const Answer answer = judge(subject, heard, request, args, "on an unknown command");
  subject.ends_on_unknown = heard.after == After::ended;
  subject.hangs_on_unknown = heard.after == After::silent;
  if (!answer.fault.empty()) {
    subject.spoil();
    const bool replies = heard.after != After::answered ||
                         reply_to(subject, request, heard.frames.front()).has_value();
    return remark(replies ? at_that(answer.fault, "on an unknown command")
                          : "answers an unknown command with " + no_reply(subject, heard, request));
  }
  if (!answer.error) return remark("answers an unknown command with success");
  if (const std::string flaw = error_flaw(subject, heard.frames.front()); !flaw.empty()) {
    subject.errors_are_flawed = true;
    return remark("answers an unknown command with an error " + flaw);
  }
  return held("answers an unknown command with an error");
}

}  // namespace poolproof::probe
