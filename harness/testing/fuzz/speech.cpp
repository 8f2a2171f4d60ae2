#include "harness/wire/speech.hpp"

#include <algorithm>
#include <chrono>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "harness/base/assert.hpp"
#include "harness/base/text.hpp"
#include "harness/testing/fuzz/input.hpp"
#include "harness/wire/conversation.hpp"

/// One speech's reader: any payloads, one by one and as the stream of one call.
///
/// An input is: one digit for the id that is awaited (0 is the greeting), one for the size of the
/// chunks, then lines, each of them a message.
namespace poolproof::fuzz {
namespace {

using wire::CallResult;
using wire::Conversation;
using wire::Heard;
using wire::Reply;

constexpr std::size_t kLongestSentence = 2000;

const wire::SpeechRow& fuzzed() {
  return *wire::speech_called(POOLPROOF_FUZZED);
}

void check_sentence(const std::string& sentence) {
  POOLPROOF_ASSERT(!sentence.empty() && sentence.size() <= kLongestSentence);
  POOLPROOF_ASSERT(printable_message(sentence, kLongestSentence) == sentence);
}

bool same_reply(const Reply& a, const Reply& b) {
  return a.id == b.id && a.success == b.success && a.result_is_object == b.result_is_object &&
         a.nonce == b.nonce && a.error == b.error &&
         (a.result == nullptr) == (b.result == nullptr) && (!a.result || *a.result == *b.result);
}

void check_reply(const Reply& reply, std::int64_t id) {
  POOLPROOF_ASSERT(reply.id == id);
  POOLPROOF_ASSERT(reply.success == (reply.result != nullptr));
  if (!reply.success) return;
  POOLPROOF_ASSERT(reply.result_is_object == reply.result->is_object());
  POOLPROOF_ASSERT(wire::content_of(fuzzed().speech, reply.result) != nullptr);
  if (!reply.result_is_object || fuzzed().bad_greeting == nullptr) return;
  const std::string wrong = fuzzed().bad_greeting(reply);
  if (!wrong.empty()) check_sentence(wrong);
}

/// The answer to the worker's own request must be JSON and have that request's id.
void check_answer(std::string_view payload, const std::string& answer) {
  const auto asked = wire::parse_json(payload);
  const auto answered = wire::parse_json(answer);
  POOLPROOF_ASSERT(asked && answered && answered->is_object());
  POOLPROOF_ASSERT((*answered)["id"] == (*asked)["id"]);
  POOLPROOF_ASSERT(answered->contains("result") != answered->contains("error"));
}

void check_payload(std::string_view payload, std::int64_t id) {
  const Heard heard = fuzzed().hear(payload, id);
  POOLPROOF_ASSERT(fuzzed().speaks_unasked || heard.kind == Heard::Kind::reply ||
                   heard.kind == Heard::Kind::wrong);
  if (heard.kind == Heard::Kind::wrong) check_sentence(heard.why);
  if (heard.kind == Heard::Kind::reply) check_reply(heard.reply, id);
  if (heard.kind == Heard::Kind::asked) check_answer(payload, heard.answer);
  // The quick reader of plain replies must agree with nlohmann's.
  const auto quick = wire::decode_reply(payload, id);
  const auto full = wire::decode_reply_in_full(payload, id);
  POOLPROOF_ASSERT(quick.has_value() == full.has_value());
  POOLPROOF_ASSERT(quick ? same_reply(*quick, *full) : quick.error() == full.error());
}

/// Makes one call that is answered with this stream; it is cancelled if the stream holds no answer.
CallResult converse(std::string_view stream, std::int64_t id, std::size_t chunk) {
  wire::Framing framing;
  framing.wire = wire::Wire::lines;
  const auto payload = id == 0 ? wire::Payload::handshake : wire::Payload::envelope;
  Conversation conversation(framing, payload, id, "request\n", Time(std::chrono::seconds(1)),
                            wire::Codec::json, fuzzed().speech);
  conversation.wrote(conversation.pending_output().size());
  while (!stream.empty() && !conversation.decided()) {
    conversation.read(stream.substr(0, chunk));
    stream.remove_prefix(std::min(stream.size(), chunk));
  }
  conversation.cancel();
  return conversation.take_result();
}

void check_conversation(std::string_view stream, std::int64_t id, std::size_t chunk) {
  const CallResult whole = converse(stream, id, std::max<std::size_t>(stream.size(), 1));
  const CallResult chunked = converse(stream, id, chunk);
  POOLPROOF_ASSERT(whole.outcome == chunked.outcome && whole.phase == chunked.phase);
  POOLPROOF_ASSERT(same_reply(whole.reply, chunked.reply));
  if (whole.outcome != Outcome::ok) check_sentence(whole.detail);
}

/// What came before the request must be passed over, or end the call before it is made.
void check_heard_before(std::string_view stream, std::int64_t id) {
  wire::Framing framing;
  framing.wire = wire::Wire::lines;
  Conversation conversation(framing, wire::Payload::envelope, id, "request\n",
                            Time(std::chrono::seconds(1)), wire::Codec::json, fuzzed().speech);
  conversation.heard_before(stream);
  if (!conversation.decided()) return;
  POOLPROOF_ASSERT(conversation.result().outcome == Outcome::stale_worker);
  check_sentence(conversation.result().detail);
}

}  // namespace
}  // namespace poolproof::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace poolproof::fuzz;
  Input input(data, size);
  const auto id = static_cast<std::int64_t>(input.choose(10));
  const std::size_t chunk = input.choose(64) + 1;
  const std::string_view stream = input.rest();
  for (std::string_view rest = stream; !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    check_payload(line, id);
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
  }
  check_conversation(stream, id, chunk);
  check_heard_before(stream, id);
  return 0;
}
