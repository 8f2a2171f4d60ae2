#include "harness/search/explore_tree.hpp"

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <catch2/catch.hpp>

#include "harness/search/explore_space.hpp"

using namespace poolproof;
using namespace poolproof::search;

namespace {

using Stories = std::set<std::uint64_t>;  ///< hashes of traces

scenario::Scenario race_of(const std::string& clients, const std::string& pool = "") {
  const std::string json =
      R"({"schema_version": 1, "name": "race", "why": "whatever comes first, it ends well",
          "pool": {"size": 1, "payload": "opaque")" +
      pool + R"(}, "workers": [{"kind": "fake"}], "clients": [)" + clients +
      R"(], "faults": [], "expect": {"any_success": true}})";
  return own_scenario(json.c_str());
}

scenario::Scenario one_client() {
  return race_of(R"({"name": "a", "steps": [{"checkout": {}}]})");
}

scenario::Scenario two_clients() {
  return race_of(R"({"name": "a", "steps": [{"checkout": {}}]},
                    {"name": "b", "steps": [{"checkout": {}}]})");
}

scenario::Scenario close_meets_eager_start() {
  return race_of(R"({"name": "a", "steps": [{"pause": {"span_ms": 1}}, {"close": {}}]})",
                 R"(, "start": "eager")");
}

scenario::Scenario cancel_meets_close() {
  return race_of(R"({"name": "a", "steps": [{"checkout": {}}, {"close": {}}]},
                    {"name": "b", "steps": [{"cancel": {"client": "a"}}]})");
}

/// Changes the last choice that can be changed. False: there is none.
bool turn(std::vector<std::uint32_t>& choices, const std::vector<std::uint32_t>& bounds) {
  while (!choices.empty() && choices.back() + 1 >= bounds[choices.size() - 1]) choices.pop_back();
  if (!choices.empty()) ++choices.back();
  return !choices.empty();
}

/// The stories of all runs, one run after another.
Stories told_by_all(scenario::Scenario race, std::uint64_t& runs) {
  CaseRunner runner;
  runner.cut_reads(false);
  Stories stories;
  race.schedule.emplace();
  do {
    REQUIRE_FALSE(runner.run(race).failed());
    ++runs;
    stories.insert(hash_of(runner.trace()));
    race.schedule = runner.schedule().taken();
  } while (turn(*race.schedule, runner.schedule().bounds()));
  return stories;
}

/// The stories of the runs that the search makes. A new object, which knows only the tree, leads
/// each run.
Stories told_by_some(const scenario::Scenario& race, std::uint64_t& runs, OrderTree& tree) {
  CaseRunner runner;
  runner.cut_reads(false);
  Stories stories;
  do {
    EveryOrder orders(tree);
    runner.follow(&orders);
    const CaseResult result = runner.run(race);
    REQUIRE_FALSE(result.failed());
    ++runs;
    if (!result.broken_off) stories.insert(hash_of(runner.trace()));
  } while (turn(tree));
  CHECK_FALSE(tree.incomplete);
  return stories;
}

Stories told_by_some(const scenario::Scenario& race, std::uint64_t& runs) {
  const auto tree = std::make_unique<OrderTree>();
  return told_by_some(race, runs, *tree);
}

/// The stories of the runs that begin with other moves than the first run.
Stories told_without_beginning(const scenario::Scenario& race, std::uint32_t moves) {
  const auto tree = std::make_unique<OrderTree>();
  EveryOrder orders(*tree);
  CaseRunner runner;
  runner.cut_reads(false);
  runner.follow(&orders);
  Stories stories;
  bool others = false;
  do {
    const bool whole = !runner.run(race).broken_off;
    if (whole && others) stories.insert(hash_of(runner.trace()));
  } while (turn(*tree) && ((others = others || tree->fixed <= moves), true));
  return stories;
}

/// Stops in the middle of some move of its runs, as a crash would.
class Crashing final : public sim::Moves {
 public:
  Crashing(OrderTree& tree, std::uint32_t last) : tree_(tree), orders_(tree), last_(last) {}

  void begin() override { orders_.begin(); }
  void rest() override { orders_.rest(); }
  void move_ended() override {
    crashed_ = crashed_ || tree_.length == last_;
    if (crashed_) return;
    orders_.footprint = footprint;
    orders_.move_ended();
  }
  [[nodiscard]] bool broken_off() const override { return crashed_ || orders_.broken_off(); }
  std::uint32_t pick(std::span<const sim::Task> ready) override {
    if (crashed_) return 0;
    orders_.in_vain = in_vain;
    footprint = {};
    return orders_.pick(ready);
  }
  std::uint32_t below(std::uint32_t bound) override { return crashed_ ? 0 : orders_.below(bound); }
  void kept(std::uint32_t choice) override { orders_.kept(choice); }

 private:
  OrderTree& tree_;
  EveryOrder orders_;
  std::uint32_t last_;
  bool crashed_ = false;
};

}  // namespace

TEST_CASE("run: explore: the orders left out tell nothing new") {
  for (const auto& race :
       {one_client(), two_clients(), close_meets_eager_start(), cancel_meets_close()}) {
    std::uint64_t all = 0;
    std::uint64_t some = 0;
    const Stories stories = told_by_all(race, all);
    CHECK(stories.size() > 2);
    CHECK(told_by_some(race, some) == stories);
    CHECK(some * 10 < all);
  }
}

TEST_CASE("run: explore: a drawn order tells nothing that every order did not") {
  const auto races = explored_orders();
  const auto walk = std::make_unique<Walk>();
  for (const std::string_view name : {"two clients, one worker", "check-in meets deadline"}) {
    const auto& names = races->parts();
    const auto part = std::find(names.begin(), names.end(), name) - names.begin();
    walk->part = static_cast<std::uint32_t>(part);
    scenario::Scenario race = races->at(*walk);
    std::uint64_t runs = 0;
    const Stories stories = told_by_some(race, runs);
    CaseRunner runner;
    runner.cut_reads(false);
    Stories drawn;
    sim::Schedule schedule = sim::Schedule::random(0);
    schedule.cut_reads(false);
    sim::World world;
    for (std::uint64_t seed = 0; seed < 2000; ++seed) {
      schedule.restart(seed);
      (void)world.carry_out(race, race.seed, schedule);
      drawn.insert(hash_of(world.trace()));
    }
    CHECK(drawn == stories);
  }
}

TEST_CASE("run: explore: behind a crash every other order is still tried") {
  const auto race = close_meets_eager_start();
  for (std::uint32_t last = 1; last < 12; ++last) {
    const auto tree = std::make_unique<OrderTree>();
    Crashing crashing(*tree, last);
    CaseRunner runner;
    runner.cut_reads(false);
    runner.follow(&crashing);
    CHECK(runner.run(race).broken_off);
    CHECK(tree->under_way);
    CHECK(tree->length == last);
    std::uint64_t runs = 0;
    const Stories others = turn(*tree) ? told_by_some(race, runs, *tree) : Stories{};
    const Stories wanted = told_without_beginning(race, last);
    CHECK(std::includes(others.begin(), others.end(), wanted.begin(), wanted.end()));
  }
}

TEST_CASE("run: explore: a run that is too large is judged, and it is said") {
  std::string clients;
  for (std::size_t i = 0; i <= OrderTree::kReadyMost; ++i) {
    clients += std::string(i == 0 ? "" : ", ") + R"({"name": "c)" + std::to_string(i) +
               R"(", "steps": [{"checkout": {}}]})";
  }
  const auto tree = std::make_unique<OrderTree>();
  EveryOrder orders(*tree);
  CaseRunner runner;
  runner.follow(&orders);
  const CaseResult result = runner.run(race_of(clients));
  CHECK_FALSE(result.broken_off);
  CHECK_FALSE(result.failed());
  CHECK(runner.trace().clients.size() > OrderTree::kReadyMost);
  CHECK(tree->incomplete);
  CHECK_FALSE(turn(*tree));
}
