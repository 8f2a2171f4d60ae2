#include "harness/wire/framing.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "harness/base/assert.hpp"
#include "harness/base/text.hpp"

namespace poolproof::wire {
namespace {

constexpr std::size_t kBytesShownAfterHeader = 60;

/// The most likely origin of bytes that are no frame; empty if nothing suggests one.
std::string likely_cause(std::string_view bytes, std::size_t prefix_bytes) {
  if (!is_text(bytes)) return "";
  if (bytes.front() == '{') {
    return fmt::format("; most likely JSON without its {}-byte length prefix", prefix_bytes);
  }
  return "; text where a frame should be, most likely a print or a banner on stdout";
}

FrameError frame_error(const Framing& framing, std::uint64_t length, std::string_view bytes) {
  FrameError error;
  error.kind = length == 0 ? FrameError::Kind::zero_length : FrameError::Kind::too_large;
  error.length = length;
  error.first_bytes = bytes;
  const std::string why = length == 0 ? "0 is not allowed: a frame holds at least 1 byte"
                                      : fmt::format("{} is above the limit of {} bytes", length,
                                                    framing.payload_limit());
  error.message =
      fmt::format("frame length {}; first bytes {}{}", why, hex_and_text(bytes, bytes.size()),
                  likely_cause(bytes, framing.prefix_bytes));
  return error;
}

std::uint64_t length_in(std::string_view header) {
  std::uint64_t length = 0;
  for (const char byte : header) length = (length << 8U) | static_cast<unsigned char>(byte);
  return length;
}

}  // namespace

std::uint64_t largest_length(std::uint8_t prefix_bytes) {
  POOLPROOF_ASSERT(prefix_bytes == 1 || prefix_bytes == 2 || prefix_bytes == 4);
  return (std::uint64_t{1} << (8U * prefix_bytes)) - 1;
}

std::size_t Framing::payload_limit() const {
  return static_cast<std::size_t>(
      std::min<std::uint64_t>(largest_length(prefix_bytes), max_frame_bytes));
}

bool Framing::can_be_exceeded() const {
  return max_frame_bytes < largest_length(prefix_bytes);
}

void FrameDecoder::push(std::string_view bytes) {
  // What has been given out is erased only when it is at least as long as the rest: so each byte
  // given out costs at most one byte moved.
  if (start_ >= buffered_bytes()) {
    buffer_.erase(0, start_);
    start_ = 0;
  }
  if (lost()) bytes = bytes.substr(0, shown_bytes() - std::min(shown_bytes(), buffered_bytes()));
  buffer_.append(bytes);
  if (!announced_) look_at_header();
}

Expected<std::optional<std::string_view>, FrameError> FrameDecoder::next() {
  if (!announced_) return std::nullopt;
  if (lost()) {
    buffer_.resize(start_ + std::min(buffered_bytes(), shown_bytes()));
    return unexpected(frame_error(framing_, *announced_, buffered()));
  }
  if (buffered_bytes() - framing_.prefix_bytes < *announced_) return std::nullopt;
  const std::string_view payload =
      buffered().substr(framing_.prefix_bytes, static_cast<std::size_t>(*announced_));
  start_ += framing_.prefix_bytes + payload.size();
  look_at_header();
  return payload;
}

/// Reads the length of the next frame, if its header is whole.
void FrameDecoder::look_at_header() {
  announced_.reset();
  if (buffered_bytes() >= framing_.prefix_bytes) {
    announced_ = length_in(buffered().substr(0, framing_.prefix_bytes));
  }
}

void FrameDecoder::clear() {
  buffer_.clear();
  start_ = 0;
  announced_.reset();
}

bool FrameDecoder::lost() const {
  return announced_ && (*announced_ == 0 || *announced_ > framing_.payload_limit());
}

std::size_t FrameDecoder::shown_bytes() const {
  return framing_.prefix_bytes + kBytesShownAfterHeader;
}

std::string_view whole_frame(const Framing& framing, std::string_view bytes) {
  if (bytes.size() <= framing.prefix_bytes) return {};
  const std::uint64_t length = length_in(bytes.substr(0, framing.prefix_bytes));
  bytes.remove_prefix(framing.prefix_bytes);
  if (length > bytes.size() || length > framing.payload_limit()) return {};
  return bytes.substr(0, static_cast<std::size_t>(length));
}

Expected<std::string, std::string> encode_frame(const Framing& framing, std::string_view payload) {
  std::string frame;
  frame.reserve(framing.prefix_bytes + payload.size());
  frame.append(framing.prefix_bytes, '\0').append(payload);
  return seal_frame(framing, std::move(frame));
}

Expected<std::string, std::string> seal_frame(const Framing& framing, std::string frame) {
  POOLPROOF_ASSERT(frame.size() >= framing.prefix_bytes);
  const std::size_t payload_bytes = frame.size() - framing.prefix_bytes;
  if (payload_bytes == 0)
    return unexpected(std::string("the payload is empty; a frame holds at least 1 byte"));
  if (payload_bytes > framing.payload_limit()) {
    return unexpected(fmt::format("the payload of {} bytes is above the limit of {} bytes",
                                  payload_bytes, framing.payload_limit()));
  }
  put_length(framing, payload_bytes, frame);
  return frame;
}

void put_length(const Framing& framing, std::uint64_t length, std::string& frame) {
  for (unsigned left = framing.prefix_bytes; left > 0; --left, length >>= 8U) {
    frame[left - 1] = static_cast<char>(length & 0xFFU);
  }
}

}  // namespace poolproof::wire
