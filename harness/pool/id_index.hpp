#pragma once

#include <cstdint>
#include <vector>

namespace poolproof::pool {

/// Where the thing with that number is kept: a hash table from 64-bit to 32-bit numbers (open
/// addressing; the entry further from its home goes first: Celis, "Robin Hood Hashing", 1986).
///
/// Memory: grows when it holds more than ever before, and at no other time. (Boost's flat map
/// rebuilds itself at a steady size too, with numbers in sequence as often as every second time.)
class IdIndex {
 public:
  static constexpr std::uint32_t kNone = UINT32_MAX;

  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] std::uint32_t size() const { return size_; }
  /// The place of this id; kNone if it is not contained.
  [[nodiscard]] std::uint32_t find(std::uint64_t id) const {
    return size_ == 0 ? kNone : look_up(id);
  }
  /// Requires: `id` is not contained; `place` is not kNone.
  void put(std::uint64_t id, std::uint32_t place);
  /// Does nothing if the id is not contained.
  void erase(std::uint64_t id);

 private:
  static constexpr std::size_t kNowhere = SIZE_MAX;
  struct Entry {
    std::uint64_t id = 0;
    std::uint32_t place = kNone;  ///< kNone: free
  };

  [[nodiscard]] std::uint32_t look_up(std::uint64_t id) const;
  [[nodiscard]] std::size_t home(std::uint64_t id) const;
  [[nodiscard]] std::size_t next(std::size_t at) const { return (at + 1) & (entries_.size() - 1); }
  /// How far an entry is from its home.
  [[nodiscard]] std::size_t distance_from_home(std::size_t at) const;
  [[nodiscard]] std::size_t place_of(std::uint64_t id) const;
  void grow();

  std::vector<Entry> entries_;  ///< its size is a power of two, and at most half of it is full
  std::uint32_t size_ = 0;
};

}  // namespace poolproof::pool
