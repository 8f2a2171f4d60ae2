#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <memory_resource>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

#include "harness/base/ids.hpp"

/// Tables for a judgement: what is asked for often is found in constant time, whatever the length
/// of the trace, and nothing depends on the order of a hash.
namespace poolproof::oracle {

inline constexpr std::uint32_t kNone = UINT32_MAX;

/// Where the tables of one judgement are kept: for a sweep's small traces, always in the same place
/// (see Judge).
using Memory = std::pmr::memory_resource;
template <class Thing>
using Table = std::pmr::vector<Thing>;

/// Adds an element to a table that mostly stays small, and so begins with room for eight.
template <class Thing>
void add(Table<Thing>& table, const Thing& thing) {
  if (table.capacity() == 0) table.reserve(8);
  table.push_back(thing);
}

/// Sorts a table that is mostly in order already. Equal elements keep their order.
template <class Thing, class Earlier>
void put_in_order(Table<Thing>& table, Earlier earlier) {
  if (!std::ranges::is_sorted(table, earlier)) std::ranges::stable_sort(table, earlier);
}

constexpr std::uint64_t mixed(std::uint64_t value) {
  value *= 0x9e3779b97f4a7c15U;
  return value ^ (value >> 32U);
}
constexpr std::uint64_t hash_of(WorkerId worker) {
  return mixed(std::bit_cast<std::uint64_t>(worker));
}
template <class Id>
requires std::is_enum_v<Id>
constexpr std::uint64_t hash_of(Id id) {
  return mixed(static_cast<std::uint64_t>(id));
}
inline std::uint64_t hash_of(std::string_view text) {
  std::uint64_t hash = text.size();
  for (const char letter : text) hash = mixed(hash ^ static_cast<unsigned char>(letter));
  return hash;
}

template <class Key>
bool same(const Key& a, const Key& b) {
  return a == b;
}
inline bool same(WorkerId a, WorkerId b) {
  return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b);
}
/// Gives every different key a number: 0, 1, 2... in the order of their first appearance.
template <class Key>
class Numbering {
 public:
  explicit Numbering(Memory* memory = std::pmr::get_default_resource())
      : keys_(memory), table_(memory) {}

  /// Makes room for that many keys, so that the table is built only once.
  void reserve(std::size_t keys) {
    keys_.reserve(keys);
    if (2 * keys > table_.size()) rebuild(std::bit_ceil(2 * keys));
  }
  /// The key's number; a key that has none gets the next one.
  std::uint32_t number(const Key& key) {
    if (2 * (keys_.size() + 1) > table_.size()) {
      rebuild(table_.empty() ? std::size_t{16} : 2 * table_.size());
    }
    std::uint32_t& place = table_[place_of(key)];
    if (place == kNone) {
      place = size();
      keys_.push_back(key);
    }
    return place;
  }
  /// The key's number; kNone: it has none.
  [[nodiscard]] std::uint32_t find(const Key& key) const {
    return table_.empty() ? kNone : table_[place_of(key)];
  }
  [[nodiscard]] std::uint32_t size() const { return static_cast<std::uint32_t>(keys_.size()); }
  [[nodiscard]] const Key& key(std::uint32_t number) const { return keys_[number]; }
  [[nodiscard]] const Table<Key>& keys() const { return keys_; }

 private:
  [[nodiscard]] std::size_t place_of(const Key& key) const {
    const std::size_t mask = table_.size() - 1;
    std::size_t at = static_cast<std::size_t>(hash_of(key)) & mask;
    while (table_[at] != kNone && !same(keys_[table_[at]], key)) at = (at + 1) & mask;
    return at;
  }
  void rebuild(std::size_t places) {
    table_.assign(places, kNone);
    for (std::uint32_t i = 0; i < size(); ++i) table_[place_of(keys_[i])] = i;
  }

  Table<Key> keys_;
  Table<std::uint32_t> table_;  ///< its size is a power of two; it is at most half full
};

/// The places of things, group by group, within a group in their original order. A thing of group
/// kNone is left out.
class Grouped {
 public:
  explicit Grouped(Memory* memory) : begin_(memory), places_(memory) {}

  void group(std::span<const std::uint32_t> group_of, std::uint32_t groups) {
    // Counts stand two places ahead: two passes later each group's begin stands one place ahead,
    // and the last pass moves it to its own place.
    begin_.assign(std::size_t{groups} + 2, 0);
    std::uint32_t* const ahead = begin_.data() + 1;
    std::uint32_t grouped = 0;
    for (const std::uint32_t group : group_of) {
      if (group == kNone) continue;
      ++ahead[group + 1];
      ++grouped;
    }
    for (std::uint32_t group = 1; group <= groups; ++group) ahead[group] += ahead[group - 1];
    places_.resize(grouped);
    std::uint32_t* const places = places_.data();
    for (std::uint32_t i = 0; i < group_of.size(); ++i) {
      if (group_of[i] != kNone) places[ahead[group_of[i]]++] = i;
    }
  }
  [[nodiscard]] bool empty() const { return begin_.empty(); }
  [[nodiscard]] std::span<const std::uint32_t> operator[](std::uint32_t group) const {
    return {places_.data() + begin_[group], places_.data() + begin_[group + 1]};
  }

 private:
  Table<std::uint32_t> begin_;
  Table<std::uint32_t> places_;
};

}  // namespace poolproof::oracle
