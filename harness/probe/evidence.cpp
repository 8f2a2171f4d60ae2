#include "harness/probe/evidence.hpp"

#include <nlohmann/json.hpp>

#include "harness/base/text.hpp"
#include "harness/probe/answers.hpp"
#include "harness/wire/speech.hpp"

namespace poolproof::probe {
namespace {

using wire::Misframing;
using wire::Speech;

/// Whether only a worker that speaks on this wire can break such a rule.
bool is_of_this_wire(Misframing kind) {
  switch (kind) {
    case Misframing::text:
    case Misframing::headers:
    case Misframing::json_line:
    case Misframing::little_endian:
    case Misframing::other_prefix:
    case Misframing::varint:
      return false;
    default:
      return true;
  }
}

/// Which speech an answer to `initialize` shows.
Speech speech_of(const wire::Reply& reply) {
  if (!reply.success || !reply.result_is_object || !reply.result->contains("capabilities"))
    return Speech::json_rpc;
  return reply.result->contains("protocolVersion") ? Speech::mcp : Speech::lsp;
}

bool knows_no_greeting(const wire::Reply& reply) {
  constexpr std::string_view kMethodNotFound = "(code -32601)";
  return !reply.success && reply.error.ends_with(kMethodNotFound);
}

/// Whether the bytes are whole messages of a wire that says their lengths, and none of them is text
/// or begins as JSON: a reply that is JSON but for a fault must not pass for any bytes.
bool is_binary_run(const wire::Framing& framing, std::string_view bytes) {
  const bool says_lengths =
      framing.wire == wire::Wire::prefix || framing.wire == wire::Wire::varint;
  if (!says_lengths || bytes.empty()) return false;
  while (!bytes.empty()) {
    const wire::WholeFrame whole = wire::whole_frame(framing, bytes);
    const bool as_json = whole.payload.starts_with('{') || whole.payload.starts_with('[');
    if (whole.payload.empty() || as_json || is_text(whole.payload)) return false;
    bytes.remove_prefix(whole.bytes);
  }
  return true;
}

/// What comes behind log lines that are JSON, if that is the answer; else all the bytes.
std::string_view behind_logs(const Settings& settings, std::string_view bytes) {
  constexpr int kMostLines = 64;
  std::string_view behind = bytes;
  std::string_view document = wire::first_document(behind);
  for (int lines = 0; lines < kMostLines && is_log_line(document); ++lines) {
    behind.remove_prefix(static_cast<std::size_t>(document.data() - behind.data()) +
                         document.size());
    if (behind.starts_with('\r')) behind.remove_prefix(1);
    if (behind.starts_with('\n')) behind.remove_prefix(1);
    document = wire::first_document(behind);
  }
  const bool answers =
      wire::row_of(settings.speech).hear(document, 0).kind == wire::Heard::Kind::reply;
  return answers ? behind : bytes;
}

}  // namespace

Evidence evidence_of(const Settings& settings, const pool::StartEvidence& start,
                     std::string_view bytes, bool any_rpc) {
  Evidence evidence;
  evidence.exited = start.cause == StartCause::exited;
  evidence.unread = start.unread_bytes >= start.ping_bytes;
  evidence.waits = start.cause == StartCause::ping_unanswered;
  evidence.wrote_nothing = bytes.empty();
  const wire::Framing& framing = settings.framing;
  const std::string_view said =
      behind_logs(settings, wire::behind_unasked(framing, settings.speech, bytes));
  const std::string_view payload = wire::whole_frame(framing, said).payload;
  evidence.sound = !payload.empty() && wire::first_document(payload) == payload;
  evidence.binary = is_binary_run(framing, bytes);
  wire::Framing varints = framing;
  varints.wire = wire::Wire::varint;
  evidence.binary_varints = is_binary_run(varints, bytes);
  const std::string_view document = evidence.sound ? payload : wire::first_document(said);
  if (const auto suspicion = wire::suspect(framing, said)) evidence.suspicion = suspicion->kind;
  const auto message = wire::parse_json(document);
  evidence.logs = is_log_line(document);
  const bool in_batch = message && message->is_array() && !message->empty();
  const auto& one = in_batch ? message->front() : message ? *message : nlohmann::json();
  evidence.rpc = one.is_object() && one.contains("jsonrpc");
  const wire::Heard heard = wire::row_of(settings.speech).hear(document, 0);
  const bool answers = heard.kind == wire::Heard::Kind::reply;
  const bool rpc = settings.speech != Speech::bridge;
  evidence.refuses = answers && rpc && !heard.reply.success;
  if (answers && rpc && (any_rpc || knows_no_greeting(heard.reply)))
    evidence.speech = speech_of(heard.reply);
  // Who writes lengths in the other byte order reads them so, too, if it waited for more.
  const bool misread = evidence.waits && evidence.suspicion == Misframing::little_endian;
  if (start.cause == StartCause::none || (evidence.sound && evidence.speech)) {
    evidence.grade = Grade::good;
  } else if (answers && !misread) {
    evidence.grade = Grade::answer;
  } else if (evidence.sound) {
    evidence.grade = said_by(document) == Said::error ? Grade::objection : Grade::message;
  } else if (evidence.suspicion && is_of_this_wire(*evidence.suspicion)) {
    evidence.grade = Grade::misframed;
  } else if (!bytes.empty() && (!evidence.suspicion || evidence.suspicion == Misframing::text)) {
    evidence.grade = Grade::noise;
  }
  return evidence;
}

}  // namespace poolproof::probe
