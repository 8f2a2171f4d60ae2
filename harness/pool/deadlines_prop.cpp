#include <map>
#include <set>
#include <tuple>

#include "harness/base/property_testing.hpp"
#include "harness/pool/deadlines.hpp"

namespace poolproof::pool {
namespace {

/// The same promises, kept by a sorted set.
class SortedDeadlines {
 public:
  void set(std::uint32_t key, Time at, std::uint64_t order) {
    clear(key);
    if (at == kNever) return;
    by_key_[key] = {at, order, key};
    sorted_.insert({at, order, key});
  }
  void clear(std::uint32_t key) {
    const auto found = by_key_.find(key);
    if (found == by_key_.end()) return;
    sorted_.erase(found->second);
    by_key_.erase(found);
  }
  [[nodiscard]] const auto& sorted() const { return sorted_; }

 private:
  using Entry = std::tuple<Time, std::uint64_t, std::uint32_t>;
  std::map<std::uint32_t, Entry> by_key_;
  std::set<Entry> sorted_;
};

void agree(const Deadlines& deadlines, const SortedDeadlines& reference) {
  RC_ASSERT(deadlines.size() == reference.sorted().size());
  RC_ASSERT(deadlines.empty() == reference.sorted().empty());
  if (deadlines.empty()) {
    RC_ASSERT(deadlines.earliest() == kNever);
    return;
  }
  RC_ASSERT(deadlines.earliest() == std::get<Time>(*reference.sorted().begin()));
  RC_ASSERT(deadlines.first() == std::get<std::uint32_t>(*reference.sorted().begin()));
}

TEST_CASE("pool: deadlines: the earliest is that of a sorted set, whatever was set and cleared") {
  std::uint64_t most_at_once = 0;
  holds("deadlines", {500, 300}, [&] {
    Deadlines deadlines;
    SortedDeadlines reference;
    for (const auto number : *rc::gen::arbitrary<std::vector<std::uint32_t>>()) {
      const std::uint32_t key = number % 61;
      const std::uint32_t at = number / 64 % 97;
      if (number / 8192 % 4 == 0) {
        deadlines.clear(key);
        reference.clear(key);
      } else {
        const Time time = at == 96 ? kNever : Time(Duration(at));
        const std::uint64_t order = number / 32768 % 3 * 64 + key;
        deadlines.set(key, time, order);
        reference.set(key, time, order);
      }
      agree(deadlines, reference);
      most_at_once = std::max<std::uint64_t>(most_at_once, deadlines.size());
    }
    while (!deadlines.empty()) {
      const std::uint32_t first = deadlines.first();
      deadlines.clear(first);
      reference.clear(first);
      agree(deadlines, reference);
    }
    RC_ASSERT(reference.sorted().empty());
  });
  CHECK(most_at_once > 20);
}

}  // namespace
}  // namespace poolproof::pool
