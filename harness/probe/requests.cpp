#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "harness/base/text.hpp"
#include "harness/pool/explain.hpp"
#include "harness/probe/tests.hpp"
#include "harness/wire/misframing.hpp"
#include "harness/wire/speech.hpp"

namespace poolproof::probe {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

/// The time in which a worker may still write more, or end, after it has answered.
constexpr Duration kAfterthought = 200ms;
constexpr int kCalls = 3;
constexpr std::size_t kLargeBytes = 1'000'000;
/// What an envelope needs beside the text that is echoed, each way.
constexpr std::size_t kEnvelopeBytes = 400;
/// More than a pipe holds.
constexpr std::size_t kManyBytes = 4 * 65536;

/// One echo, sent and answered.
struct Answer {
  std::string fault;    ///< to be read after "it"; empty: it is the reply to this request
  bool echoed = false;  ///< its result is what was sent
  std::optional<std::string> error;
  std::shared_ptr<const json> result;  ///< null: there is none
};

/// What one message says to the request.
Expected<wire::Reply, std::string> reply_in(const Subject& subject, const Subject::Request& request,
                                            const std::string& payload) {
  if (subject.settings().opaque) {
    wire::Reply reply{request.id, true, nullptr, false, "", ""};
    reply.result = std::make_shared<const json>(payload);
    return reply;
  }
  wire::Heard said = wire::row_of(subject.settings().speech).hear(payload, request.id);
  if (said.kind == wire::Heard::Kind::reply) return std::move(said.reply);
  return unexpected(said.why.empty() ? "it is about something else" : said.why);
}

/// What comes back of `args` where they are echoed.
json echo_of(const Subject& subject, const json& args) {
  return subject.settings().opaque ? json(args.dump()) : args;
}

/// Too much behind a good answer, to be read after "it"; empty: nothing came.
std::string surplus(Subject& subject, const Heard& heard, const Subject::Request& request) {
  if (heard.frames.size() > 1) {
    const std::string& second = heard.frames[1];
    const bool is_message = subject.settings().opaque || wire::first_document(second) == second;
    const auto reply = reply_in(subject, request, second);
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
  // What is sound JSON says more than any frame does, where there is some.
  const auto suspicion = subject.settings().opaque
                             ? std::nullopt
                             : wire::suspect(subject.settings().framing, heard.bytes());
  const std::string behind = heard.frames.size() > 1 ? heard.frames[1] : heard.rest;
  return "makes noise on its stdout in a call: it answers with " +
         (suspicion ? suspicion->words : "a reply and, behind it, " + hex_and_text(behind, 16));
}

Answer judge(Subject& subject, const Heard& heard, const Subject::Request& request,
             const json& args, std::string_view when) {
  const wire::Framing& framing = subject.settings().framing;
  Answer answer;
  answer.fault = failure(heard, framing, when);
  if (!answer.fault.empty()) return answer;
  const auto reply = reply_in(subject, request, heard.frames.front());
  if (!reply) {
    const auto suspicion = wire::suspect(framing, heard.bytes());
    const bool misframed = suspicion && !wire::first_is_sound(suspicion->kind);
    answer.fault = fmt::format("answers a call with {}",
                               misframed ? suspicion->words : "what is no reply: " + reply.error());
    return answer;
  }
  answer.fault = surplus(subject, heard, request);
  if (!answer.fault.empty()) return answer;
  if (!reply->success) {
    answer.error = reply->error;
    return answer;
  }
  answer.result = subject.settings().opaque
                      ? reply->result
                      : wire::content_of(subject.settings().speech, reply->result);
  answer.echoed = *answer.result == echo_of(subject, args);
  return answer;
}

/// A request and all that came of it. What follows a doubtful answer is always heard out: what
/// belongs together may be on its way still, and the kind of noise is told by all of it.
Heard exchange(const Subject& subject, Session& session, const Subject::Request& request,
               Duration patience, std::string_view rest_of_it, bool hear_out = false) {
  Heard heard = session.ask(rest_of_it, patience);
  const bool plain = heard.after == After::answered && heard.rest.empty() &&
                     heard.frames.size() == 1 && reply_in(subject, request, heard.frames[0]);
  const bool nothing = heard.after == After::ended || heard.after == After::silent;
  if (!nothing && (hear_out || !plain)) heard.add(session.hear_out(kAfterthought));
  return heard;
}

Answer call(Subject& subject, Session& session, const Subject::Request& request, const json& args,
            std::string_view when) {
  const Heard heard = exchange(subject, session, request, subject.settings().limit, request.frame);
  Answer answer = judge(subject, heard, request, args, when);
  if (!answer.fault.empty()) subject.spoil();
  return answer;
}

std::string ended_after(std::size_t calls, const Heard& heard) {
  return calls == 1 ? "ends after its first call " + end_of(heard)
                    : fmt::format("ends after {} calls {}", calls, end_of(heard));
}

/// Whether the worker answers a sound call after what it was sent before.
bool is_in_step(Subject& subject, Session& session) {
  const json args{{"text", "in step"}};
  const Subject::Request request = subject.request("echo", args);
  const auto is_answer = [&](const std::string& payload) {
    const auto reply = reply_in(subject, request, payload);
    const bool is_echo = subject.settings().opaque && subject.echoes;
    return reply && (!is_echo || *reply->result == echo_of(subject, args));
  };
  const auto has_answer = [&](const Heard& heard) {
    return std::ranges::any_of(heard.frames, is_answer);
  };
  const Heard heard = session.ask(request.frame, patience(subject));
  // The first message may be its answer to what came before.
  return has_answer(heard) ||
         (heard.after == After::answered && has_answer(session.ask({}, patience(subject))));
}

}  // namespace

Finding three_calls(Subject& subject) {
  Session* session = subject.ready();
  if (session == nullptr) return no_worker();
  constexpr std::array kWhen{"in its first call", "in its second call", "in its third call"};
  // What stands behind its greeting, and came later, is none of its first answer.
  if (subject.settings().wire().greets()) {
    Heard early = session->listen(kAfterthought);
    if (early.after == After::babbled) {
      subject.spoil();
      return noise(subject, *session, std::move(early), "behind its answer to the greeting");
    }
  }
  std::optional<std::string> error;
  json before;
  bool echoed = true;
  for (std::size_t number = 0; number < kCalls; ++number) {
    const json args{{"nonce", fmt::format("probe-{}", number)}};
    const Subject::Request request = subject.request("echo", args);
    subject.spoil();
    const Heard heard =
        exchange(subject, *session, request, subject.settings().limit, request.frame, true);
    const bool ended_before =
        heard.after == After::ended && heard.bytes().empty() && heard.silence.left >= heard.sent;
    if (ended_before && number > 0) return broken(ended_after(number, heard));
    const Answer answer = judge(subject, heard, request, args, kWhen.at(number));
    if (!answer.fault.empty()) return broken(answer.fault);
    if (heard.exit) return broken(ended_after(number + 1, heard));
    if (number > 0 && answer.result && *answer.result == before)
      return broken("gives a caller the answer that belongs to the caller before");
    before = echo_of(subject, args);
    echoed = echoed && answer.echoed;
    error = answer.error;
  }
  subject.answers = true;
  subject.echoes = echoed;
  subject.keep();
  return held(error ? fmt::format("answers {} calls in a row (here with the error \"{}\")", kCalls,
                                  printable(*error, 80))
                    : fmt::format("answers {} calls in a row", kCalls));
}

Finding non_ascii(Subject& subject) {
  Session* session = subject.ready();
  if (session == nullptr) return no_worker();
  const json args{{"text", "h\u00e9llo \u2713 \U0001f980"}};
  // Who knows no echo mostly quotes the command in its error.
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
  const Answer answer = call(subject, *session, subject.request("echo", args), args,
                             fmt::format("in a call of {} bytes", size));
  if (!answer.fault.empty()) return broken(answer.fault);
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
  session->write_piece(frame.substr(0, head));
  session->write_piece(frame.substr(head, middle - head));
  const Heard heard =
      exchange(subject, *session, request, subject.settings().limit, frame.substr(middle));
  const Answer answer = judge(subject, heard, request, args, "on a request that comes in pieces");
  if (!answer.fault.empty()) {
    subject.spoil();
    return broken(answer.fault);
  }
  return held("takes a request that comes in three pieces");
}

Finding glued_requests(Subject& subject) {
  Session* session = subject.ready();
  if (session == nullptr) return no_worker();
  const Subject::Request one = subject.request("echo", {{"text", "one"}});
  const Subject::Request two = subject.request("echo", {{"text", "two"}});
  const Heard heard = session->ask(one.frame + two.frame, patience(subject), 2);
  if (heard.after != After::answered || heard.frames.size() > 2) subject.spoil();
  if (heard.after == After::answered) return held("answers two requests that come in one piece");
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
  const Heard heard = exchange(subject, *session, request, patience(subject), request.frame);
  const Answer answer = judge(subject, heard, request, args, "on an unknown command");
  if (!answer.fault.empty()) {
    subject.spoil();
    return remark(answer.fault);
  }
  if (!answer.error) return remark("answers an unknown command with success");
  return held("answers an unknown command with an error");
}

Finding not_json(Subject& subject) {
  if (subject.settings().opaque) return not_tried("opaque bytes say nothing that it could refuse");
  Session* session = subject.ready();
  if (session == nullptr) return no_worker();
  const auto frame =
      wire::encode_frame(subject.settings().framing, R"({"id": 2, "command": "echo", )");
  const Heard heard = session->ask(*frame, patience(subject));
  subject.spoil();
  if (heard.after == After::ended)
    return remark("ends without a word on a request that is no JSON " + end_of(heard));
  if (heard.after == After::silent) return remark("leaves a request that is no JSON unanswered");
  if (heard.after != After::answered)
    return remark("answers a request that is no JSON with no frame");
  const Heard later = session->hear_out(kAfterthought);
  if (later.exit) return remark("answers a request that is no JSON and ends " + end_of(later));
  if (heard.frames.size() == 1 && later.after == After::silent) subject.keep();
  return held("answers a request that is no JSON with an error");
}

Finding zero_length(Subject& subject) {
  Session* session = subject.ready();
  if (session == nullptr) return no_worker();
  subject.spoil();
  const wire::Framing& framing = subject.settings().framing;
  const std::string empty = wire::header_of(framing, 0).append(wire::end_of(framing));
  const Heard heard = session->ask(empty, kAfterthought);
  if (heard.after == After::ended) return held("ends on a frame of no bytes " + end_of(heard));
  const bool opaque = subject.settings().opaque;
  if (opaque && heard.bytes() == empty) return held("gives a frame of no bytes back");
  const bool babbled = heard.after == After::babbled && !heard.under_way;
  if (babbled || heard.after == After::closed)
    return remark(failure(heard, framing, "on a frame of no bytes"));
  const bool in_step = is_in_step(subject, *session);
  if (const auto ended = session->exit_status())
    return held(fmt::format("ends on a frame of no bytes ({})", pool::words(*ended)));
  if (!in_step) return remark("answers nothing any more after a frame of no bytes");
  if (heard.after != After::answered) return held("passes over a frame of no bytes");
  return held(opaque ? "answers a frame of no bytes" : "answers a frame of no bytes with an error");
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
  std::string bytes = wire::header_of(framing, std::uint64_t{framing.max_frame_bytes} + 1);
  // More than a pipe holds: who takes it all waits for the payload, and has no such limit.
  bytes.append(std::min<std::size_t>(kManyBytes, framing.max_frame_bytes), ' ');
  const Heard heard = session->ask(bytes, patience(subject));
  if (heard.after == After::ended) return held("ends on an oversized frame " + end_of(heard));
  if (heard.after == After::answered) return held("answers an oversized frame with an error");
  if (heard.after == After::babbled)
    return remark(failure(heard, framing, "on an oversized frame"));
  const std::size_t left = heard.silence.left;
  if (left == 0) {
    return remark(
        fmt::format("takes a frame of more than {} bytes (it has read all {} bytes that "
                    "came of it)",
                    framing.max_frame_bytes, bytes.size()));
  }
  return remark(
      fmt::format("neither ends nor answers on an oversized frame, of which it has read "
                  "{} of {} bytes",
                  bytes.size() - left, bytes.size()));
}

}  // namespace poolproof::probe
