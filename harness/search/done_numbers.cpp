#include "harness/search/done_numbers.hpp"

#include <algorithm>

namespace poolproof::search {

void DoneNumbers::add(Stretch fresh) {
  if (fresh.from >= fresh.to) return;
  // All stretches that touch the new one are merged into it.
  const auto first = std::find_if(apart_.begin(), apart_.end(),
                                  [&](const Stretch& stretch) { return stretch.to >= fresh.from; });
  auto last = first;
  for (; last != apart_.end() && last->from <= fresh.to; ++last) {
    fresh.from = std::min(fresh.from, last->from);
    fresh.to = std::max(fresh.to, last->to);
  }
  const auto place = apart_.erase(first, last);
  if (fresh.from <= next_) {
    next_ = std::max(next_, fresh.to);
  } else {
    apart_.insert(place, fresh);
  }
}

bool DoneNumbers::has(std::uint64_t number) const {
  return has_all({number, number + 1});
}

bool DoneNumbers::has_all(Stretch some) const {
  return some.from >= some.to || some.to <= next_ ||
         std::any_of(apart_.begin(), apart_.end(), [&](const Stretch& stretch) {
           return stretch.from <= some.from && some.to <= stretch.to;
         });
}

}  // namespace poolproof::search
