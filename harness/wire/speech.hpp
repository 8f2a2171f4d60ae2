#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "harness/wire/envelope.hpp"
#include "harness/wire/speech_name.hpp"

namespace poolproof::wire {

/// What a worker said, while the reply to one request was awaited.
struct Heard {
  enum class Kind : std::uint8_t {
    reply,    ///< the reply to that request
    unasked,  ///< a notification: it may come at any time, and nobody answers it
    asked,    ///< the worker's own request: it may come at any time, and `answer` is due
    wrong,    ///< none of these
  };
  Kind kind = Kind::wrong;
  Reply reply;
  std::string answer;  ///< the payload that answers the worker's own request
  std::string why;     ///< wrong: one sentence, safe on a terminal
};

/// All that is known of one speech. A null function means that the speech has no such thing. Only
/// the bridge uses `timestamp`.
struct SpeechRow {
  Speech speech;
  std::string_view name;   ///< as options and files say it
  std::string_view users;  ///< who speaks it, for people
  bool speaks_unasked;     ///< workers send notifications and requests of their own
  /// Request 0, whose answer says that a worker is good. Null: it is good once it runs.
  std::string (*greeting)(std::string_view worker, std::string_view timestamp);
  std::string_view greeting_name;  ///< what people call the greeting
  /// The payload that confirms the answer to the greeting; empty: none.
  std::string_view greeted;
  /// What is missing in an answer to the greeting that is an object; empty: nothing. Null: no
  /// check.
  std::string (*bad_greeting)(const Reply& reply);
  /// The request that asks whether an idle worker is well. Null: it is well as long as it runs.
  std::string (*ping)(std::int64_t id, std::string_view worker, std::string_view timestamp);
  std::string (*request)(std::int64_t id, std::string_view command, const nlohmann::json& args,
                         std::string_view timestamp);
  /// The payloads that ask a worker to leave. Null: the end of its stdin asks it.
  std::vector<std::string> (*goodbye)(std::int64_t id, std::string_view worker,
                                      std::string_view timestamp);
  Heard (*hear)(std::string_view payload, std::int64_t expected_id);
  /// What is wrong with the `error` of a message (an object), as words that follow "an error";
  /// empty: nothing. Other clients may not recognise an error with such a flaw.
  std::string (*error_flaw)(const nlohmann::json& message);
  /// What a command gave back, without what the speech wraps around it. Null: it wraps nothing.
  std::shared_ptr<const nlohmann::json> (*unwrapped)(
      const std::shared_ptr<const nlohmann::json>& result);
};

/// All speeches, in the order of the enum.
std::span<const SpeechRow* const> speeches();
const SpeechRow& row_of(Speech speech);
/// The speech of this name; null: there is none.
const SpeechRow* speech_called(std::string_view name);

/// Whether two payloads are the same bytes, or the same JSON.
bool same_message(std::string_view one, std::string_view other);

extern const SpeechRow kBridgeSpeech;
extern const SpeechRow kJsonRpcSpeech;
extern const SpeechRow kMcpSpeech;
extern const SpeechRow kLspSpeech;

/// What a command gave back, without what the speech wraps around it.
std::shared_ptr<const nlohmann::json> content_of(
    Speech speech, const std::shared_ptr<const nlohmann::json>& result);

}  // namespace poolproof::wire
