#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "harness/base/result.hpp"
#include "harness/probe/subject.hpp"
#include "harness/wire/envelope.hpp"

/// What a worker's messages say, whatever they were to answer.
namespace poolproof::probe {

/// What one message says in reply to the request. Error: why it is no reply to it.
Expected<wire::Reply, std::string> reply_to(const Subject& subject, const Subject::Request& request,
                                            std::string_view payload);

/// The result in a reply, without what its speech wraps around it. Requires: it is a success.
nlohmann::json content(const Subject& subject, const wire::Reply& reply);

/// The result to expect when `args` are echoed.
nlohmann::json echo_of(const Subject& subject, const nlohmann::json& args);

/// Whether `mark` occurs anywhere in the result, in upper or lower case.
bool carries(const nlohmann::json& result, std::string_view mark);

/// What the answer to something that is no request says. Its id is not looked at: there was none to
/// copy.
enum class Said : std::uint8_t { error, success, neither };
Said said_by(std::string_view payload);

/// What is wrong with an error message, to be read after "an error"; empty: nothing.
std::string error_flaw(const Subject& subject, std::string_view payload);

/// The id in the request that is no JSON. A worker may read it nevertheless.
inline constexpr int kBrokenId = 2;

/// Whether the payload is a JSON object that no speech knows, as loggers write it.
bool is_log_line(std::string_view payload);

/// What a worker does that writes a log line, itself JSON, before its reply to request `id`: to be
/// read after "it". Empty: it does not. `to`: such as `to a call`.
std::string log_before_reply(const Settings& settings, const std::vector<std::string>& frames,
                             std::int64_t id, std::string_view to);

/// Whether a message answers something without an id: a notification, or what could not be read.
bool answers_no_request(std::string_view payload);

/// What a worker does with a sound call, after it was sent something else.
struct NextCall {
  std::string fault;                 ///< to be read after "it"; empty: it answers as it did before
  std::optional<std::string> other;  ///< a message besides its reply, about what was sent before
  bool ended = false;                ///< its fault is that the process has ended
};
/// Makes a sound call. `after`: a noun for what was sent before; `is_answered`: that was answered.
NextCall next_call(Subject& subject, Session& session, std::string_view after, bool is_answered);

}  // namespace poolproof::probe
