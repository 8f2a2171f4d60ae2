#pragma once

#include <cstdint>
#include <vector>

#include "harness/base/clock.hpp"

namespace poolproof::pool {

/// Deadlines of small whole-number keys, the earliest at hand: a heap that knows where each key is.
/// O(log n); allocates only when it grows.
class Deadlines {
 public:
  static constexpr std::uint32_t kNone = UINT32_MAX;

  /// Gives `key` this deadline, instead of the one it may have had. kNever takes it out. Of equal
  /// deadlines the one with the smaller `order` comes first. Requires: equal deadlines differ in
  /// it.
  void set(std::uint32_t key, Time at, std::uint64_t order);
  /// Sets a deadline with the key as its order. One object takes only one of the two overloads.
  void set(std::uint32_t key, Time at) { set(key, at, key); }
  void clear(std::uint32_t key) {
    if (key < position_.size() && position_[key] != kNone) take_out(key);
  }

  [[nodiscard]] bool empty() const { return heap_.empty(); }
  [[nodiscard]] std::uint32_t size() const { return static_cast<std::uint32_t>(heap_.size()); }
  [[nodiscard]] Time earliest() const { return heap_.empty() ? kNever : heap_.front().at; }
  /// The key with the earliest deadline. Requires: not empty.
  [[nodiscard]] std::uint32_t first() const { return heap_.front().key; }

 private:
  struct Entry {
    Time at;
    std::uint64_t order;
    std::uint32_t key;
  };

  void take_out(std::uint32_t key);
  static bool earlier(const Entry& a, const Entry& b);
  void place(std::uint32_t at, const Entry& entry);
  void sift_up(std::uint32_t at);
  void sift_down(std::uint32_t at);

  std::vector<Entry> heap_;
  /// Where each key is in the heap; kNone: it has no deadline.
  std::vector<std::uint32_t> position_;
};

}  // namespace poolproof::pool
