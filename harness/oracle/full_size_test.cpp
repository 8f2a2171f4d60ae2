#include "harness/oracle/descriptors.hpp"
#include "harness/oracle/oracle_testing.hpp"

/// What there may be of a pool in which nothing is left to happen.
namespace poolproof::oracle {
namespace {

using Names = std::set<std::string>;

/// The good story, and then the quiescent with that many workers.
Story quiescent(std::uint32_t workers, pool::StartMode start = pool::StartMode::lazy) {
  Story story = told("full_size");
  story.scenario.pool.core.start = start;
  for (auto& census : story.trace.os) {
    if (census.when != "quiescent") continue;
    census.zombies = 0;
    census.children = 1 + workers;
    census.descriptors = 12 + kHostNeed.pool + kHostNeed.worker * workers;
  }
  return story;
}

TEST_CASE(
    "oracle: descriptors: in quiescence the pool holds no more than its living workers need") {
  for (const std::uint32_t workers : {0U, 1U}) {
    Story story = quiescent(workers);
    CHECK(broken(story).empty());
    auto& census = story.trace.os.at(1);
    REQUIRE(census.when == "quiescent");
    ++census.descriptors;
    CHECK(broken(story) == Names{"descriptors"});
    census.descriptors -= 2;
    CHECK(broken(story).empty());
  }
}

TEST_CASE("oracle: descriptors: the simulated pool counts nothing but its ends of the pipes") {
  Story story = quiescent(1);
  story.trace.header.world = "sim";
  story.trace.os.at(1).descriptors = 12 + 3;
  CHECK_FALSE(broken(story).contains("descriptors"));
  ++story.trace.os.at(1).descriptors;
  CHECK(broken(story).contains("descriptors"));
}

TEST_CASE("oracle: full size: an eager pool is whole, a lazy one no larger, a closed one empty") {
  using pool::StartMode;
  CHECK(broken(quiescent(1)).empty());
  CHECK(broken(quiescent(0)).empty());
  CHECK(broken(quiescent(2)) == Names{"full_size"});
  CHECK(broken(quiescent(1, StartMode::eager)).empty());
  CHECK(broken(quiescent(0, StartMode::eager)) == Names{"full_size"});
  const auto closed = [](std::uint32_t workers) {
    Story story = quiescent(workers, StartMode::eager);
    trace::ClientStep close = step(story, "", 0);
    close.client = "b";
    close.step = 3;
    close.begun = close.ended = ms(8.5);
    story.scenario.clients[1].steps.emplace_back(scenario::Close{});
    story.trace.clients.insert(std::prev(story.trace.clients.end()), close);
    return broken(story);
  };
  CHECK(closed(0).empty());
  CHECK(closed(1) == Names{"full_size"});
}

TEST_CASE("oracle: full size: what the pool notices after quiescence is no finding") {
  Story story = quiescent(1);
  const auto noticed = [&](Time at) {
    Story changed = story;
    changed.trace.pool.insert(std::prev(changed.trace.pool.end(), 2),
                              {at, pool::CheckoutRequested{CheckoutId{3}, ms(9)}, {}});
    changed.trace.pool[changed.trace.pool.size() - 2].effects.push_back(refusal(3));
    return broken(changed).contains("full_size");
  };
  CHECK(noticed(ms(8.8)));
  CHECK_FALSE(noticed(ms(8.95)));
}

TEST_CASE("oracle: full size: nobody waits or holds a worker when nothing is left to happen") {
  Story waits = quiescent(1);
  waits.trace.pool.insert(std::prev(waits.trace.pool.end(), 2),
                          {ms(8.7), pool::CheckoutRequested{CheckoutId{3}, ms(9)}, {}});
  waits.trace.pool[waits.trace.pool.size() - 2].effects.push_back(refusal(3));
  CHECK(broken(waits).contains("full_size"));
  Story leased = quiescent(1);
  std::erase_if(leased.trace.pool, [](const auto& record) { return record.at == ms(8.1); });
  CHECK(broken(leased) == Names{"full_size", "ladder"});  // and asked though it was leased
}

}  // namespace
}  // namespace poolproof::oracle
