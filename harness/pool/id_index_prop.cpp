#include <map>

#include "harness/base/property_testing.hpp"
#include "harness/pool/id_index.hpp"

namespace poolproof::pool {
namespace {

TEST_CASE("pool: id index: it is a map, whatever is put and erased") {
  std::size_t most_at_once = 0;
  holds("id index", {500, 600}, [&] {
    IdIndex index;
    std::map<std::uint64_t, std::uint32_t> map;
    // Numbers in sequence, and such as differ in their upper half only, as workers' do.
    const std::uint32_t shift = *rc::gen::element(0U, 7U, 32U);
    for (const auto number : *rc::gen::arbitrary<std::vector<std::uint32_t>>()) {
      const std::uint64_t id = std::uint64_t{number / 4 % 200} << shift;
      if (number % 4 == 0) {
        index.erase(id);
        map.erase(id);
      } else if (map.emplace(id, number / 2).second) {
        index.put(id, number / 2);
      }
      RC_ASSERT(index.size() == map.size());
      RC_ASSERT(index.empty() == map.empty());
      most_at_once = std::max(most_at_once, map.size());
    }
    for (std::uint64_t id = 0; id < 200; ++id) {
      const auto found = map.find(id << shift);
      RC_ASSERT(index.find(id << shift) == (found == map.end() ? IdIndex::kNone : found->second));
    }
  });
  CHECK(most_at_once > 100);
}

}  // namespace
}  // namespace poolproof::pool
