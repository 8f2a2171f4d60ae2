#include "harness/search/sweep.hpp"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <new>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <fmt/format.h>

#include "harness/base/assert.hpp"
#include "harness/base/folder_testing.hpp"
#include "harness/host/forked_child.hpp"
#include "harness/host/system.hpp"
#include "harness/run/runner.hpp"
#include "harness/search/build_fingerprint.hpp"
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
  if (!state) FAIL(state.error().line);
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
  const testing::Folder folder;
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
  CHECK(state.own().end == SweepEnd::finished);
  CHECK(state.done == 3000);
  CHECK(state.own().numbers.next() == 3000);
  REQUIRE(state.failures.size() == 2);
  CHECK(state.failures[0].signature == "broken promise: !frequent");
  CHECK(state.failures[0].number == 1);
  CHECK(state.failures[0].times == 375);
  CHECK(state.failures[1].signature == "broken promise: !rare");
  CHECK(state.failures[1].number == 2991);
  CHECK(state.failures[1].times == 1);
  // A crash loses nothing that came before it: every other case is counted.
  CHECK(state.terse.runs == 3000 - 376);
  CHECK(state.repeated >= 5);
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
  CHECK(state.own().end == SweepEnd::crashes);
  CHECK(state.done >= 100);
  CHECK(state.done < 1000);
  REQUIRE(state.failures.size() == 1);
  CHECK(state.failures[0].times == state.done);
  CHECK(state.own().done(1) == state.done);
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
  CHECK(stopped.own().end == SweepEnd::failure);
  CHECK(stopped.failures.size() == 1);
  CHECK(stopped.done == 6);
  CHECK(stopped.terse.runs == 5);
  // A sweep that reached its count has not stopped early, whatever it found.
  options.out = folder / "whole";
  options.stop_at_failure = false;
  options.count = 200;
  const SweepState whole = swept(options);
  CHECK(whole.own().end == SweepEnd::finished);
  CHECK(whole.failures.size() == 1);
  CHECK(whole.done == 200);
  // Its time was over before its count was reached.
  options.out = folder / "short";
  options.before_each = {};
  options.count = 100'000'000;
  options.time = std::chrono::milliseconds(1);
  CHECK(swept(options).own().end == SweepEnd::time);
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

namespace {

/// Memory in which the processes of a sweep leave word for the test.
struct Shared {
  std::atomic<std::uint64_t> kills;
  std::atomic<pid_t> stopped;
};

class SharedWord {
 public:
  SharedWord() : memory_(host::SharedMemory::of_size(sizeof(Shared))) {
    REQUIRE(memory_);
    word_ = new (memory_->data()) Shared();
  }
  Shared* operator->() const { return word_; }

 private:
  host::sys::Try<host::SharedMemory> memory_;
  Shared* word_ = nullptr;
};

}  // namespace

TEST_CASE("run: sweep: a process that somebody else killed is no failure, and nothing is lost",
          "[sweep]") {
  const testing::Folder folder;
  const SharedWord word;
  auto options = options_for(folder / "killed", 1000);
  // Each of these is killed once, in the middle of its chunk.
  options.before_each = [&](std::uint64_t number) {
    const std::uint64_t before = word->kills.load();
    if (number % 64 != 40 || number / 64 != before) return;
    word->kills.store(before + 1);
    (void)std::raise(SIGKILL);
  };
  options.jobs = 1;
  const SweepState state = swept(options);
  CHECK(state.killed == 15);
  CHECK(state.failures.empty());
  CHECK(state.own().end == SweepEnd::finished);
  check_same(state, swept(options_for(folder / "whole", 1000)));
}

TEST_CASE("run: sweep: a case during which its process is killed each time has failed", "[sweep]") {
  const testing::Folder folder;
  auto options = options_for(folder / "sweep", 300);
  options.before_each = [](std::uint64_t number) {
    if (number == 100) (void)std::raise(SIGKILL);
  };
  const SweepState state = swept(options);
  CHECK(state.own().end == SweepEnd::finished);
  CHECK(state.done == 300);
  CHECK(state.terse.runs == 299);
  CHECK(state.killed == 2);
  REQUIRE(state.failures.size() == 1);
  CHECK(state.failures[0].signature == "crash: signal 9");
  CHECK(state.failures[0].number == 100);
  CHECK(state.failures[0].times == 1);
}

TEST_CASE("run: sweep: one whose processes are killed without end stops, and has not failed",
          "[sweep]") {
  const testing::Folder folder;
  const SharedWord word;
  auto options = options_for(folder / "sweep", 100'000);
  options.jobs = 1;
  // Never twice at the same case.
  options.before_each = [&](std::uint64_t number) {
    const std::uint64_t begin = 1000;
    if (number != begin + word->kills.load()) return;
    word->kills.fetch_add(1);
    (void)std::raise(SIGKILL);
  };
  const SweepState state = swept(options);
  CHECK(state.own().end == SweepEnd::kills);
  CHECK(state.failures.empty());
  CHECK(state.done >= 960);
  CHECK(state.done < 1100);
}

TEST_CASE("run: sweep: a case without end is stuck, one that was suspended is not", "[sweep]") {
  const testing::Folder folder;
  const SharedWord word;
  auto options = options_for(folder / "sweep", 200);
  options.stuck_after = std::chrono::milliseconds(100);
  options.before_each = [&](std::uint64_t number) {
    if (number == 30 && word->stopped.exchange(::getpid()) == 0) (void)std::raise(SIGSTOP);
    volatile std::uint64_t turns = 0;
    while (number == 150) turns = turns + 1;
  };
  // Progress is told each second: ten times as long as a case may take.
  std::uint64_t told = 0;
  const auto state = sweep(options, [&](const SweepState&, Duration) {
    if (++told == 2) (void)::kill(word->stopped.load(), SIGCONT);
  });
  REQUIRE(state);
  CHECK(told >= 2);
  CHECK(state->done == 200);
  CHECK(state->terse.runs == 199);
  REQUIRE(state->failures.size() == 1);
  CHECK(state->failures[0].signature == "stuck");
  CHECK(state->failures[0].number == 150);
}

TEST_CASE("run: sweep: one that is asked to stop ends the cases under way and goes on later",
          "[sweep]") {
  const testing::Folder folder;
  auto options = options_for(folder / "asked", 1'000'000);
  bool asked = false;
  options.asked_to_stop = [&] { return asked; };
  std::uint64_t done = 0;
  const auto stopped = sweep(options, [&](const SweepState& state, Duration) {
    done = state.done;
    asked = true;
  });
  REQUIRE(stopped);
  CHECK(stopped->own().end == SweepEnd::asked);
  CHECK(stopped->trouble.empty());
  CHECK(stopped->done >= done);
  CHECK(stopped->done < 1'000'000);
  const SweepState saved = saved_in(options.out);
  CHECK(saved.own().end == SweepEnd::asked);
  CHECK(saved.done == stopped->done);
  options.asked_to_stop = {};
  options.count = saved.own().numbers.next() + 2000;
  const SweepState went_on = swept(options);
  CHECK(went_on.own().end == SweepEnd::finished);
  check_same(went_on, swept(options_for(folder / "whole", options.count)));
}

TEST_CASE("run: sweep: one that is asked to stop does not wait for a case without end", "[sweep]") {
  const testing::Folder folder;
  auto options = options_for(folder / "asked", 1000);
  options.stuck_after = std::chrono::seconds(2);  // it waits, so after 20 s it would be stuck
  options.before_each = [](std::uint64_t number) {
    while (number == 70) (void)::usleep(1000);
  };
  bool asked = false;
  options.asked_to_stop = [&] { return asked; };
  const auto stopped = sweep(options, [&](const SweepState&, Duration) { asked = true; });
  REQUIRE(stopped);
  CHECK(stopped->own().end == SweepEnd::asked);
  CHECK(stopped->failures.empty());
  CHECK(stopped->own().numbers.next() == 64);
}

TEST_CASE("run: sweep: one that is asked to stop while it shrinks does the rest later", "[sweep]") {
  const testing::Folder folder;
  auto options = options_for(folder / "sweep", 100);
  options.shrink = true;
  options.shrink_time = std::chrono::milliseconds(100);
  options.before_each = [](std::uint64_t number) {
    std::signal(SIGABRT, SIG_DFL);
    const bool sound = number != 7;
    POOLPROOF_ASSERT(sound);
  };
  bool asked = false;
  options.asked_to_stop = [&] { return asked; };
  options.before_shrinking = [&](const std::string&) { asked = true; };
  const SweepState stopped = swept(options);
  CHECK(stopped.own().end == SweepEnd::asked);
  CHECK(stopped.done == 100);
  REQUIRE(stopped.failures.size() == 1);
  CHECK(stopped.failures[0].file.empty());
  CHECK(saved_in(options.out).own().end == SweepEnd::asked);
  CHECK(saved_in(options.out).failures.size() == 1);

  asked = false;
  options.before_shrinking = {};
  const SweepState whole = swept(options);
  CHECK(whole.own().end == SweepEnd::finished);
  REQUIRE(whole.failures.size() == 1);
  CHECK(whole.failures[0].times == 1);
  CHECK(run::load_scenario(options.out + "/" + whole.failures[0].file));
}

TEST_CASE("run: sweep: a process that could not be started leaves no case undone", "[sweep]") {
  const testing::Folder folder;
  auto options = options_for(folder / "sweep", 300);
  options.jobs = 1;
  options.before_each = [](std::uint64_t number) {
    std::signal(SIGABRT, SIG_DFL);
    const bool sound = number != 100;
    POOLPROOF_ASSERT(sound);
  };
  // Each process needs two pipes: it is the second one that fails, after the crash.
  host::sys::fail_next(host::sys::Call::pipe, 2, EMFILE);
  const SweepState state = swept(options);
  CHECK(host::sys::failures_struck() == 1);
  CHECK(state.own().end == SweepEnd::finished);
  CHECK(state.done == 300);
  CHECK(state.terse.runs == 299);
  CHECK(state.failures.size() == 1);

  host::sys::fail_next(host::sys::Call::pipe, 0, EMFILE);
  options.count = 600;
  const auto none = sweep(options, {});
  host::sys::fail_none();
  REQUIRE_FALSE(none);
  CHECK(none.error().kind == SweepError::Kind::broken);
}

TEST_CASE("run: sweep: a state that can't be saved ends it, and the older one stays", "[sweep]") {
  const testing::Folder folder;
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
  CHECK(at_once.error().kind == SweepError::Kind::broken);
  CHECK(at_once.error().line.find("cannot write") != std::string::npos);
}

TEST_CASE("run: sweep: one folder is one sweep's", "[sweep]") {
  const testing::Folder folder;
  auto options = options_for(folder / "sweep", 100);
  (void)swept(options);
  const auto refused = [&](const std::string& why) {
    const auto state = sweep(options, {});
    REQUIRE_FALSE(state);
    CHECK(state.error().kind == SweepError::Kind::input);
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
  CHECK(locked.error().kind == SweepError::Kind::locked);
}

TEST_CASE("run: sweep: the shards share the cases, and those that are carried out twice",
          "[sweep]") {
  const testing::Folder folder;
  const std::uint64_t count = 8 * 509;
  const SweepState whole = swept(options_for(folder / "whole", count));
  CHECK(whole.repeated >= 8);
  for (const std::uint32_t shards : {2U, 4U}) {
    SweepState sum;
    for (std::uint32_t shard = 0; shard < shards; ++shard) {
      auto options = options_for(folder / fmt::format("{}-{}", shard, shards), count);
      options.shard = shard;
      options.shards = shards;
      const SweepState part = swept(options);
      CHECK(part.done == cases_of(count, shard, shards));
      CHECK(part.own().done(shards) == part.done);
      CHECK(part.repeated >= 8 / shards);
      sum.Tally::add(part);
    }
    check_same(sum, whole);
  }
}

TEST_CASE("run: sweep: more shards than cases leave some with none", "[sweep]") {
  const testing::Folder folder;
  auto options = options_for(folder / "sweep", 10);
  options.shard = 11;
  options.shards = 100'000;
  const SweepState state = swept(options);
  CHECK(state.done == 0);
  CHECK(state.own().end == SweepEnd::finished);
  CHECK(cases_of(10, 9, 100'000) == 1);
  CHECK(cases_of(10, 10, 100'000) == 0);
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
