#include "harness/search/completed_ranges.hpp"

#include <algorithm>

namespace poolproof::search {

void CompletedRanges::add(Range fresh) {
  if (fresh.from >= fresh.to) return;
  // All stretches that touch the new one are merged into it.
  const auto first = std::ranges::find_if(
      above_next_, [&](const Range& stretch) { return stretch.to >= fresh.from; });
  auto last = first;
  for (; last != above_next_.end() && last->from <= fresh.to; ++last) {
    fresh.from = std::min(fresh.from, last->from);
    fresh.to = std::max(fresh.to, last->to);
  }
  const auto place = above_next_.erase(first, last);
  if (fresh.from <= next_) {
    next_ = std::max(next_, fresh.to);
  } else {
    above_next_.insert(place, fresh);
  }
}

bool CompletedRanges::has(std::uint64_t number) const {
  return has_all({number, number + 1});
}

bool CompletedRanges::has_all(Range some) const {
  return some.from >= some.to || some.to <= next_ ||
         std::ranges::any_of(above_next_, [&](const Range& stretch) {
           return stretch.from <= some.from && some.to <= stretch.to;
         });
}

}  // namespace poolproof::search
