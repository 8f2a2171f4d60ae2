#include "harness/probe/answers.hpp"

#include <algorithm>
#include <array>
#include <cctype>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "harness/base/text.hpp"
#include "harness/wire/speech.hpp"

namespace poolproof::probe {
namespace {

using nlohmann::json;

std::string in_small_letters(std::string_view text) {
  std::string small(text);
  std::transform(small.begin(), small.end(), small.begin(),
                 [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
  return small;
}

std::string silence_after(const Subject& subject, const Heard& heard, std::string_view what) {
  switch (heard.after) {
    case After::ended:
      return fmt::format("ends in the call after {}", what);
    case After::closed:
      return fmt::format("closes its {} in the call after {}", outlet(subject.settings().framing),
                         what);
    case After::wrote_no_message:
      return fmt::format("answers the call after {} with bytes that make no frame: {}", what,
                         hex_and_text(heard.rest, 16));
    case After::asks_on:
      return fmt::format("asks in the call after {} and does not read the answers", what);
    case After::answered:
    case After::silent:
      break;
  }
  return fmt::format("answers nothing any more after {}: {}", what, stuck(heard));
}

/// Whether a message has a number that no request had which was sent before this one.
bool is_numbered_otherwise(std::string_view payload) {
  const auto message = wire::parse_json(payload);
  if (!message || !message->is_object() || message->contains("method")) return false;
  const auto id = message->find("id");
  return id != message->end() && !id->is_null() && *id != kBrokenId;
}

/// What is wrong with the reply to the call with `args` that came after `what`; empty: nothing.
std::string wrong_with(const Subject& subject, const Expected<wire::Reply, std::string>& reply,
                       const json& args, std::string_view what) {
  if (!reply)
    return fmt::format("answers the call after {} with what is no reply: {}", what, reply.error());
  if (!reply->success) {
    if (!subject.succeeds) return "";
    return fmt::format("answers the call after {} with an error: \"{}\"", what,
                       printable(reply->error, 80));
  }
  if (!subject.echoes || content(subject, *reply) == echo_of(subject, args)) return "";
  return fmt::format("gives the call after {} what it was not sent", what);
}

}  // namespace

Expected<wire::Reply, std::string> reply_to(const Subject& subject, const Subject::Request& request,
                                            std::string_view payload) {
  if (subject.settings().opaque) {
    wire::Reply reply{request.id, true, nullptr, false, "", ""};
    reply.result = std::make_shared<const json>(payload);
    return reply;
  }
  wire::Heard said = wire::row_of(subject.settings().speech).hear(payload, request.id);
  if (said.kind == wire::Heard::Kind::reply) return std::move(said.reply);
  return unexpected(said.why.empty() ? "it is about something else" : said.why);
}

json content(const Subject& subject, const wire::Reply& reply) {
  return subject.settings().opaque ? *reply.result
                                   : *wire::content_of(subject.settings().speech, reply.result);
}

json echo_of(const Subject& subject, const json& args) {
  return subject.settings().opaque ? json(args.dump()) : args;
}

bool carries(const json& result, std::string_view mark) {
  // An opaque result may be any bytes, so it is looked at as a text.
  const std::string text = result.is_string()
                               ? result.get<std::string>()
                               : result.dump(-1, ' ', false, json::error_handler_t::replace);
  return in_small_letters(text).find(in_small_letters(mark)) != std::string::npos;
}

Said said_by(std::string_view payload) {
  const auto message = wire::parse_json(payload);
  if (!message || !message->is_object()) return Said::neither;
  const auto success = message->find("success");
  if (success != message->end() && success->is_boolean())
    return success->get<bool>() ? Said::success : Said::error;
  const auto error = message->find("error");
  if (error != message->end() && !error->is_null()) return Said::error;
  return message->contains("result") ? Said::success : Said::neither;
}

std::string error_flaw(const Subject& subject, std::string_view payload) {
  if (subject.settings().opaque) return "";
  const auto message = wire::parse_json(payload);
  if (!message || !message->is_object()) return "";
  return wire::row_of(subject.settings().speech).error_flaw(*message);
}

bool is_log_line(std::string_view payload) {
  const auto message = wire::parse_json(payload);
  if (!message || !message->is_object()) return false;
  constexpr std::array kOfMessages{"id", "jsonrpc", "method", "success", "result", "error"};
  return std::ranges::none_of(kOfMessages, [&](const char* key) { return message->contains(key); });
}

std::string log_before_reply(const Settings& settings, const std::vector<std::string>& frames,
                             std::int64_t id, std::string_view to) {
  constexpr std::size_t kShown = 120;
  if (settings.opaque || frames.empty() || !is_log_line(frames.front())) return "";
  const wire::SpeechRow& speech = wire::row_of(settings.speech);
  const bool replies = std::ranges::any_of(frames, [&](const std::string& frame) {
    return speech.hear(frame, id).kind == wire::Heard::Kind::reply;
  });
  if (!replies) return "";
  return fmt::format("writes JSON that is no {} (a log line) before its reply {}: {}",
                     settings.speech == wire::Speech::bridge ? "reply" : "JSON-RPC message", to,
                     printable(frames.front(), kShown));
}

bool answers_no_request(std::string_view payload) {
  const auto message = wire::parse_json(payload);
  if (!message || !message->is_object() || message->contains("method")) return false;
  const auto id = message->find("id");
  return (id == message->end() || id->is_null()) &&
         (message->contains("error") || message->contains("result"));
}

NextCall next_call(Subject& subject, Session& session, std::string_view after, bool is_answered) {
  const json args{{"text", "in step"}};
  const Subject::Request request = subject.request("echo", args);
  const Duration limit = subject.settings().limit;
  const bool is_echo = subject.settings().opaque && subject.echoes;
  NextCall next;
  Heard heard = session.ask(request.frame, limit);
  for (std::size_t i = 0;; ++i) {
    if (i == heard.frames.size() && heard.after == After::answered) {
      Heard later = session.ask({}, limit);
      heard.after = later.after;
      heard.add(std::move(later));
    }
    if (i == heard.frames.size()) {
      next.fault = silence_after(subject, heard, after);
      if (next.other && heard.after == After::silent && is_numbered_otherwise(*next.other))
        next.fault = wrong_with(subject, reply_to(subject, request, *next.other), args, after);
      next.ended = heard.exit.has_value();
      return next;
    }
    const auto reply = reply_to(subject, request, heard.frames[i]);
    // The first message may be the answer to what was sent before.
    const bool is_other = !reply || (is_echo && *reply->result != echo_of(subject, args));
    if (is_other && !is_answered && !next.other) {
      next.other = heard.frames[i];
      continue;
    }
    next.fault = wrong_with(subject, reply, args, after);
    // Or the message behind the reply is.
    const bool has_more = i + 1 < heard.frames.size();
    if (next.fault.empty() && !is_answered && !next.other && has_more)
      next.other = heard.frames[i + 1];
    return next;
  }
}

}  // namespace poolproof::probe
