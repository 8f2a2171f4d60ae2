#include "fake_workers/reply.hpp"

#include <algorithm>
#include <charconv>

#include <nlohmann/json.hpp>

#include "harness/base/assert.hpp"

namespace poolproof::faults {
namespace {

std::string malformed_headers(std::string_view how, std::int64_t length) {
  const std::string number = std::to_string(length);
  const std::string sound = "Content-Length: " + number;
  if (how == "negative") return "Content-Length: -" + number + "\r\n\r\n";
  if (how == "missing") return "Content-Type: application/json\r\n\r\n";
  if (how == "no_number") return sound + " bytes\r\n\r\n";
  if (how == "twice") return sound + "\r\n" + sound + "\r\n\r\n";
  return sound + "\n\n";
}

std::string header_bytes(const ReplyInProgress& reply, std::size_t payload_size) {
  const wire::Framing& framing = reply.framing;
  // If a fault makes a payload longer than its prefix can announce, the prefix announces all it
  // can.
  const std::int64_t said =
      reply.header == ReplyInProgress::Header::over_limit
          ? static_cast<std::int64_t>(framing.payload_limit()) + reply.over_bytes
          : static_cast<std::int64_t>(payload_size);
  if (reply.header == ReplyInProgress::Header::huge)
    return wire::header_of(framing, wire::huge_length(framing));
  const auto length = std::max<std::int64_t>(said + reply.length_error, 1);
  if (reply.header == ReplyInProgress::Header::malformed)
    return malformed_headers(reply.malformation, length);
  std::string header = wire::header_of(framing, static_cast<std::uint64_t>(length));
  if (reply.header == ReplyInProgress::Header::little_endian) std::ranges::reverse(header);
  return header;
}

void add_terse(const ReplyInProgress& reply, std::string& into) {
  wire::TerseReply terse;
  std::int64_t id = 0;
  const char* const end = reply.id.data() + reply.id.size();
  if (std::from_chars(reply.id.data(), end, id).ptr == end) terse.id = id;
  if (reply.names_success) terse.success = reply.success;
  terse.nonce = reply.nonce;
  terse.body = reply.body;
  terse.pad_bytes = reply.pad_bytes;
  wire::encode_terse(terse, into);
}

/// The result of a tool, even for an error: its text, and the same as JSON.
std::string tool_result(const ReplyInProgress& reply) {
  const std::string text = reply.success ? json_text(reply.body) : reply.body;
  std::string result = R"({"content":[{"text":)" + text + R"(,"type":"text"}])";
  return result +
         (reply.success ? R"(,"structuredContent":)" + reply.body + "}" : R"(,"isError":true})");
}

/// Writes a JSON-RPC reply with sorted keys: error, id, jsonrpc, result.
std::string rpc_payload(const ReplyInProgress& reply) {
  const bool says_nothing = reply.body.empty() || !reply.names_success;
  const bool failed = !reply.success && !reply.of_tool && !says_nothing;
  std::string payload = "{";
  if (failed) {
    const auto code = static_cast<std::int32_t>(reply.code);
    payload += R"("error":{"code":)" + std::to_string(code) + R"(,"message":)" + reply.body + "},";
  }
  payload += "\"id\":" + reply.id + R"(,"jsonrpc":"2.0")";
  if (!failed && !says_nothing)
    payload += R"(,"result":)" + (reply.of_tool ? tool_result(reply) : reply.body);
  return payload += '}';
}

}  // namespace

Cut cut_of(const PlannedFault& fault) {
  const auto* const word = std::ranges::find(kReadEndingNames, fault.text("then"));
  POOLPROOF_ASSERT(word != kReadEndingNames.end());
  return {static_cast<std::size_t>(fault.number("keep_bytes")),
          static_cast<Ending>(word - kReadEndingNames.begin()),
          static_cast<int>(fault.number("code"))};
}

std::string ReplyInProgress::payload_bytes() const {
  if (payload) return *payload;
  if (codec == wire::Codec::terse) {
    std::string bytes;
    add_terse(*this, bytes);
    return bytes;
  }
  if (speech != wire::Speech::bridge) return rpc_payload(*this);
  const std::string key = success ? "\"result\":" : "\"error\":";
  const std::string verdict =
      names_success ? std::string(",\"success\":") + (success ? "true" : "false") : "";
  const std::string named_id = "\"id\":" + id;
  // The keys are sorted: error, id, result, success, timestamp.
  std::string first = success ? named_id + "," + key + body : key + body + "," + named_id;
  if (body.empty()) first = named_id;
  return "{" + first + verdict + ",\"timestamp\":" + timestamp + "}";
}

std::size_t ReplyInProgress::payload_size() const {
  const bool counted = !payload && codec == wire::Codec::terse;
  return counted ? wire::terse_reply_size(nonce.size() + body.size() + pad_bytes)
                 : payload_bytes().size();
}

/// JSON is padded with white space behind it; a terse message counts its pad.
ReplyInProgress ReplyInProgress::padded() const {
  ReplyInProgress reply = *this;
  reply.pad_to = 0;
  const std::size_t size = payload_size();
  if (size >= pad_to) return reply;
  if (codec == wire::Codec::terse && !payload) {
    reply.pad_bytes += static_cast<std::uint32_t>(pad_to - size);
  } else {
    reply.payload = payload_bytes().append(pad_to - size, ' ');
  }
  return reply;
}

std::string ReplyInProgress::bytes() const {
  if (pad_to > 0) return padded().bytes();
  const bool sound = header == Header::sound && length_error == 0 && copies == 1 &&
                     bytes_before.empty() && bytes_after.empty();
  if (sound && !payload && codec == wire::Codec::terse &&
      payload_size() <= framing.payload_limit()) {
    std::string frame = wire::header_of(framing, payload_size());
    add_terse(*this, frame);
    return frame;
  }
  std::string inside = payload_bytes();
  std::string once;
  if (header == Header::none) {
    once = framing.by_lines() ? inside : inside + "\n";
  } else if (header == Header::zero) {
    once = wire::header_of(framing, 0).append(wire::end_of(framing));
  } else {
    once = header_bytes(*this, inside.size()) + inside;
    once += wire::end_of(framing);
  }
  if (copies == 1 && bytes_before.empty() && bytes_after.empty()) return once;
  std::string all = bytes_before;
  for (std::size_t i = 0; i < copies; ++i) all += once;
  return all + bytes_after;
}

void ReplyInProgress::interrupt(std::string& bytes) const {
  if (interrupted_at == 0 || bytes.empty()) return;
  std::size_t at = std::min(interrupted_at, bytes.size() - 1);
  // Exchanging bytes within its texts keeps a terse message terse.
  if (codec == wire::Codec::terse && !payload)
    at = std::min(at, bytes_before.size() + wire::header_of(framing, payload_size()).size() + 1);
  bytes.insert(at, framed(framing, event_payload(speech)));
}

std::string framed(const wire::Framing& framing, std::string_view payload) {
  return wire::header_of(framing, payload.size()).append(payload).append(wire::end_of(framing));
}

std::string_view event_payload(wire::Speech speech) {
  switch (speech) {
    case wire::Speech::bridge:
      break;
    case wire::Speech::json_rpc:
      return R"({"jsonrpc":"2.0","method":"event"})";
    case wire::Speech::mcp:
      return R"({"jsonrpc":"2.0","method":"notifications/message",)"
             R"("params":{"data":"busy","level":"info"}})";
    case wire::Speech::lsp:
      return R"({"jsonrpc":"2.0","method":"window/logMessage",)"
             R"("params":{"message":"busy","type":3}})";
  }
  return R"({"event":"busy"})";
}

std::string own_request_payload(wire::Speech speech, std::string_view id) {
  const std::string named_id = "\"id\":" + std::string(id);
  if (speech == wire::Speech::bridge) return R"({"command":"ping",)" + named_id + "}";
  const bool lsp = speech == wire::Speech::lsp;
  const std::string method = lsp ? "workspace/workspaceFolders" : "ping";
  return "{" + named_id + R"(,"jsonrpc":"2.0","method":")" + method + "\"}";
}

std::string json_text(std::string_view text) {
  const bool plain = std::ranges::all_of(
      text, [](char c) { return c >= ' ' && c <= '~' && c != '"' && c != '\\'; });
  if (plain) return std::string(1, '"').append(text).append(1, '"');
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace poolproof::faults
