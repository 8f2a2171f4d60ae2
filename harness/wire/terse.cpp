#include "harness/wire/terse.hpp"

#include <cstring>
#include <initializer_list>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "harness/base/assert.hpp"
#include "harness/base/text.hpp"

namespace poolproof::wire {
namespace {

constexpr char kRequestTag = '?';
constexpr char kReplyTag = '!';
constexpr std::uint8_t kNoVerdict = 2;

/// The numbers before the texts of a message, with no gaps between them.
struct __attribute__((packed)) RequestHead {
  char tag = kRequestTag;
  std::int64_t id = 0;
  std::uint8_t command_size = 0;
  std::uint8_t nonce_size = 0;
  std::uint32_t args_size = 0;
  std::uint32_t pad_bytes = 0;
};
struct __attribute__((packed)) ReplyHead {
  char tag = kReplyTag;
  std::int64_t id = 0;
  std::uint8_t has_id = 0;
  std::uint8_t success = kNoVerdict;
  std::uint8_t nonce_size = 0;
  std::uint32_t body_size = 0;
  std::uint32_t pad_bytes = 0;
};

template <class Head>
void write(const Head& head, std::initializer_list<std::string_view> texts, std::string& into) {
  std::size_t bytes = into.size() + sizeof head + head.pad_bytes;
  for (const std::string_view text : texts) bytes += text.size();
  into.reserve(bytes);
  into.append(reinterpret_cast<const char*>(&head), sizeof head);
  for (const std::string_view text : texts) into.append(text);
  into.append(head.pad_bytes, 'x');
}

/// Takes the head off. Nothing if the payload is too short for it, or begins with another tag.
template <class Head>
std::optional<Head> take_head(std::string_view& payload) {
  Head head;
  if (payload.size() < sizeof head || payload.front() != head.tag) return std::nullopt;
  std::memcpy(&head, payload.data(), sizeof head);
  payload.remove_prefix(sizeof head);
  return head;
}

std::string_view take_text(std::string_view& payload, std::size_t bytes) {
  const std::string_view text = payload.substr(0, bytes);
  payload.remove_prefix(bytes);
  return text;
}

/// Whether a JSON value may begin with this character. A bare NaN may not.
bool begins_as_json(std::string_view body) {
  return !body.empty() && std::string_view("{[\"-0123456789tfn").find(body.front()) != body.npos;
}

template <class Size>
Size size_of(std::string_view text) {
  POOLPROOF_ASSERT(text.size() <= std::numeric_limits<Size>::max());
  return static_cast<Size>(text.size());
}

}  // namespace

void encode_terse(const TerseRequest& request, std::string& into) {
  const RequestHead head{.id = request.id,
                         .command_size = size_of<std::uint8_t>(request.command),
                         .nonce_size = size_of<std::uint8_t>(request.nonce),
                         .args_size = size_of<std::uint32_t>(request.args),
                         .pad_bytes = request.pad_bytes};
  write(head, {request.command, request.nonce, request.args}, into);
}

void encode_terse(const TerseReply& reply, std::string& into) {
  const ReplyHead head{
      .id = reply.id.value_or(0),
      .has_id = static_cast<std::uint8_t>(reply.id.has_value()),
      .success = reply.success ? static_cast<std::uint8_t>(*reply.success) : kNoVerdict,
      .nonce_size = size_of<std::uint8_t>(reply.nonce),
      .body_size = size_of<std::uint32_t>(reply.body),
      .pad_bytes = reply.pad_bytes};
  write(head, {reply.nonce, reply.body}, into);
}

Expected<std::string, std::string> encode_frame(const Framing& framing,
                                                const TerseRequest& request) {
  const std::uint64_t size = sizeof(RequestHead) + request.command.size() + request.nonce.size() +
                             request.args.size() + request.pad_bytes;
  if (size > framing.payload_limit()) return unexpected(too_large(framing, size));
  std::string frame = header_of(framing, size);
  encode_terse(request, frame);
  return frame;
}

std::size_t terse_reply_size(std::size_t content_bytes) {
  return sizeof(ReplyHead) + content_bytes;
}

std::optional<TerseRequest> read_terse_request(std::string_view payload) {
  const auto head = take_head<RequestHead>(payload);
  if (!head) return std::nullopt;
  const std::uint64_t texts =
      std::uint64_t{head->command_size} + head->nonce_size + head->args_size;
  if (payload.size() != texts + head->pad_bytes) return std::nullopt;
  TerseRequest request;
  request.id = head->id;
  request.command = take_text(payload, head->command_size);
  request.nonce = take_text(payload, head->nonce_size);
  request.args = take_text(payload, head->args_size);
  request.pad_bytes = head->pad_bytes;
  return request;
}

std::optional<TerseReply> read_terse_reply(std::string_view payload) {
  const auto head = take_head<ReplyHead>(payload);
  if (!head || head->has_id > 1 || head->success > kNoVerdict) return std::nullopt;
  const std::uint64_t texts = std::uint64_t{head->nonce_size} + head->body_size;
  if (payload.size() != texts + head->pad_bytes) return std::nullopt;
  TerseReply reply;
  if (head->has_id == 1) reply.id = head->id;
  if (head->success != kNoVerdict) reply.success = head->success == 1;
  reply.nonce = take_text(payload, head->nonce_size);
  reply.body = take_text(payload, head->body_size);
  reply.pad_bytes = head->pad_bytes;
  return reply;
}

Expected<Reply, std::string> decode_terse_reply(std::string_view payload,
                                                std::int64_t expected_id) {
  const auto read = read_terse_reply(payload);
  if (!read) return unexpected(std::string("reply is no terse message"));
  if (read->id != expected_id) {
    return unexpected(fmt::format("reply has {}, expected id {}",
                                  read->id ? fmt::format("id {}", *read->id) : "no id",
                                  expected_id));
  }
  if (!read->success) return unexpected(std::string("reply has no verdict"));
  if (!begins_as_json(read->body)) return unexpected(std::string("reply has no JSON in it"));
  Reply reply;
  reply.id = expected_id;
  reply.success = *read->success;
  reply.nonce = read->nonce;
  reply.result_is_object = reply.success && read->body.front() == '{';
  if (!reply.success) reply.error = read->body;
  return reply;
}

}  // namespace poolproof::wire
