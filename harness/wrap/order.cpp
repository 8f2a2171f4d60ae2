#include "harness/wrap/order.hpp"

#include <algorithm>
#include <utility>

#include "harness/base/assert.hpp"

namespace poolproof::wrap {

void OrderQueue::put(std::string bytes, std::size_t chunk_bytes, Duration gap) {
  if (bytes.empty()) return;
  bytes_ += bytes.size();
  items_.push_back({std::move(bytes), chunk_bytes, gap});
}

void OrderQueue::put(Order order) {
  items_.push_back({.bytes = {}, .order = std::move(order)});
}

std::string_view OrderQueue::due(Time now) const {
  if (items_.empty() || now < not_before_) return {};
  const Item& item = items_.front();
  const std::string_view left = std::string_view(item.bytes).substr(offset_);
  return left.substr(0, chunk_left_ > 0        ? chunk_left_
                        : item.chunk_bytes > 0 ? item.chunk_bytes
                                               : left.size());
}

void OrderQueue::taken(std::size_t bytes, Time now) {
  if (bytes == 0) return;
  POOLPROOF_ASSERT(bytes <= due(now).size());
  Item& item = items_.front();
  if (item.chunk_bytes > 0) {
    if (chunk_left_ == 0) chunk_left_ = due(now).size();
    chunk_left_ -= bytes;
    if (chunk_left_ == 0 && item.gap > Duration{0}) not_before_ = after(now, item.gap);
  }
  offset_ += bytes;
  bytes_ -= bytes;
  if (offset_ < item.bytes.size()) return;
  items_.pop_front();
  offset_ = chunk_left_ = 0;
}

void OrderQueue::drop_bytes() {
  std::erase_if(items_, [](const Item& item) { return !item.order; });
  bytes_ = offset_ = chunk_left_ = 0;
  not_before_ = Time::min();
}

void OrderQueue::collect(std::deque<Order>& into) {
  while (!items_.empty() && items_.front().order) {
    into.push_back(*std::move(items_.front().order));
    items_.pop_front();
  }
}

Time OrderQueue::next_deadline(Time now) const {
  return items_.empty() || not_before_ <= now ? kNever : not_before_;
}

}  // namespace poolproof::wrap
