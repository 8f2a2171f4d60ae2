#include "harness/wrap/cutter.hpp"

#include <algorithm>
#include <utility>

#include "harness/wire/wires.hpp"

namespace poolproof::wrap {
namespace {

using wire::Head;

std::size_t whole_bytes(const Head& head) {
  return head.header_bytes + static_cast<std::size_t>(head.payload_bytes) + head.end_bytes;
}

std::string complaint_of(const wire::Framing& framing, std::string_view bytes) {
  wire::FrameDecoder decoder(framing);
  decoder.push(bytes);
  const auto frame = decoder.next();
  return frame ? "" : frame.error().message;
}

}  // namespace

void Cutter::push(std::string_view bytes) {
  if (start_ >= buffered_bytes()) {
    buffer_.erase(0, start_);
    start_ = 0;
  }
  buffer_.append(bytes);
}

Piece Cutter::take(std::size_t bytes) {
  const Piece piece{buffered().substr(0, bytes), {}, {}};
  start_ += piece.bytes.size();
  looked_ = 0;
  head_ = {};
  return piece;
}

Piece Cutter::next() {
  if (buffered_bytes() == 0) return {};
  if (lost_) return take(buffered_bytes());
  if (in_long_line_) return of_long_line();
  if (head_.state == Head::State::incomplete) {
    head_ = wire::row_of(framing_.wire).head(framing_, buffered(), looked_);
    looked_ = buffered_bytes();
  }
  if (head_.state == Head::State::broken) return broken();
  if (head_.state == Head::State::incomplete || buffered_bytes() < whole_bytes(head_)) return {};
  const Head head = head_;
  Piece piece = take(whole_bytes(head));
  piece.payload =
      piece.bytes.substr(head.header_bytes, static_cast<std::size_t>(head.payload_bytes));
  return piece;
}

Piece Cutter::broken() {
  std::string complaint = complaint_of(framing_, buffered());
  const bool empty_line = framing_.by_lines() && head_.why == wire::FrameError::Kind::zero_length;
  in_long_line_ = framing_.by_lines() && !empty_line;
  lost_ = !framing_.by_lines();
  Piece piece =
      in_long_line_ ? of_long_line() : take(empty_line ? head_.end_bytes : buffered_bytes());
  piece.complaint = std::move(complaint);
  return piece;
}

Piece Cutter::of_long_line() {
  const std::size_t newline = buffered().find('\n');
  in_long_line_ = newline == std::string_view::npos;
  return take(in_long_line_ ? buffered_bytes() : newline + 1);
}

Piece Cutter::rest() {
  return take(buffered_bytes());
}

std::size_t Cutter::to_next_end() const {
  if (lost_ || head_.state == Head::State::broken) return std::size_t{64} << 10U;
  if (head_.state == Head::State::whole) return whole_bytes(head_) - buffered_bytes();
  if (framing_.wire != wire::Wire::prefix) return 1;
  return framing_.prefix_bytes - buffered_bytes();
}

}  // namespace poolproof::wrap
