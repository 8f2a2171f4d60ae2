#include "harness/search/sweep.hpp"

#include <csignal>
#include <fstream>

#include <catch2/catch.hpp>

#include "harness/base/assert.hpp"
#include "harness/base/folder_testing.hpp"
#include "harness/host/forked_child.hpp"
#include "harness/run/runner.hpp"
#include "harness/search/sweep_job.hpp"
#include "harness/search/sweep_state.hpp"

using namespace poolproof;
using namespace poolproof::search;

namespace {

SweepOptions options_for(const std::string& folder, std::uint64_t count) {
  SweepOptions options;
  options.seed = 7;
  options.count = count;
  options.jobs = 2;
  options.out = folder;
  options.shrink = false;
  return options;
}

SweepState swept(const SweepOptions& options) {
  const auto state = sweep(options, {});
  if (!state) FAIL(state.error());
  return *state;
}

/// The same sweep, killed when it has reported progress for the first time, after a second.
void sweep_killed(SweepOptions options) {
  options.save_every = {};
  auto child = host::fork_child([&options](int) {
    (void)sweep(options, [](const SweepState&, Duration) { (void)std::raise(SIGKILL); });
    return 0;
  });
  REQUIRE(child);
  const auto end = host::sys::reap(child->pidfd.get());
  REQUIRE(end);
  REQUIRE(end->signal == SIGKILL);
}

SweepState saved_in(const std::string& folder) {
  std::ifstream file(folder + "/sweep.json");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  auto state = read_sweep_state(text, folder);
  if (!state) FAIL(state.error().line());
  return *state;
}

void check_same(const Tally& one, const Tally& other) {
  CHECK(one.done == other.done);
  CHECK(one.terse.runs == other.terse.runs);
  CHECK(one.terse.core_events == other.terse.core_events);
  CHECK(one.json.runs == other.json.runs);
  CHECK(one.json.core_events == other.json.core_events);
  CHECK(one.repeated == other.repeated);
  CHECK(one.traces == other.traces);
  CHECK(one.proved_nothing == other.proved_nothing);
  CHECK(one.coverage == other.coverage);
}

}  // namespace

TEST_CASE("run: sweep: one that was killed and goes on comes to the same", "[sweep]") {
  const testing::Folder folder;
  // Enough cases that the sweep is still going on when it reports progress, and enough processes
  // that usually one of them is ahead of the lowest open chunk.
  auto killed = options_for(folder / "killed", 1'000'000);
  killed.jobs = 4;
  std::uint64_t done = 0;
  for (int kill = 0; kill < 3; ++kill) {
    sweep_killed(killed);
    const SweepState state = saved_in(killed.out);
    CHECK(state.done > done);
    CHECK(state.numbers.above_next().size() <= killed.jobs);
    done = state.done;
  }
  const SweepState state = saved_in(killed.out);
  const std::uint64_t above = state.numbers.above_next().empty()
                                  ? state.numbers.next()
                                  : state.numbers.above_next().back().to;
  const std::uint64_t count = above + 1000;

  const SweepState went_on = swept(options_for(killed.out, count));
  CHECK(went_on.done == count);
  CHECK(went_on.numbers.next() == count);
  CHECK(went_on.numbers.above_next().empty());
  check_same(went_on, swept(options_for(folder / "whole", count)));
}

TEST_CASE("run: sweep: a stretch that is done already is not done again", "[sweep]") {
  const testing::Folder folder;
  const auto options = options_for(folder / "sweep", 256);
  (void)swept(options);
  SweepState state = saved_in(options.out);
  state.numbers = {};
  state.numbers.add({0, 70});
  state.numbers.add({90, 130});
  static_cast<Tally&>(state) = {};
  std::ofstream(options.out + "/sweep.json") << write_sweep_state(state);
  const SweepState rest = swept(options);
  CHECK(rest.done == 256 - 70 - 40);
  CHECK(rest.terse.runs == rest.done);
  CHECK(rest.numbers.next() == 256);
}

TEST_CASE("run: sweep: a frequent crash does not hide a rare one", "[sweep]") {
  const testing::Folder folder;
  auto options = options_for(folder / "sweep", 3000);
  options.before_each = [](std::uint64_t number) {
    std::signal(SIGABRT, SIG_DFL);  // so that the test's own handler does not report it
    const bool rare = number == 2991;
    const bool frequent = number % 8 == 1;
    POOLPROOF_ASSERT(!rare);
    POOLPROOF_ASSERT(!frequent);
  };
  const SweepState state = swept(options);
  CHECK_FALSE(state.gave_up);
  CHECK(state.done == 3000);
  CHECK(state.numbers.next() == 3000);
  REQUIRE(state.failures.size() == 2);
  CHECK(state.failures[0].signature == "broken promise: !frequent");
  CHECK(state.failures[0].number == 1);
  CHECK(state.failures[0].times == 375);
  CHECK(state.failures[1].signature == "broken promise: !rare");
  CHECK(state.failures[1].number == 2991);
  CHECK(state.failures[1].times == 1);
  // A crash loses nothing that came before it: every other case is counted.
  CHECK(state.terse.runs == 3000 - 376);
  CHECK(state.repeated >= 6);
}

TEST_CASE("run: sweep: what does nothing but crash is given up", "[sweep]") {
  const testing::Folder folder;
  auto options = options_for(folder / "sweep", 1'000'000);
  options.before_each = [](std::uint64_t) {
    std::signal(SIGABRT, SIG_DFL);
    const bool sound = false;
    POOLPROOF_ASSERT(sound);
  };
  const SweepState state = swept(options);
  CHECK(state.gave_up);
  CHECK(state.done >= 100);
  CHECK(state.done < 1000);
  REQUIRE(state.failures.size() == 1);
  CHECK(state.failures[0].times == state.done);
  std::uint64_t numbers = state.numbers.next();
  for (const auto& stretch : state.numbers.above_next()) numbers += stretch.to - stretch.from;
  CHECK(numbers == state.done);
}

TEST_CASE("run: sweep: one that stops at a failure counts what it carried out, and says so",
          "[sweep]") {
  const testing::Folder folder;
  auto options = options_for(folder / "stopped", 3000);
  options.jobs = 1;
  options.stop_at_failure = true;
  options.before_each = [](std::uint64_t number) {
    std::signal(SIGABRT, SIG_DFL);
    const bool sound = number != 5;
    POOLPROOF_ASSERT(sound);
  };
  const SweepState stopped = swept(options);
  CHECK(stopped.stopped_early);
  CHECK(stopped.failures.size() == 1);
  CHECK(stopped.done == 6);
  CHECK(stopped.terse.runs == 5);
  // A sweep that reached its count has not stopped early, whatever it found.
  options.out = folder / "whole";
  options.stop_at_failure = false;
  options.count = 200;
  const SweepState whole = swept(options);
  CHECK_FALSE(whole.stopped_early);
  CHECK(whole.failures.size() == 1);
  CHECK(whole.done == 200);
  // Its time was over before its count was reached.
  options.out = folder / "short";
  options.before_each = {};
  options.count = 100'000'000;
  options.time = std::chrono::milliseconds(1);
  CHECK(swept(options).stopped_early);
}

TEST_CASE("run: sweep: a failure that hangs on the sweep is saved, and not said to show elsewhere",
          "[sweep]") {
  const testing::Folder folder;
  auto options = options_for(folder / "sweep", 100);
  options.shrink = true;
  options.shrink_time = std::chrono::milliseconds(100);
  options.self = folder.program("kill -SEGV $$");
  options.before_each = [](std::uint64_t number) {
    std::signal(SIGABRT, SIG_DFL);
    const bool sound = number % 50 != 7;
    POOLPROOF_ASSERT(sound);
  };
  std::vector<std::string> made_small;
  options.before_shrinking = [&](const std::string& one) { made_small.push_back(one); };
  const SweepState state = swept(options);
  REQUIRE(state.failures.size() == 1);
  const Failure& failure = state.failures.front();
  CHECK(failure.times == 2);
  CHECK(made_small == std::vector<std::string>{failure.signature});
  CHECK(failure.reproduces_with == ReproducesWith::nothing);
  CHECK(failure.on_host.runs == 0);
  REQUIRE_FALSE(failure.file.empty());
  CHECK(run::load_scenario(options.out + "/" + failure.file));
}

TEST_CASE("run: sweep: a chunk is told as it is", "[sweep]") {
  JobChunk chunk;
  chunk.numbers = {64, 128};
  chunk.tally = {64, {64, 4000, Duration(12)}, {3, 200, Duration(1)}, 1, ~std::uint64_t{0}, 2, {}};
  chunk.tally.coverage.see(oracle::Mark::queue_full);
  const std::string line = line_of(chunk);
  REQUIRE(line.back() == '\n');
  const auto read = chunk_of(std::string_view(line).substr(0, line.size() - 1));
  REQUIRE(read);
  CHECK(read->numbers == chunk.numbers);
  CHECK(read->tally.terse.busy == chunk.tally.terse.busy);
  CHECK(read->tally.json.busy == chunk.tally.json.busy);
  check_same(read->tally, chunk.tally);
  CHECK_FALSE(chunk_of("7\t1\tchunk\twhat"));
}

TEST_CASE("run: sweep: a file of an older version is refused in one line", "[sweep]") {
  const auto read =
      read_sweep_state(R"({"sweep_version": 3, "next": 64, "done": 70})", "sweep.json");
  REQUIRE_FALSE(read);
  CHECK(read.error().line() ==
        "sweep.json: is no sweep.json of this version; \"sweep_version\": 5");
}

TEST_CASE("run: sweep: what shows a failure again is kept in the file") {
  SweepState state;
  for (std::size_t i = 0; i < kReproducesWithNames.size(); ++i) {
    Failure& failure = state.failures.emplace_back();
    failure.reproduces_with = static_cast<ReproducesWith>(i);
    failure.on_host = {static_cast<std::uint32_t>(i), 7};
  }
  std::string text = write_sweep_state(state);
  const auto read = read_sweep_state(text, "sweep.json");
  REQUIRE(read);
  REQUIRE(read->failures.size() == kReproducesWithNames.size());
  for (std::size_t i = 0; i < kReproducesWithNames.size(); ++i) {
    CHECK(read->failures[i].reproduces_with == static_cast<ReproducesWith>(i));
    CHECK(read->failures[i].on_host.failed == i);
    CHECK(read->failures[i].on_host.runs == 7);
  }
  text.replace(text.find("terse_case"), 5, "plain");
  CHECK_FALSE(read_sweep_state(text, "sweep.json"));
}
