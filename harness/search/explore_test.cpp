#include "harness/search/explore.hpp"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <filesystem>
#include <memory>
#include <set>

#include <catch2/catch.hpp>

#include "fake_workers/catalogue.hpp"
#include "fake_workers/needs.hpp"
#include "harness/base/assert.hpp"
#include "harness/base/folder_testing.hpp"
#include "harness/host/forked_child.hpp"
#include "harness/run/runner.hpp"
#include "harness/search/explore_space.hpp"

using namespace poolproof;
using namespace poolproof::search;

namespace {

Explored explored(Exploration what, std::uint64_t runs_most) {
  const testing::Folder folder;
  const auto explored = explore({what, folder / "found", runs_most}, {});
  REQUIRE(explored);
  for (const auto& failure : explored->failures) {
    UNSCOPED_INFO(failure.signature << ": " << failure.what);
  }
  return *explored;
}

constexpr const char* kPlain = R"({
    "schema_version": 1, "name": "x", "why": "what an explorer finds is kept",
    "pool": {"size": 1}, "workers": [{"kind": "fake"}],
    "clients": [{"name": "a", "steps": [{"checkout": {}}, {"checkin": {}}]}],
    "faults": [], "expect": {"any_success": true}})";

bool has_run(const Explored& explored) {
  return std::all_of(explored.parts.begin(), explored.parts.end(),
                     [](const ExploredPart& part) { return part.runs > 0; });
}

/// A part whose runs all fail, except the first and the last.
class Marred final : public ExploredSpace {
 public:
  explicit Marred(bool crashes, std::uint64_t runs = 3)
      : ExploredSpace({"one"}), crashes_(crashes), runs_(runs) {}

  const scenario::Scenario& at(const Walk& walk) override {
    scenario_.seed = 100 + walk.place;
    return scenario_;
  }
  void judge(const Walk& walk, const CaseRunner&, std::vector<oracle::Finding>& findings) override {
    if (walk.place == 0 || walk.place == runs_ - 1) return;
    std::signal(SIGABRT, SIG_DFL);  // so that the test's own handler does not report it
    POOLPROOF_ASSERT(!crashes_);
    findings.push_back({"marred", "the second run is no good", Time{}});
  }
  void go_on(Walk& walk, const CaseRunner*) override {
    if (++walk.place == runs_) walk.next_part();
  }

 private:
  bool crashes_;
  std::uint64_t runs_;
  scenario::Scenario scenario_ = own_scenario(kPlain);
};

/// In its second run somebody kills the process, as often as said.
class Killed final : public ExploredSpace {
 public:
  explicit Killed(std::uint32_t kills) : ExploredSpace({"one"}) {
    REQUIRE(memory_);
    kills_ = new (memory_->data()) std::atomic<std::uint32_t>(kills);
  }

  const scenario::Scenario& at(const Walk&) override { return scenario_; }
  void judge(const Walk& walk, const CaseRunner&, std::vector<oracle::Finding>&) override {
    if (walk.place != 1 || kills_->load() == 0) return;
    kills_->fetch_sub(1);
    (void)std::raise(SIGKILL);
  }
  void go_on(Walk& walk, const CaseRunner*) override {
    if (++walk.place == 3) walk.next_part();
  }

 private:
  scenario::Scenario scenario_ = own_scenario(kPlain);
  host::sys::Try<host::SharedMemory> memory_ =
      host::SharedMemory::of_size(sizeof(std::atomic<std::uint32_t>));
  std::atomic<std::uint32_t>* kills_ = nullptr;
};

/// All points of the walk in one part. Nothing is run.
std::uint64_t points_of(ExploredSpace& space, Walk& walk, std::uint32_t part) {
  std::uint64_t points = 0;
  for (; walk.part == part; space.go_on(walk, nullptr)) ++points;
  return points;
}

}  // namespace

/// So many faults can be shown on the usual wire.
static std::size_t shown() {
  return static_cast<std::size_t>(std::ranges::count_if(
      faults::catalogue(), [](const auto& one) { return can_strike_on(one, wire::Wire::prefix); }));
}

TEST_CASE("run: explore: frames cut anywhere hold", "[explore]") {
  const Explored cuts = explored(Exploration::cuts, 0);
  CHECK(cuts.failures.empty());
  CHECK(cuts.proved_nothing == 0);
  CHECK(cuts.parts.size() == 6);
  CHECK(has_run(cuts));
}

TEST_CASE("run: explore: a few faults together hold", "[explore]") {
  const Explored faults = explored(Exploration::faults, 1000);
  CHECK(faults.failures.empty());
  CHECK(faults.parts.at(1).runs == 2 * shown());
  CHECK(faults.parts.at(3).cut_short);
  CHECK(has_run(faults));
}

TEST_CASE("run: explore: short races hold in every order", "[explore]") {
  const Explored orders = explored(Exploration::orders, 3000);
  CHECK(orders.failures.empty());
  CHECK(orders.proved_nothing == 0);
  CHECK(has_run(orders));
  CHECK(std::count_if(orders.parts.begin(), orders.parts.end(),
                      [](const ExploredPart& part) { return !part.cut_short; }) >= 6);
}

TEST_CASE("run: explore: every combination of faults comes once") {
  const auto space = explored_faults();
  const std::uint64_t n = 2 * shown();
  Walk walk{};
  CHECK(points_of(*space, walk, 0) == 1);
  CHECK(points_of(*space, walk, 1) == n);
  CHECK(points_of(*space, walk, 2) == n * (n - 1) / 2);
  std::set<std::array<std::uint32_t, 3>> seen;
  bool rising = true;
  space->go_on(walk, nullptr);
  for (; walk.part == 3; space->go_on(walk, nullptr)) {
    rising = rising && walk.choices[0] < walk.choices[1] && walk.choices[1] < walk.choices[2];
    seen.insert({walk.choices[0], walk.choices[1], walk.choices[2]});
  }
  CHECK(rising);
  CHECK(seen.size() == n * (n - 1) * (n - 2) / 6 - 1);
}

TEST_CASE("run: explore: a race that is told again by its schedule is the same") {
  const auto space = explored_orders();
  const auto walk = std::make_unique<Walk>();
  CaseRunner runner;
  runner.cut_reads(false);
  runner.follow(space->leader(*walk));
  CaseRunner teller;
  for (int i = 0; i < 50; ++i) {
    scenario::Scenario kept = space->at(*walk);
    const bool whole = !runner.run(kept).broken_off;
    CHECK(space->at(*walk).schedule == runner.schedule().taken());
    kept.schedule = runner.schedule().taken();
    (void)teller.run(kept);
    REQUIRE((!whole || hash_of(teller.trace()) == hash_of(runner.trace())));
    space->go_on(*walk, &runner);
  }
}

TEST_CASE("run: explore: what fails is kept with its schedule") {
  const testing::Folder folder;
  Marred space(false);
  const auto result = explore(space, {Exploration::cuts, folder / "found", 0}, {});
  REQUIRE(result);
  CHECK(result->runs == 3);
  REQUIRE(result->failures.size() == 1);
  CHECK(result->failures.front().signature == "marred: the second run is no good");
  CHECK(result->failures.front().times == 1);
  const auto kept = run::load_scenario(result->failures.front().file);
  REQUIRE(kept);
  CHECK(kept->scenario.seed == 101);
  CHECK(kept->scenario.schedule.has_value());
}

TEST_CASE("run: explore: a crash is a failure like any other, and the rest is explored") {
  const testing::Folder folder;
  Marred space(true);
  const auto result = explore(space, {Exploration::cuts, folder / "found", 0}, {});
  REQUIRE(result);
  CHECK(result->runs == 3);
  REQUIRE(result->failures.size() == 1);
  CHECK(result->failures.front().signature == "broken promise: !crashes_");
  CHECK(std::filesystem::exists(result->failures.front().file));
}

TEST_CASE("run: explore: who is killed from outside begins that run again, and it is no failure") {
  const testing::Folder folder;
  Killed once(1);
  const auto result = explore(once, {Exploration::cuts, folder / "found", 0}, {});
  REQUIRE(result);
  CHECK(result->failures.empty());
  CHECK(result->killed == 1);
  CHECK(result->runs == 3);
  CHECK(result->parts.front().runs == 3);
  Killed twice(2);
  const auto failed = explore(twice, {Exploration::cuts, folder / "found", 0}, {});
  REQUIRE(failed);
  REQUIRE(failed->failures.size() == 1);
  CHECK(failed->failures.front().signature == "crash: signal 9");
  CHECK(failed->killed == 2);
  CHECK(failed->runs == 3);
}

TEST_CASE("run: explore: many crashes of one kind do not end it") {
  const testing::Folder folder;
  Marred space(true, 60);
  const auto result = explore(space, {Exploration::cuts, folder / "found", 0}, {});
  REQUIRE(result);
  CHECK(result->runs == 60);
  CHECK_FALSE(result->parts.front().cut_short);
  CHECK(result->failures.size() == 1);
}

TEST_CASE("run: explore: what it makes of every fault can be read back from a file") {
  const auto space = explored_faults();
  Walk walk{};
  walk.part = 1;
  for (std::uint32_t place = 0; place < 2 * shown(); ++place) {
    walk.choices[0] = place;
    walk.depth = 1;
    const auto read = scenario::read_scenario(scenario::write_scenario(space->at(walk)), "x.json");
    INFO((read ? "" : read.error().line()));
    CHECK(read.has_value());
  }
}
