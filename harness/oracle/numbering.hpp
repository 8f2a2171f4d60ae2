#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
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

/// ChildFindings, so that adding stays short.
template <class Thing>
[[gnu::noinline]] void add_first(Table<Thing>& table, const Thing& thing) {
  table.reserve(8);
  table.push_back(thing);
}
/// Adds to a table that mostly stays small: it begins with room for eight.
template <class Thing>
void add(Table<Thing>& table, const Thing& thing) {
  if (table.capacity() == 0) return add_first(table, thing);
  table.push_back(thing);
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
template <class Word>
Word word_at(const char* text) {
  Word word;
  std::memcpy(&word, text, sizeof word);
  return word;
}
/// Every bit of a word counts in the low ones, too. Once would not do: names often differ in their
/// last letter only, which is the highest.
constexpr std::uint64_t well_mixed(std::uint64_t value) {
  return mixed(mixed(value));
}
/// Texts here mostly are a few letters long: they are looked at in whole words, which overlap.
inline std::uint64_t hash_of(std::string_view text) {
  const std::size_t size = text.size();
  const char* const begin = text.data();
  if (size < 4) {
    if (size == 0) return 0;
    const auto letter = [begin](std::size_t at) -> std::uint64_t {
      return static_cast<unsigned char>(begin[at]);
    };
    return mixed(size << 24U | letter(0) | letter(size / 2) << 8U | letter(size - 1) << 16U);
  }
  if (size < 8) {
    const std::uint64_t last = word_at<std::uint32_t>(begin + size - 4);
    return well_mixed((word_at<std::uint32_t>(begin) | last << 32U) ^ size);
  }
  std::uint64_t hash = size;
  for (std::size_t at = 0; at + 8 < size; at += 8) {
    hash = well_mixed(hash ^ word_at<std::uint64_t>(begin + at));
  }
  return well_mixed(hash ^ word_at<std::uint64_t>(begin + size - 8));
}

template <class Key>
bool same(const Key& a, const Key& b) {
  return a == b;
}
inline bool same(WorkerId a, WorkerId b) {
  return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b);
}
inline bool same(std::string_view a, std::string_view b) {
  const std::size_t size = a.size();
  if (size != b.size()) return false;
  const char* const x = a.data();
  const char* const y = b.data();
  if (size > 16) return std::memcmp(x, y, size) == 0;
  const auto same_words = [&]<class Word>(Word /*of that width*/) {
    const std::size_t last = size - sizeof(Word);
    return word_at<Word>(x) == word_at<Word>(y) &&
           word_at<Word>(x + last) == word_at<Word>(y + last);
  };
  if (size >= 8) return same_words(std::uint64_t{});
  if (size >= 4) return same_words(std::uint32_t{});
  return size == 0 || (x[0] == y[0] && x[size / 2] == y[size / 2] && x[size - 1] == y[size - 1]);
}

/// Gives every different key a number: 0, 1, 2... in the order of their first appearance.
template <class Key>
class Numbering {
 public:
  explicit Numbering(Memory* memory = std::pmr::get_default_resource())
      : keys_(memory), table_(memory) {}

  /// Room for `keys` of them, so that the table is made once.
  void reserve(std::size_t keys) {
    keys_.reserve(keys);
    if (2 * keys > table_.size()) rebuild(std::bit_ceil(2 * keys));
  }
  /// The key's number, a new one if need be.
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
  /// kNone for a key without a number.
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
  Table<std::uint32_t> table_;  ///< a power of two, at most half full
};

/// As a Numbering, of ids that mostly are small: those have their numbers in a table of their own.
template <class Id>
class DirectNumbering {
 public:
  explicit DirectNumbering(Memory* memory) : small_(memory), others_(memory), numbers_(memory) {}

  std::uint32_t number(Id id) {
    std::uint32_t& number = place_of(id);
    if (number == kNone) number = size_++;
    return number;
  }
  [[nodiscard]] std::uint32_t find(Id id) const {
    const auto place = static_cast<std::uint64_t>(id);
    if (place < small_.size()) return small_[place];
    const std::uint32_t other = others_.size() == 0 ? kNone : others_.find(id);
    return other == kNone ? kNone : numbers_[other];
  }
  [[nodiscard]] std::uint32_t size() const { return size_; }

 private:
  static constexpr std::uint64_t kSmall = 64;

  std::uint32_t& place_of(Id id) {
    const auto place = static_cast<std::uint64_t>(id);
    if (place < kSmall) {
      if (small_.empty()) small_.assign(kSmall, kNone);
      return small_[place];
    }
    const std::uint32_t other = others_.number(id);
    if (other == numbers_.size()) numbers_.push_back(kNone);
    return numbers_[other];
  }

  std::uint32_t size_ = 0;
  Table<std::uint32_t> small_;
  Numbering<Id> others_;
  Table<std::uint32_t> numbers_;  ///< of the others
};

/// The places of things, group by group; within a group in their order. A thing of group kNone is
/// left out.
class Grouped {
 public:
  explicit Grouped(Memory* memory) : begin_(memory), places_(memory) {}

  void group(std::span<const std::uint32_t> group_of, std::uint32_t groups) {
    // Two ahead: the first two passes leave each group's begin one ahead, the last one moves it on.
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
