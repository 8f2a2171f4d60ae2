#include "harness/pool/id_index.hpp"

#include <bit>
#include <utility>

#include "harness/base/assert.hpp"

namespace poolproof::pool {

std::uint32_t IdIndex::look_up(std::uint64_t id) const {
  const std::size_t at = place_of(id);
  return at == kNowhere ? kNone : entries_[at].place;
}

/// An entry that is further from its home than the one that stands there takes that one's place.
void IdIndex::put(std::uint64_t id, std::uint32_t place) {
  if (2 * (std::size_t{size_} + 1) > entries_.size()) grow();
  POOLPROOF_ASSERT(place != kNone && find(id) == kNone);
  Entry entry{id, place};
  std::size_t at = home(id);
  for (std::size_t way = 0; entries_[at].place != kNone; ++way, at = next(at)) {
    const std::size_t its_way = distance_from_home(at);
    if (its_way >= way) continue;
    std::swap(entry, entries_[at]);
    way = its_way;
  }
  entries_[at] = entry;
  ++size_;
}

/// The entries behind the gap that are not at home move up by one, so that no mark is left behind.
void IdIndex::erase(std::uint64_t id) {
  if (size_ == 0) return;
  std::size_t gap = place_of(id);
  if (gap == kNowhere) return;
  for (std::size_t at = next(gap); entries_[at].place != kNone && distance_from_home(at) > 0;
       at = next(at)) {
    entries_[gap] = entries_[at];
    gap = at;
  }
  entries_[gap] = {};
  --size_;
}

/// Where an id belongs. Four neighbours stand side by side, which is kind to the caches; the groups
/// of four are spread (Fibonacci hashing), or one long run of ids would have to move for each id
/// that comes into it.
std::size_t IdIndex::home(std::uint64_t id) const {
  const int groups = std::countr_zero(entries_.size()) - 2;
  return static_cast<std::size_t>((((id >> 2U) * 0x9e3779b97f4a7c15U) >> (64 - groups)) << 2U |
                                  (id & 3U));
}

std::size_t IdIndex::distance_from_home(std::size_t at) const {
  return (at - home(entries_[at].id)) & (entries_.size() - 1);
}

/// The position of an id. kNowhere: an entry nearer to its own home stands where the id would be.
std::size_t IdIndex::place_of(std::uint64_t id) const {
  std::size_t at = home(id);
  for (std::size_t way = 0; entries_[at].place != kNone && distance_from_home(at) >= way; ++way) {
    if (entries_[at].id == id) return at;
    at = next(at);
  }
  return kNowhere;
}

void IdIndex::grow() {
  std::vector<Entry> old(entries_.empty() ? 16 : 2 * entries_.size());
  old.swap(entries_);
  size_ = 0;
  for (const Entry& entry : old) {
    if (entry.place != kNone) put(entry.id, entry.place);
  }
}

}  // namespace poolproof::pool
