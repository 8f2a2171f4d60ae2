#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "harness/base/result.hpp"
#include "harness/probe/subject.hpp"
#include "harness/wire/envelope.hpp"

/// What a worker's frames say, whatever they were asked for.
namespace poolproof::probe {

/// What one message says to the request. Error: why it is no reply to it.
Expected<wire::Reply, std::string> reply_to(const Subject& subject, const Subject::Request& request,
                                            std::string_view payload);

/// What a reply gives back, without what its speech wraps around it. Requires: it is a success.
nlohmann::json content(const Subject& subject, const wire::Reply& reply);

/// What comes back of `args` where they are echoed.
nlohmann::json echo_of(const Subject& subject, const nlohmann::json& args);

/// Whether `mark` stands anywhere in the result, in letters of any case.
bool carries(const nlohmann::json& result, std::string_view mark);

/// What an answer to something that is no request says. Its id says nothing: there was none to
/// read.
enum class Said : std::uint8_t { error, success, neither };
Said said_by(std::string_view payload);

/// What is wrong with the error that a message is, to be read after "an error"; empty: nothing.
std::string error_flaw(const Subject& subject, std::string_view payload);

/// An object that is nothing of any speech, as loggers write it.
bool is_log_line(std::string_view payload);

/// What a worker does that writes a log line, which is JSON, in front of its reply to request `id`;
/// to be read after "it". Empty: it does not. `to`: `to a call`.
std::string log_before_reply(const Settings& settings, const std::vector<std::string>& frames,
                             std::int64_t id, std::string_view to);

/// Whether a message is an answer to what had no id: to a notification, or to what was not read.
bool answers_no_request(std::string_view payload);

/// What a worker does with a sound call, after it was sent something else.
struct NextCall {
  std::string fault;                 ///< to be read after "it"; empty: it answers as it did before
  std::optional<std::string> other;  ///< a message beside its reply: it is about what came before
  bool ended = false;                ///< fault: the process is no more
};
/// `after` is a noun for what was sent before, and `is_answered` whether its answer was heard.
NextCall next_call(Subject& subject, Session& session, std::string_view after, bool is_answered);

}  // namespace poolproof::probe
