#include "harness/pool/id_index.hpp"

#include <bit>

#include "harness/base/assert.hpp"

namespace poolproof::pool {

std::uint32_t IdIndex::find(std::uint64_t id) const {
  return entries_.empty() ? kNone : entries_[entry_of(id)].place;
}

void IdIndex::put(std::uint64_t id, std::uint32_t place) {
  if (2 * (std::size_t{size_} + 1) > entries_.size()) grow();
  Entry& entry = entries_[entry_of(id)];
  POOLPROOF_ASSERT(entry.place == kNone && place != kNone);
  entry = {id, place};
  ++size_;
}

/// Closes the gap: entries that were pushed past it move back, so that no mark is left behind.
void IdIndex::erase(std::uint64_t id) {
  if (find(id) == kNone) return;
  std::size_t gap = entry_of(id);
  for (std::size_t at = next(gap); entries_[at].place != kNone; at = next(at)) {
    const std::size_t mask = entries_.size() - 1;
    const bool wants_gap = ((at - home(entries_[at].id)) & mask) >= ((at - gap) & mask);
    if (!wants_gap) continue;
    entries_[gap] = entries_[at];
    gap = at;
  }
  entries_[gap] = {};
  --size_;
}

/// The upper bits of a product: numbers in sequence spread evenly (Fibonacci hashing).
std::size_t IdIndex::home(std::uint64_t id) const {
  const auto bits = std::countr_zero(entries_.size());
  return static_cast<std::size_t>((id * 0x9e3779b97f4a7c15U) >> (64 - bits));
}

/// Its entry, or the free one where it would be.
std::size_t IdIndex::entry_of(std::uint64_t id) const {
  std::size_t at = home(id);
  while (entries_[at].place != kNone && entries_[at].id != id) at = next(at);
  return at;
}

void IdIndex::grow() {
  std::vector<Entry> old(entries_.empty() ? 16 : 2 * entries_.size());
  old.swap(entries_);
  for (const Entry& entry : old) {
    if (entry.place != kNone) entries_[entry_of(entry.id)] = entry;
  }
}

}  // namespace poolproof::pool
