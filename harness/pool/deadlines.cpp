#include "harness/pool/deadlines.hpp"

#include <algorithm>

namespace poolproof::pool {
namespace {

/// The children of a heap node. Four stand in two cache lines, and the heap is half as deep as with
/// two.
constexpr std::uint32_t kChildren = 4;

}  // namespace

void Deadlines::set(std::uint32_t key, Time at, std::uint64_t order) {
  if (at == kNever) return clear(key);
  if (key >= position_.size()) position_.resize(key + 1, kNone);
  if (position_[key] == kNone) {
    position_[key] = size();
    heap_.push_back({at, order, key});
  } else {
    heap_[position_[key]] = {at, order, key};
    sift_down(position_[key]);
  }
  sift_up(position_[key]);
}

void Deadlines::take_out(std::uint32_t key) {
  const std::uint32_t hole = position_[key];
  position_[key] = kNone;
  const Entry last = heap_.back();
  heap_.pop_back();
  if (last.key == key) return;
  place(hole, last);
  sift_up(hole);
  sift_down(position_[last.key]);
}

bool Deadlines::earlier(const Entry& a, const Entry& b) {
  return a.at != b.at ? a.at < b.at : a.order < b.order;
}

void Deadlines::place(std::uint32_t at, const Entry& entry) {
  heap_[at] = entry;
  position_[entry.key] = at;
}

void Deadlines::sift_up(std::uint32_t at) {
  const Entry entry = heap_[at];
  while (at > 0 && earlier(entry, heap_[(at - 1) / kChildren])) {
    place(at, heap_[(at - 1) / kChildren]);
    at = (at - 1) / kChildren;
  }
  place(at, entry);
}

void Deadlines::sift_down(std::uint32_t at) {
  const Entry entry = heap_[at];
  for (std::uint32_t child = kChildren * at + 1; child < size(); child = kChildren * at + 1) {
    const std::uint32_t end = std::min(child + kChildren, size());
    for (std::uint32_t other = child + 1; other < end; ++other) {
      if (earlier(heap_[other], heap_[child])) child = other;
    }
    if (!earlier(heap_[child], entry)) break;
    place(at, heap_[child]);
    at = child;
  }
  place(at, entry);
}

}  // namespace poolproof::pool
