#include <csignal>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "harness/base/assert.hpp"
#include "harness/run/runner.hpp"
#include "harness/search/sweep_testing.hpp"

/// A sweep that is stopped, or whose processes are.
using namespace poolproof;
using namespace poolproof::search;
using namespace poolproof::search::testing;
using poolproof::testing::Folder;

TEST_CASE("run: sweep: one that stops at a failure counts what it carried out, and says so",
          "[sweep]") {
  const Folder folder;
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

TEST_CASE("run: sweep: a process that somebody else killed is no failure, and nothing is lost",
          "[sweep]") {
  const Folder folder;
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
  const Folder folder;
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
  const Folder folder;
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
  const Folder folder;
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
  const Folder folder;
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
  const Folder folder;
  auto options = options_for(folder / "asked", 1000);
  options.stuck_after = std::chrono::seconds(2);  // it waits, so after 20 s it would be stuck
  options.before_each = [](std::uint64_t number) {
    while (number == 70) (void)::usleep(1000);
  };
  bool asked = false;
  options.asked_to_stop = [&] { return asked; };
  const auto stopped = sweep(options, [&](const SweepState& state, Duration) {
    asked = state.own().numbers.next() == 64;
  });
  REQUIRE(stopped);
  CHECK(stopped->own().end == SweepEnd::asked);
  CHECK(stopped->failures.empty());
  // Cases that were under way when it was asked may have come to their end.
  CHECK(stopped->own().numbers.next() >= 64);
  CHECK(stopped->own().numbers.next() <= 70);
}

TEST_CASE("run: sweep: one that is asked to stop while it shrinks does the rest later", "[sweep]") {
  const Folder folder;
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
