#include "harness/probe/diagnosis.hpp"

#include <algorithm>
#include <array>

#include <catch2/catch.hpp>

namespace poolproof::probe {
namespace {

constexpr ExitStatus kExit3{3, 0};

Settings settings() {
  Settings some;
  some.framing.max_frame_bytes = 1000;
  some.limit = std::chrono::milliseconds(3000);
  return some;
}

Results sound() {
  Results results;
  results.echo.reaction.after = After::answered;
  results.broken_frame = Reaction{After::answered, {}};
  results.oversized_frame = Reaction{After::ended, kExit3};
  results.end_of_input = Reaction{After::ended, kExit3};
  return results;
}

FailedStart echoing() {
  FailedStart start;
  start.echoes = true;
  return start;
}

const std::string kVirtuesAfterCall =
    "answers a broken request with an error; it ends on an oversized frame (exited with code 3); "
    "it ends at the end of input (exited with code 3).\n";

TEST_CASE("diagnosis: a sound worker, and all that it does well", "[probe]") {
  const Diagnosis told = diagnose(sound(), settings());
  CHECK(told.faults.empty());
  CHECK(told.text ==
        "diagnosis: a sound worker.\nbesides, it answers a call; it " + kVirtuesAfterCall);
}

TEST_CASE("diagnosis: tests that were not carried out say nothing", "[probe]") {
  Results results = sound();
  results.broken_frame.reset();
  results.oversized_frame.reset();
  results.end_of_input.reset();
  CHECK(diagnose(results, settings()).text ==
        "diagnosis: a sound worker.\nbesides, it answers a call.\n");
}

TEST_CASE("diagnosis: a failed start is all there is to say", "[probe]") {
  Results results;
  results.first_start = echoing();
  CHECK(diagnose(results, settings()).text ==
        "diagnosis: it gives back what it is sent, as cat does, so it is no worker.\n");
  results.first_start = FailedStart{"no such file", false, {}, ""};
  const Diagnosis told = diagnose(results, settings());
  CHECK(told.text == "diagnosis: no such file.\n");
  CHECK(told.faults.size() == 1);
}

TEST_CASE("diagnosis: the evidence of a start is told as the pool tells it, without a number",
          "[probe]") {
  Results results;
  results.first_start.emplace();
  results.first_start->evidence.cause = StartCause::exited;
  results.first_start->evidence.exit = kExit3;
  results.first_start->stderr_tail = "no module";
  CHECK(diagnose(results, settings()).text ==
        "diagnosis: it exited with code 3 before it answered its ping: dead at start; its stderr "
        "ends: no module [exited].\n");
}

TEST_CASE("diagnosis: a first call that fails is a fault", "[probe]") {
  const auto [reaction, words] = GENERATE(table<Reaction, std::string>({
      {{After::ended, kExit3}, "ends on its first call (exited with code 3)"},
      {{After::closed, {}}, "closes its stdout on its first call"},
      {{After::silent, {}}, "does not answer its first call"},
      {{After::babbled, {}}, "answers its first call with bytes that make no frame"},
  }));
  Results results = sound();
  results.echo.reaction = reaction;
  CHECK(diagnose(results, settings()).text == "diagnosis: no good worker for a pool: it " + words +
                                                  ".\nbesides, it " + kVirtuesAfterCall);
}

TEST_CASE("diagnosis: what is wrong with an answered call", "[probe]") {
  Results results = sound();
  SECTION("no reply") {
    results.echo.no_reply = "expected id 1, got 77";
    CHECK(diagnose(results, settings()).faults ==
          std::vector<std::string>{"answers a call with what is no reply: expected id 1, got 77"});
  }
  SECTION("too much of it") {
    results.echo.more_than_one_reply = true;
    results.echo.reaction.exit = kExit3;
    CHECK(diagnose(results, settings()).faults ==
          std::vector<std::string>{"writes more than one reply to a call",
                                   "ends after its first call (exited with code 3)"});
  }
  SECTION("an error is an answer") {
    results.echo.error = "no\x1b[1m";
    const Diagnosis told = diagnose(results, settings());
    CHECK(told.faults.empty());
    CHECK(told.virtues.front() == "answers a call (here with the error \"no\\x1b[1m\")");
  }
}

TEST_CASE("diagnosis: what a worker does with a broken request is a quirk at worst", "[probe]") {
  const auto [reaction, words] = GENERATE(table<Reaction, std::string>({
      {{After::ended, kExit3}, "ends without a word on a broken request (exited with code 3)"},
      {{After::silent, {}}, "leaves a broken request unanswered"},
      {{After::babbled, {}}, "answers a broken request with no frame"},
      {{After::answered, kExit3}, "answers a broken request and ends (exited with code 3)"},
  }));
  Results results = sound();
  results.broken_frame = reaction;
  const Diagnosis told = diagnose(results, settings());
  CHECK(told.faults.empty());
  CHECK(told.text.starts_with("diagnosis: a worker that a pool can use, though it " + words +
                              ".\nbesides, it answers a call; "));
}

TEST_CASE("diagnosis: a worker that waits for an oversized frame", "[probe]") {
  Results results = sound();
  results.oversized_frame = Reaction{After::silent, {}};
  CHECK(
      diagnose(results, settings()).quirks ==
      std::vector<std::string>{"takes a frame of more than 1000 bytes (it waits for its payload)"});
  results.oversized_frame = Reaction{After::answered, {}};
  CHECK(diagnose(results, settings()).virtues.at(2) == "answers an oversized frame with an error");
}

TEST_CASE("diagnosis: faults come in the order of the tests, quirks in a line of their own",
          "[probe]") {
  Results results = sound();
  results.echo.more_than_one_reply = true;
  results.later_start = echoing();
  results.broken_frame = Reaction{After::silent, {}};
  results.oversized_frame.reset();
  results.end_of_input = Reaction{After::silent, {}};
  CHECK(diagnose(results, settings()).text ==
        "diagnosis: no good worker for a pool: it writes more than one reply to a call; it does "
        "not start a second time: it gives back what it is sent, as cat does, so it is no worker; "
        "it does not end within 3000 ms of the end of its input.\n"
        "also, it leaves a broken request unanswered.\n"
        "besides, it answers a call.\n");
}

}  // namespace
}  // namespace poolproof::probe
