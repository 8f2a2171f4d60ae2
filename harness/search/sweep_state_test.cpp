#include <csignal>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <fmt/format.h>

#include "harness/host/forked_child.hpp"
#include "harness/host/system.hpp"
#include "harness/search/build_fingerprint.hpp"
#include "harness/search/sweep_job.hpp"
#include "harness/search/sweep_testing.hpp"

/// What is saved of a sweep: it goes on from it, or says why not.
using namespace poolproof;
using namespace poolproof::search;
using namespace poolproof::search::testing;
using poolproof::testing::Folder;

namespace {

/// The same sweep, killed when it reports that it has done more than `done`.
void sweep_killed(SweepOptions options, std::uint64_t done) {
  options.save_every = {};
  auto child = host::fork_child([&options, done](int) {
    (void)sweep(options, [done](const SweepState& state, Duration) {
      if (state.done > done) (void)std::raise(SIGKILL);
    });
    return 0;
  });
  REQUIRE(child);
  const auto end = host::sys::reap(child->pidfd.get());
  REQUIRE(end);
  REQUIRE(end->signal == SIGKILL);
}

}  // namespace

TEST_CASE("run: sweep: one that was killed and goes on comes to the same", "[sweep]") {
  const Folder folder;
  // Enough cases that the sweep is still going on when it reports progress, and enough processes
  // that usually one of them is ahead of the lowest open chunk.
  auto killed = options_for(folder / "killed", 1'000'000);
  killed.jobs = 4;
  std::uint64_t done = 0;
  for (int kill = 0; kill < 3; ++kill) {
    sweep_killed(killed, done);
    const SweepState state = saved_in(killed.out);
    CHECK(state.done > done);
    CHECK(state.own().numbers.above_next().size() <= killed.jobs);
    done = state.done;
  }
  const SweepState state = saved_in(killed.out);
  CHECK(state.own().end == SweepEnd::running);
  const CompletedRanges& numbers = state.own().numbers;
  const std::uint64_t above =
      numbers.above_next().empty() ? numbers.next() : numbers.above_next().back().to;
  const std::uint64_t count = above + 1000;

  const SweepState went_on = swept(options_for(killed.out, count));
  CHECK(went_on.done == count);
  CHECK(went_on.own().numbers.next() == count);
  CHECK(went_on.own().numbers.above_next().empty());
  check_same(went_on, swept(options_for(folder / "whole", count)));
}

TEST_CASE("run: sweep: a stretch that is done already is not done again", "[sweep]") {
  const Folder folder;
  const auto options = options_for(folder / "sweep", 256);
  (void)swept(options);
  SweepState state = saved_in(options.out);
  state.own().numbers = {};
  state.own().numbers.add({0, 70});
  state.own().numbers.add({90, 130});
  static_cast<Tally&>(state) = {};
  state.done = 70 + 40;
  std::ofstream(options.out + "/sweep.json") << write_sweep_state(state);
  const SweepState rest = swept(options);
  CHECK(rest.done == 256);
  CHECK(rest.terse.runs == 256 - 70 - 40);
  CHECK(rest.own().numbers.next() == 256);
}

TEST_CASE("run: sweep: a state that can't be saved ends it, and the older one stays", "[sweep]") {
  const Folder folder;
  auto options = options_for(folder / "sweep", 300);
  (void)swept(options);
  const auto size = std::filesystem::file_size(options.out + "/sweep.json");
  options.count = 100'000'000;
  options.time = std::chrono::seconds(30);
  options.save_every = {};
  // From case 2000 on a folder stands in the place of the hidden file, which no unlink removes.
  const std::string hidden =
      fmt::format("{}/.sweep.json.{}.tmp", options.out, static_cast<int>(::getpid()));
  options.before_each = [&](std::uint64_t number) {
    std::error_code ignored;  // the hidden file may be there just now
    if (number >= 2000) std::filesystem::create_directory(hidden, ignored);
  };
  const auto state = sweep(options, {});
  REQUIRE(state);
  CHECK(state->trouble.find("cannot write") != std::string::npos);
  CHECK(state->own().end == SweepEnd::running);
  CHECK(state->done < 100'000'000);
  CHECK(std::filesystem::file_size(options.out + "/sweep.json") >= size);
  const SweepState saved = saved_in(options.out);
  CHECK(saved.done >= 300);
  CHECK(saved.done <= state->done);
  CHECK(saved.own().end == SweepEnd::running);

  // Where nothing can be saved from the beginning, nothing is begun.
  options.before_each = {};
  CHECK(std::filesystem::exists(hidden));
  const auto at_once = sweep(options, {});
  REQUIRE_FALSE(at_once);
  CHECK(at_once.error().kind == SearchError::Kind::broken);
  CHECK(at_once.error().line.find("cannot write") != std::string::npos);
}

TEST_CASE("run: sweep: one folder is one sweep's", "[sweep]") {
  const Folder folder;
  auto options = options_for(folder / "sweep", 100);
  (void)swept(options);
  const auto refused = [&](const std::string& why) {
    const auto state = sweep(options, {});
    REQUIRE_FALSE(state);
    CHECK(state.error().kind == SearchError::Kind::input);
    INFO(state.error().line);
    CHECK(state.error().line.find(why) != std::string::npos);
  };
  options.count = 50;
  refused("has got beyond --count 50 already; another --out, or remove it");
  options.count = 100;
  options.shards = 2;
  refused("is of another sweep (seed 0x7, shard 1/1)");
  options.shards = 1;
  SweepState state = saved_in(options.out);
  state.build = "0.0.1-0123456789abcdef";
  std::ofstream(options.out + "/sweep.json") << write_sweep_state(state);
  refused("is of another build of poolproof (0.0.1-0123456789abcdef, this is " +
          build_fingerprint() + ")");
  state.merged = true;
  std::ofstream(options.out + "/sweep.json") << write_sweep_state(state);
  refused("is the sum of several shards");

  const auto lock = host::sys::lock_folder(options.out.c_str());
  REQUIRE(lock);
  const auto locked = sweep(options, {});
  REQUIRE_FALSE(locked);
  CHECK(locked.error().kind == SearchError::Kind::locked);
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
        "sweep.json: is no sweep.json of this version; \"sweep_version\": 6");
}

TEST_CASE("run: sweep: what shows a failure again is kept in the file", "[sweep]") {
  SweepState state;
  for (std::size_t i = 0; i < kReproducesWithNames.size(); ++i) {
    Failure& failure = state.failures.emplace_back();
    failure.signature = "isolation";
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

TEST_CASE("run: sweep: every value of the file is checked", "[sweep]") {
  SweepState state;
  state.count = 1000;
  state.shards = 4;
  state.build = build_fingerprint();
  state.own().shard = 2;
  state.own().end = SweepEnd::time;
  state.own().numbers.add({0, 64});
  state.own().numbers.add({128, 192});
  state.done = state.own().done(4);
  state.killed = 3;
  state.elapsed = std::chrono::seconds(7);
  state.failures.push_back(
      {"isolation: x", "what", 7, 0xab, 2, {}, "failures/x.json", {}, {}, 3, 40});
  const std::string text = write_sweep_state(state);
  const auto read = read_sweep_state(text, "sweep.json");
  if (!read) FAIL(read.error().line());
  CHECK(read->own().end == SweepEnd::time);
  CHECK(read->own().numbers == state.own().numbers);
  CHECK(read->killed == 3);
  CHECK(read->elapsed == state.elapsed);
  CHECK(write_sweep_state(*read) == text);

  struct Change {
    const char* from;
    const char* to;
    const char* where;
  };
  for (const Change& change : std::initializer_list<Change>{
           {"\"shards\": 4", "\"shards\": 0", "#/shards"},
           {"\"shards\": 4", "\"shards\": -4", "#/shards"},
           {"\"shard\": 2", "\"shard\": 4", "#/parts/0/shard"},
           {"\"done\": 32", "\"done\": 33", "#/done"},
           {"\"done\": 32", "\"done\": 3.2", "#/done"},
           {"\"count\": 1000", "\"count\": \"many\"", "#/count"},
           {"\"next\": 64", "\"next\": 128", "#/parts/0/apart/0"},
           {"\"next\": 64", "\"next\": -1", "#/parts/0/next"},
           {"\"end\": \"time\"", "\"end\": \"tim\"", "#/parts/0/end"},
           {"\"elapsed_ms\": 7000", "\"elapsed_ms\": 9223372036854775807", "#/elapsed_ms"},
           {"\"killed\": 3", "\"killed\": null", "#/killed"},
           {"\"killed\": 3,", "", "there is no \"killed\""},
           {"\"killed\": 3", "\"killed\": 3, \"extra\": 1", "unknown key \"extra\""},
           {"\"seed\": \"0xab\"", "\"seed\": \"ab\"", "#/failures/0/seed"},
           {"\"seed\": \"0xab\"", "\"seed\": \"0x\"", "#/failures/0/seed"},
           {"\"traces\": \"0x0\"", "\"traces\": \"0x11112222333344445\"", "#/traces"},
           {"failures/x.json", "failures/../x.json", "#/failures/0/file"},
           {"failures/x.json", "/etc/passwd", "#/failures/0/file"},
           {"\"host_failed\": 0", "\"host_failed\": 1", "#/failures/0/host_failed"},
           {"\"times\": 2", "\"times\": 18446744073709551615", "#/failures/0/times"},
           {"\"merged\": false", "\"merged\": 0", "#/merged"},
           {"\"coverage\": [", "\"coverage\": [\"0x0\", ", "#/coverage"},
       }) {
    std::string wrong = text;
    INFO(change.from << " -> " << change.to);
    REQUIRE(wrong.find(change.from) != std::string::npos);
    wrong.replace(wrong.find(change.from), std::string_view(change.from).size(), change.to);
    const auto refused = read_sweep_state(wrong, "sweep.json");
    REQUIRE_FALSE(refused);
    INFO(refused.error().line());
    CHECK(refused.error().line().find(change.where) != std::string::npos);
  }
}
