#include "harness/search/merge.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include <catch2/catch.hpp>
#include <fmt/format.h>

#include "harness/base/folder_testing.hpp"
#include "harness/search/sweep_state.hpp"

using namespace poolproof;
using namespace poolproof::search;

namespace {

/// A shard of a sweep of 100 that is done.
SweepState shard_state(std::uint32_t shard, std::uint32_t shards) {
  SweepState state;
  state.seed = 7;
  state.count = 100;
  state.shards = shards;
  state.build = "b";
  state.own().shard = shard;
  state.own().numbers.add({0, 100});
  state.own().end = SweepEnd::finished;
  state.done = state.own().done(shards);
  return state;
}

/// A shard that has done those below `next`.
SweepState half_done(std::uint32_t shard, std::uint32_t shards, std::uint64_t next, SweepEnd end) {
  SweepState state = shard_state(shard, shards);
  state.own().numbers = {};
  state.own().numbers.add({0, next});
  state.own().end = end;
  state.done = state.own().done(shards);
  return state;
}

Failure failure_at(std::uint64_t number, std::uint64_t times, const std::string& file) {
  Failure failure;
  failure.signature = "isolation: x";
  failure.number = number;
  failure.seed = number + 1000;
  failure.times = times;
  failure.file = file;
  return failure;
}

class Shards {
 public:
  std::string put(const std::string& name, const SweepState& state) {
    return std::filesystem::path(folder_.write(name + "/sweep.json", write_sweep_state(state)))
        .parent_path()
        .string();
  }
  [[nodiscard]] const testing::Folder& folder() const { return folder_; }

 private:
  testing::Folder folder_;
};

MergedSweep merged(const std::vector<std::string>& folders) {
  auto merged = merge_sweeps(folders);
  if (!merged) FAIL(merged.error().line());
  return *merged;
}

/// Whether some sentence has all those words in this order.
void check_missing(const MergedSweep& merged, std::vector<std::string> wanted) {
  std::vector<std::string> left = merged.missing;
  for (const std::string& words : wanted) {
    const auto found = std::find_if(left.begin(), left.end(), [&](const std::string& line) {
      return line.find(words) != std::string::npos;
    });
    INFO("wanted: " << words);
    REQUIRE(found != left.end());
    left.erase(found);
  }
  for (const std::string& line : left) FAIL_CHECK("also told: " << line);
}

}  // namespace

TEST_CASE("run: merge: all shards together are whole", "[sweep]") {
  Shards shards;
  const auto sum = merged({shards.put("c", shard_state(2, 3)), shards.put("a", shard_state(0, 3)),
                           shards.put("b", shard_state(1, 3))});
  check_missing(sum, {});
  CHECK(sum.sum.done == 100);
  CHECK(sum.sum.count == 100);
  CHECK(sum.sum.parts.size() == 3);
  CHECK(sum.sum.merged);
}

TEST_CASE("run: merge: what is missing, half done or of another kind is named", "[sweep]") {
  Shards shards;
  const auto put = [&](const std::string& name, const SweepState& state) {
    return shards.put(name, state);
  };
  std::filesystem::create_directories(shards.folder() / "empty");
  SweepState smaller = half_done(3, 9, 50, SweepEnd::finished);
  smaller.count = 50;
  SweepState other_build = shard_state(4, 9);
  other_build.build = "other";
  SweepState timed = shard_state(5, 9);
  timed.count = 0;
  check_missing(
      merged({put("0", shard_state(0, 9)), put("1", half_done(1, 9, 64, SweepEnd::running)),
              put("2", half_done(2, 9, 10, SweepEnd::asked)), put("3", smaller),
              put("4", other_build), put("5", timed), shards.folder() / "empty"}),
      {"shard 2/9 (" + (shards.folder() / "1") +
           ") is not done: 7 of 11 scenarios, it still runs, or was killed",
       "is not done: 1 of 11 scenarios, it was asked to stop",
       "shard 4/9 (" + (shards.folder() / "3") + ") is of --count 50, others of 100",
       "shard 5/9 (" + (shards.folder() / "4") + ") is of another build: other, not b",
       "shard 6/9 (" + (shards.folder() / "5") + ") had no --count, others had 100",
       "empty has no sweep.json", "shards 7/9 to 9/9 are missing"});
  check_missing(merged({put("0", shard_state(0, 3)), put("2", shard_state(2, 3))}),
                {"shard 2/3 is missing"});
}

TEST_CASE("run: merge: every other way to end early is named", "[sweep]") {
  Shards shards;
  for (const auto& [end, words] : std::initializer_list<std::pair<SweepEnd, const char*>>{
           {SweepEnd::time, "its time was over"},
           {SweepEnd::failure, "it stopped at its first failure"},
           {SweepEnd::crashes, "it crashed too often"},
           {SweepEnd::kills, "its processes were killed"}}) {
    check_missing(merged({shards.put("0", half_done(0, 1, 64, end))}), {words});
  }
  // It was killed while it shrank: its cases are done all the same.
  check_missing(merged({shards.put("0", half_done(0, 1, 100, SweepEnd::running))}), {});
}

TEST_CASE("run: merge: without a count a shard is done when its time is over", "[sweep]") {
  Shards shards;
  SweepState done = shard_state(0, 2);
  done.count = 0;
  SweepState asked = half_done(1, 2, 30, SweepEnd::asked);
  asked.count = 0;
  check_missing(merged({shards.put("0", done), shards.put("1", asked)}),
                {"is not done: 15 scenarios, it was asked to stop"});
}

TEST_CASE("run: merge: sums can be added up", "[sweep]") {
  Shards shards;
  const std::string failing = "failures/x.json";
  SweepState third = shard_state(2, 4);
  third.failures.push_back(failure_at(6, 2, failing));
  std::vector<std::string> folders{shards.put("0", shard_state(0, 4)),
                                   shards.put("1", shard_state(1, 4)), shards.put("2", third),
                                   shards.put("3", shard_state(3, 4))};
  shards.folder().write("2/failures/x.json", "the scenario");
  const auto whole = merged(folders);
  check_missing(whole, {});

  const auto half = merged({folders[0], folders[2]});
  check_missing(half, {"shard 2/4 is missing", "shard 4/4 is missing"});
  SweepState sum = half.sum;
  std::filesystem::create_directories(shards.folder() / "sum/failures");
  REQUIRE(adopt_files(sum, shards.folder() / "sum"));
  CHECK(sum.failures[0].file == failing);
  std::ifstream copy(shards.folder() / "sum/failures/x.json");
  CHECK(std::string{std::istreambuf_iterator<char>(copy), {}} == "the scenario");
  const auto again = merged({shards.put("sum", sum), folders[3], folders[1]});
  check_missing(again, {});
  SweepState wanted = whole.sum;
  wanted.failures[0].file = failing;
  SweepState got = again.sum;
  got.failures[0].file = failing;
  CHECK(write_sweep_state(got) == write_sweep_state(wanted));

  const auto twice = merge_sweeps({shards.put("sum", sum), folders[0]});
  REQUIRE_FALSE(twice);
  CHECK(twice.error().line().find("shard 1 is there twice; every shard once") != std::string::npos);
}

TEST_CASE("run: merge: one kind of failure in several shards is one kind", "[sweep]") {
  Shards shards;
  const auto sum_of = [&](const std::string& first_file, const std::string& second_file) {
    SweepState first = shard_state(0, 2);
    first.failures.push_back(failure_at(4, 2, first_file));
    SweepState second = shard_state(1, 2);
    second.failures.push_back(failure_at(3, 5, second_file));
    return merged({shards.put("0", first), shards.put("1", second)}).sum;
  };
  const std::string file = "failures/x.json";
  for (const auto& [a, b, number, folder] :
       std::initializer_list<std::tuple<std::string, std::string, std::uint64_t, std::string>>{
           {"", "", 3, ""}, {file, file, 3, "1"}, {file, "", 4, "0"}, {"", file, 3, "1"}}) {
    const SweepState sum = sum_of(a, b);
    REQUIRE(sum.failures.size() == 1);
    CHECK(sum.failures[0].times == 7);
    CHECK(sum.failures[0].number == number);
    CHECK(sum.failures[0].seed == number + 1000);
    CHECK(sum.failures[0].others == std::vector<std::uint64_t>{7 - number});
    const std::string there = folder.empty() ? "" : (shards.folder() / (folder + "/" + file));
    CHECK(sum.failures[0].file == there);
  }
}

TEST_CASE("run: merge: another sweep is refused", "[sweep]") {
  Shards shards;
  const std::string first = shards.put("0", shard_state(0, 2));
  SweepState other = shard_state(1, 2);
  other.seed = 8;
  for (const std::string& second :
       {shards.put("seed", other), shards.put("shards", shard_state(1, 3))}) {
    const auto sum = merge_sweeps({first, second});
    REQUIRE_FALSE(sum);
    CHECK(sum.error().line().find("is of another sweep; seed 0x7 in 2 shards") !=
          std::string::npos);
  }
  CHECK_FALSE(merge_sweeps({first, shards.folder() / "nowhere"}));
}

TEST_CASE("run: merge: the sum never replaces a shard", "[sweep]") {
  Shards shards;
  const std::string first = shards.put("0", shard_state(0, 2));
  const std::string other = shards.put("1", shard_state(1, 2));
  CHECK(why_not_into(first, {first}) == "is one of the folders that are added up");
  CHECK(why_not_into(other, {first}) == "has the sweep.json of a sweep, which would be lost");
  const std::string sum = shards.put("sum", merged({first, other}).sum);
  CHECK(why_not_into(sum, {first, other}).empty());
  CHECK(why_not_into(shards.folder() / "new", {first, other}).empty());
  shards.folder().write("odd/sweep.json", "{");
  CHECK_FALSE(why_not_into(shards.folder() / "odd", {first}).empty());
}

TEST_CASE("run: merge: what an earlier merge has shrunk is not shrunk again", "[sweep]") {
  Shards shards;
  SweepState sum = shard_state(0, 1);
  sum.merged = true;
  sum.failures.push_back(failure_at(4, 2, ""));
  SweepState before = sum;
  before.failures[0].file = "failures/x.json";
  before.failures[0].times = 1;
  before.failures[0].size = 3;
  const std::string out = shards.put("out", before);
  shards.folder().write("out/failures/x.json", "{}");
  take_shrunk_before(sum, out);
  CHECK(sum.failures[0].file == "failures/x.json");
  CHECK(sum.failures[0].size == 3);
  CHECK(sum.failures[0].times == 2);
  sum.failures[0].file.clear();
  sum.failures[0].seed = 1;
  take_shrunk_before(sum, out);
  CHECK(sum.failures[0].file.empty());
  // A file that somebody has removed.
  sum.failures[0].seed = before.failures[0].seed;
  std::filesystem::remove(out + "/failures/x.json");
  take_shrunk_before(sum, out);
  CHECK(sum.failures[0].file.empty());
}
