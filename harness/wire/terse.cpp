#include "harness/wire/terse.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

#include <fmt/format.h>

#include "harness/base/assert.hpp"
#include "harness/base/text.hpp"

namespace poolproof::wire {
namespace {

constexpr char kRequestTag = '?';
constexpr char kReplyTag = '!';
constexpr std::uint8_t kNoVerdict = 2;
constexpr std::size_t kRequestHead = 1 + 8 + 1 + 1 + 4 + 4;
constexpr std::size_t kReplyHead = 1 + 8 + 1 + 1 + 1 + 4 + 4;

/// Writes numbers and texts one after another.
class Writer {
 public:
  /// `size` bytes will follow behind the present end of `into`.
  Writer(std::string& into, std::size_t bytes) {
    const std::size_t before = into.size();
    into.resize(before + bytes);
    at_ = into.data() + before;
  }

  template <class Number>
  void number(Number value) {
    std::memcpy(at_, &value, sizeof value);
    at_ += sizeof value;
  }
  void text(std::string_view bytes) {
    at_ = std::copy(bytes.begin(), bytes.end(), at_);  // memcpy() may not be given an empty view
  }
  void pad(std::uint32_t bytes) { std::memset(at_, 'x', bytes); }

 private:
  char* at_ = nullptr;
};

/// Reads them back in the same order. Requires: enough bytes are left.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : left_(bytes) {}

  template <class Number>
  Number number() {
    Number value{};
    std::memcpy(&value, left_.data(), sizeof value);
    left_.remove_prefix(sizeof value);
    return value;
  }
  std::string_view text(std::size_t bytes) {
    const std::string_view text = left_.substr(0, bytes);
    left_.remove_prefix(bytes);
    return text;
  }
  [[nodiscard]] std::size_t left() const { return left_.size(); }

 private:
  std::string_view left_;
};

/// Whether a JSON value may begin with this character. A bare NaN may not.
bool begins_as_json(std::string_view body) {
  return !body.empty() && std::string_view("{[\"-0123456789tfn").find(body.front()) != body.npos;
}

std::uint8_t short_size(std::string_view text) {
  POOLPROOF_ASSERT(text.size() <= std::numeric_limits<std::uint8_t>::max());
  return static_cast<std::uint8_t>(text.size());
}

std::uint32_t size_of(std::string_view text) {
  return static_cast<std::uint32_t>(text.size());
}

}  // namespace

void encode_terse(const TerseRequest& request, std::string& into) {
  Writer out(into, kRequestHead + request.command.size() + request.nonce.size() +
                       request.args.size() + request.pad_bytes);
  out.number(kRequestTag);
  out.number(request.id);
  out.number(short_size(request.command));
  out.number(short_size(request.nonce));
  out.number(size_of(request.args));
  out.number(request.pad_bytes);
  out.text(request.command);
  out.text(request.nonce);
  out.text(request.args);
  out.pad(request.pad_bytes);
}

void encode_terse(const TerseReply& reply, std::string& into) {
  Writer out(into, kReplyHead + reply.nonce.size() + reply.body.size() + reply.pad_bytes);
  out.number(kReplyTag);
  out.number(reply.id.value_or(0));
  out.number(static_cast<std::uint8_t>(reply.id.has_value()));
  out.number(reply.success ? static_cast<std::uint8_t>(*reply.success) : kNoVerdict);
  out.number(short_size(reply.nonce));
  out.number(size_of(reply.body));
  out.number(reply.pad_bytes);
  out.text(reply.nonce);
  out.text(reply.body);
  out.pad(reply.pad_bytes);
}

std::size_t terse_reply_size(std::size_t content_bytes) {
  return kReplyHead + content_bytes;
}

std::optional<TerseRequest> read_terse_request(std::string_view payload) {
  if (payload.size() < kRequestHead || payload.front() != kRequestTag) return std::nullopt;
  Reader in(payload.substr(1));
  TerseRequest request;
  request.id = in.number<std::int64_t>();
  const auto command_size = in.number<std::uint8_t>();
  const auto nonce_size = in.number<std::uint8_t>();
  const auto args_size = in.number<std::uint32_t>();
  request.pad_bytes = in.number<std::uint32_t>();
  const std::uint64_t texts = std::uint64_t{command_size} + nonce_size + args_size;
  if (in.left() != texts + request.pad_bytes) return std::nullopt;
  request.command = in.text(command_size);
  request.nonce = in.text(nonce_size);
  request.args = in.text(args_size);
  return request;
}

std::optional<TerseReply> read_terse_reply(std::string_view payload) {
  if (payload.size() < kReplyHead || payload.front() != kReplyTag) return std::nullopt;
  Reader in(payload.substr(1));
  TerseReply reply;
  const auto id = in.number<std::int64_t>();
  const auto has_id = in.number<std::uint8_t>();
  const auto success = in.number<std::uint8_t>();
  const auto nonce_size = in.number<std::uint8_t>();
  const auto body_size = in.number<std::uint32_t>();
  reply.pad_bytes = in.number<std::uint32_t>();
  if (has_id > 1 || success > kNoVerdict) return std::nullopt;
  if (in.left() != std::uint64_t{nonce_size} + body_size + reply.pad_bytes) return std::nullopt;
  if (has_id == 1) reply.id = id;
  if (success != kNoVerdict) reply.success = success == 1;
  reply.nonce = in.text(nonce_size);
  reply.body = in.text(body_size);
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
