#include "harness/guard/origin.hpp"

#include <functional>
#include <string>

#include <catch2/catch.hpp>

#include "harness/guard/facts_testing.hpp"
#include "harness/guard/judge.hpp"

namespace poolproof::guard {
namespace {

using namespace testing;

constexpr pid_t kLeft = 300;
constexpr pid_t kBetween = 250;

/// What is left, and lived from then on.
Process left(pid_t parent, Duration started = 2s) {
  Process one;
  one.address = address(kLeft, parent, started);
  return one;
}

Process helper(pid_t pid, pid_t parent, Duration started, Duration gone) {
  Process one = process(pid, parent, started, gone);
  one.is_worker = false;
  return one;
}

struct Case {
  std::string what;
  std::function<Process(Facts&)> left;
  Blame blame;
};

TEST_CASE("guard: origin: whose a process is that is left, by the evidence that there is") {
  const std::vector<Case> cases{
      {"the program's child", [](Facts&) { return left(kHost); }, Blame::program},
      {"a worker's child", [](Facts&) { return left(kWorker); }, Blame::worker},
      {"the child of a worker's child",
       [](Facts& f) {
         f.seen.push_back(helper(kBetween, kWorker, 1s, 2s));
         return left(kBetween);
       },
       Blame::worker},
      {"the child of a helper of the program",
       [](Facts& f) {
         f.seen.push_back(helper(kBetween, kHost, 1s, 2s));
         return left(kBetween);
       },
       Blame::program},
      {"a worker that is left is the program's",
       [](Facts&) {
         Process one = left(kHost);
         one.is_worker = true;
         return one;
       },
       Blame::program},
      {"nobody has seen who started it, and a worker lived", [](Facts&) { return left(0); },
       Blame::unknown},
      {"the same of who started its parent",
       [](Facts& f) {
         f.seen.push_back(helper(kBetween, 0, 1s, 2s));
         return left(kBetween);
       },
       Blame::unknown},
      {"the same before there was a worker", [](Facts&) { return left(0, -100ms); },
       Blame::program},
      {"the same after the last worker had gone",
       [](Facts& f) {
         f.seen.back().gone = 1s;
         return left(0);
       },
       Blame::program},
      {"the same in a program without workers",
       [](Facts& f) {
         f.seen.pop_back();
         f.incarnations.clear();
         return left(0);
       },
       Blame::program},
      {"a worker that was known by its journal alone",
       [](Facts& f) {
         f.seen.pop_back();
         return left(0);
       },
       Blame::unknown},
      {"in a worker's group",
       [](Facts&) {
         Process one = left(0);
         one.group = kWorker;
         return one;
       },
       Blame::worker},
      {"in a session that a worker's child leads",
       [](Facts& f) {
         f.seen.push_back(helper(kBetween, kWorker, 1s, 2s));
         Process one = left(0);
         one.group = one.session = kBetween;
         return one;
       },
       Blame::worker},
      {"in the program's group",
       [](Facts&) {
         Process one = left(0);
         one.group = kHost;
         return one;
       },
       Blame::unknown},
      {"in a session that a helper of the program leads",
       [](Facts& f) {
         f.seen.push_back(helper(kBetween, kHost, 1s, 2s));
         Process one = left(0);
         one.session = kBetween;
         return one;
       },
       Blame::unknown},
      {"a worker's journal says so",
       [](Facts& f) {
         f.incarnations.front().children = {kLeft};
         return left(0);
       },
       Blame::worker},
      {"a later process of the parent's pid is a worker",
       [](Facts& f) {
         f.seen.push_back(helper(kBetween, kHost, 1s, 2s));
         f.seen.push_back(process(kBetween, kHost, 5s, 6s));
         return left(kBetween);
       },
       Blame::program},
      {"pids in a circle",
       [](Facts& f) {
         f.seen.push_back(helper(kBetween, kLeft, 1s, 2s));
         f.seen.push_back(helper(kLeft, kBetween, 1s, 2s));
         return left(kBetween);
       },
       Blame::unknown},
  };
  for (const Case& one : cases) {
    INFO(one.what);
    Facts facts = sound();
    facts.left = {one.left(facts)};
    const Judgement judgement = judge(facts);
    REQUIRE(judgement.findings.size() == 1);
    CHECK(name(judgement.findings[0].blame) == name(one.blame));
    const bool doubts = judgement.findings[0].what.ends_with(
        "; who started it had gone before it was seen: the program or a worker of its");
    CHECK(doubts == (one.blame == Blame::unknown));
  }
}

TEST_CASE("guard: origin: what a worker's child does is the worker's doing") {
  Facts facts = sound();
  facts.seen.push_back(helper(kBetween, kWorker, 1s, 9s));
  facts.seen.push_back(helper(kLeft, kHost, 1s, 9s));
  CHECK(doer_of(facts, address(kHost, 0, 0ms)) == Blame::program);
  CHECK(doer_of(facts, address(kWorker, kHost, 20ms)) == Blame::worker);
  CHECK(doer_of(facts, address(kBetween, kWorker, 1s)) == Blame::worker);
  CHECK(doer_of(facts, address(kLeft, kHost, 1s)) == Blame::program);
}

}  // namespace
}  // namespace poolproof::guard
