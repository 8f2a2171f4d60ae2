#include "harness/wire/framing.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "harness/base/assert.hpp"
#include "harness/base/text.hpp"
#include "harness/wire/wires.hpp"

namespace poolproof::wire {
namespace {

constexpr std::size_t kBytesShownAfterHeader = 60;

/// The most likely origin of bytes that are no frame; empty if nothing suggests one.
std::string likely_cause(const Framing& framing, std::string_view bytes) {
  if (bytes.empty() || !is_text(bytes)) return "";
  if (bytes.front() == '{')
    return fmt::format("; most likely JSON without its {}", row_of(framing.wire).missing(framing));
  return "; text where a frame should be, most likely a print or a banner on stdout";
}

FrameError frame_error(const Framing& framing, const Head& head, std::string_view bytes) {
  FrameError error{head.why, head.payload_bytes, std::string(bytes), ""};
  // A worker that writes part of an agreed header means to write headers: no other cause is
  // guessed.
  const bool agreed = framing.wire == Wire::headers && bytes.starts_with("Content-");
  error.message =
      fmt::format("{}; first bytes {}{}", row_of(framing.wire).complaint(framing, error),
                  hex_and_text(bytes, bytes.size()), agreed ? "" : likely_cause(framing, bytes));
  return error;
}

}  // namespace

std::uint64_t largest_length(std::uint8_t prefix_bytes) {
  POOLPROOF_ASSERT(prefix_bytes == 1 || prefix_bytes == 2 || prefix_bytes == 4 ||
                   prefix_bytes == 8);
  return UINT64_MAX >> (64U - 8U * prefix_bytes);
}

std::size_t Framing::payload_limit() const {
  if (wire != Wire::prefix) return max_frame_bytes;
  return static_cast<std::size_t>(
      std::min<std::uint64_t>(largest_length(prefix_bytes), max_frame_bytes));
}

bool Framing::can_be_exceeded() const {
  return wire != Wire::prefix || max_frame_bytes < largest_length(prefix_bytes);
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
  if (head_.state == Head::State::incomplete) look_at_header();
}

bool FrameDecoder::ready() const {
  if (head_.state != Head::State::whole) return lost();
  const std::size_t around = head_.header_bytes + head_.end_bytes;
  return buffered_bytes() >= around && buffered_bytes() - around >= head_.payload_bytes;
}

bool FrameDecoder::ready_within(std::size_t bytes) const {
  if (buffered_bytes() <= bytes) return ready();
  const std::string_view first = buffered().substr(0, bytes);
  const Head head = row_of(framing_.wire).head(framing_, first, 0);
  if (head.state != Head::State::whole) return head.state == Head::State::broken;
  return whole_frame(framing_, first).bytes > 0;
}

bool FrameDecoder::skip_empty() {
  if (!lost() || head_.why != FrameError::Kind::zero_length) return false;
  start_ += head_.header_bytes + head_.end_bytes;
  look_at_header();
  return true;
}

Expected<std::optional<std::string_view>, FrameError> FrameDecoder::next() {
  if (head_.state == Head::State::incomplete) return std::nullopt;
  if (lost()) {
    buffer_.resize(start_ + std::min(buffered_bytes(), shown_bytes()));
    return unexpected(frame_error(framing_, head_, buffered()));
  }
  if (!ready()) return std::nullopt;
  const auto size = static_cast<std::size_t>(head_.payload_bytes);
  last_ = buffered().substr(0, head_.header_bytes + size + head_.end_bytes);
  const std::string_view payload = last_.substr(head_.header_bytes, size);
  start_ += last_.size();
  look_at_header();
  return payload;
}

/// Reads what announces the next frame, if it is whole.
void FrameDecoder::look_at_header() {
  if (head_.state != Head::State::incomplete) looked_ = 0;
  head_ = row_of(framing_.wire).head(framing_, buffered(), looked_);
  looked_ = head_.state == Head::State::incomplete ? buffered_bytes() : 0;
}

std::string FrameDecoder::progress() const {
  if (const auto announced = announced_bytes())
    return fmt::format("{} of {} bytes", buffered_bytes() - header_bytes(), *announced);
  return row_of(framing_.wire).beginning(framing_, buffered_bytes());
}

void FrameDecoder::clear() {
  buffer_.clear();
  start_ = looked_ = 0;
  head_ = {};
  last_ = {};
}

std::size_t FrameDecoder::shown_bytes() const {
  return head_.header_bytes + kBytesShownAfterHeader;
}

WholeFrame whole_frame(const Framing& framing, std::string_view bytes) {
  const Head head = row_of(framing.wire).head(framing, bytes, 0);
  const std::size_t around = head.header_bytes + head.end_bytes;
  if (head.state != Head::State::whole || bytes.size() < around ||
      bytes.size() - around < head.payload_bytes) {
    return {};
  }
  const auto size = static_cast<std::size_t>(head.payload_bytes);
  return {bytes.substr(head.header_bytes, size), around + size};
}

Expected<std::string, std::string> encode_frame(const Framing& framing, std::string_view payload) {
  if (payload.empty())
    return unexpected(std::string("the payload is empty; a frame holds at least 1 byte"));
  if (payload.size() > framing.payload_limit())
    return unexpected(too_large(framing, payload.size()));
  if (framing.by_lines() && payload.find('\n') != std::string_view::npos)
    return unexpected(std::string("the payload has a line break, which ends a line"));
  if (framing.by_lines() && payload.ends_with('\r'))
    return unexpected(std::string("the payload ends with CR, which would go with the line's end"));
  std::string frame = header_of(framing, payload.size());
  frame.reserve(frame.size() + payload.size() + end_of(framing).size());
  return frame.append(payload).append(end_of(framing));
}

std::string too_large(const Framing& framing, std::uint64_t payload_bytes) {
  return fmt::format("the payload of {} bytes is above the limit of {} bytes", payload_bytes,
                     framing.payload_limit());
}

std::string header_of(const Framing& framing, std::uint64_t length) {
  return row_of(framing.wire).header(framing, length);
}

std::uint64_t huge_length(const Framing& framing) {
  return largest_length(framing.wire == Wire::prefix ? framing.prefix_bytes : 8) / 2;
}

std::string_view end_of(const Framing& framing) {
  return row_of(framing.wire).end;
}

}  // namespace poolproof::wire
