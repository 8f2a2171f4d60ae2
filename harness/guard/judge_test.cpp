#include "harness/guard/judge.hpp"

#include <chrono>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "harness/guard/histories_testing.hpp"

namespace poolproof::guard {
namespace {

using namespace std::chrono_literals;

using namespace testing;

const std::vector<History>& ends_and_leaks() {
  static const std::vector<History> all{
      {"nothing", [](Facts&) {}, {}},
      {"a survivor", [](Facts& f) { f.left = {process(7, kHost, 1s, 2s)}; }, {"no_survivors"}},
      {"one that was there when the program was put away",
       [](Facts& f) {
         f.left = {process(7, kHost, 1s, 2s)};
         f.end.how = HostEnd::How::over_limit;
       },
       {"host_ended"},
       {"no_survivors"}},
      {"a zombie",
       [](Facts& f) {
         f.zombies = {{address(7, kHost), 2s, 4s}};
       },
       {"no_zombies"}},
      {"one that had just died",
       [](Facts& f) {
         f.zombies = {{address(7, kHost), 3900ms, 4s}};
       },
       {}},
      {"exit code",
       [](Facts& f) {
         f.end.exit = {1, 0};
       },
       {"host_ended"}},
      {"signal",
       [](Facts& f) {
         f.end.exit = {0, 11};
       },
       {"host_ended"}},
      {"TERM that was passed on",
       [](Facts& f) {
         f.end.exit = {0, 15};
         f.end.passed = 15;
       },
       {},
       {"host_ended"}},
      {"no end", [](Facts& f) { f.end.how = HostEnd::How::over_end_limit; }, {"host_ended"}},
      {"busy while idle", [](Facts& f) { add_idle(f, 90, 90, 0); }, {"idle_cpu"}},
      {"busy now and then while idle", [](Facts& f) { add_idle(f, 30, 35, 0); }, {"idle_cpu"}},
      {"a little busy while idle", [](Facts& f) { add_idle(f, 12, 50, 0); }, {}},
      {"busy for a moment", [](Facts& f) { add_idle(f, 90, 90, 0, 500ms); }, {}},
      {"busy while idle, on a busy machine",
       [](Facts& f) { add_idle(f, 12, 95, 0); },
       {"idle_cpu"}},
      {"one short task while idle, on a busy machine", [](Facts& f) { add_idle(f, 6, 62, 0); }, {}},
      {"growing while idle", [](Facts& f) { add_idle(f, 0, 3, 64); }, {"bounded_memory"}},
      {"still while idle", [](Facts& f) { add_idle(f, 3, 90, 2); }, {}},
      {"stale pipes",
       [](Facts& f) { add_looks(f, [](auto& look, int i) { look.stale = i < 30 ? 0 : 12; }); },
       {"descriptors_back"}},
      {"stale pipes that are closed soon",
       [](Facts& f) { add_looks(f, [](auto& look, int i) { look.stale = i < 39 ? 0 : 12; }); },
       {}},
      {"many of one file",
       [](Facts& f) { add_looks(f, [](auto& look, int) { look.same = 200; }); },
       {"descriptors_back"}},
      {"ever more",
       [](Facts& f) {
         add_looks(f, [](auto& look, int i) { look.unexplained = 10U + 2U * unsigned(i); });
       },
       {"descriptors_back"}},
      {"many at once, and then no more",
       [](Facts& f) {
         add_looks(f, [](auto& look, int i) { look.unexplained = i < 5 ? 10 : 90; });
       },
       {}},
      {"more, and less again",
       [](Facts& f) {
         add_looks(
             f, [](auto& look, int i) { look.unexplained = i > 30 ? 10 : 10U + 4U * unsigned(i); });
       },
       {}},
  };
  return all;
}

const std::vector<History>& workers() {
  static const std::vector<History> all{
      {"failing starts",
       [](Facts& f) {
         add_starts(f, 60, ExitStatus{1, 0});
       },
       {"start_storm"}},
      {"some failing starts",
       [](Facts& f) {
         add_starts(f, 25, ExitStatus{1, 0});
       },
       {}},
      {"short lives that ended well", [](Facts& f) { add_starts(f, 80, ExitStatus{}); }, {}},
      {"very many short lives",
       [](Facts& f) { add_starts(f, 200, std::nullopt); },
       {"start_storm"}},
      {"workers that never answer", [](Facts& f) { add_failing(f, 60, 20ms); }, {"start_storm"}},
      {"workers that end after they have answered",
       [](Facts& f) {
         add_failing(f, 60, 20ms);
         for (Incarnation& one : f.incarnations) {
           if (one.asked.empty()) one.asked = {asked(0, one.started, one.started + 1ms)};
         }
       },
       {}},
      {"workers that are told to leave before they have answered",
       [](Facts& f) {
         add_failing(f, 60, 20ms);
         for (Incarnation& one : f.incarnations) one.goodbye = one.started;
       },
       {}},
      {"workers of one command that never answer, of which some were seen",
       [](Facts& f) { add_seen_failing(f, [](int) { return "worker"; }); },
       {"start_storm"}},
      {"many commands, each started once",
       [](Facts& f) { add_seen_failing(f, [](int i) { return "worker " + std::to_string(i); }); },
       {}},
      {"the same, and those that were seen were ending, and had but a name",
       [](Facts& f) {
         add_seen_failing(f, [](int) { return "(worker)"; });
         // Two workers a journal: by their journals, there are many small groups.
         for (std::size_t i = 0; i < f.incarnations.size(); ++i) f.incarnations[i].journal = i / 2;
         f.starts_most = 15;
       },
       {}},
      {"the same, each with a journal of its own, and none of them seen",
       [](Facts& f) {
         add_failing(f, 60, 20ms);
         for (std::size_t i = 0; i < f.incarnations.size(); ++i) f.incarnations[i].journal = i;
       },
       {}},
      {"workers that never answer, with pauses", [](Facts& f) { add_failing(f, 60, 500ms); }, {}},
      {"a call carried out twice",
       [](Facts& f) {
         f.incarnations.push_back(incarnation(201, 2s));
         f.incarnations.back().asked.push_back(asked(1, 3s, 3s, "a:1"));
         f.incarnations.back().exiting = 0;
       },
       {"at_most_once"}},
      {"the same nonce of another command",
       [](Facts& f) {
         twice(f, 5s);
         f.incarnations.back().asked.back().command = "sleep";
       },
       {}},
      {"the same nonce of another request",
       [](Facts& f) {
         twice(f, 5s);
         f.incarnations.back().asked.back().digest = "d";
       },
       {}},
      {"a call read by two workers with journals of their own",
       [](Facts& f) { twice(f, 5s).journal = 1; },
       {"at_most_once"}},
      {"the same, and the second one began after the first one's end",
       [](Facts& f) { twice(f, 9500ms).journal = 1; },
       {},
       {"at_most_once"}},
      {"the same of workers with one journal",
       [](Facts& f) { twice(f, 9500ms); },
       {"at_most_once"}},
      {"a call like one that was never answered",
       [](Facts& f) { repeat(f, false, "tools/call"); },
       {},
       {"at_most_once"}},
      {"the same, of a program that makes no call twice",
       [](Facts& f) {
         repeat(f, false, "tools/call");
         f.distinct = true;
       },
       {"at_most_once"}},
      {"a call like one that was answered", [](Facts& f) { repeat(f, true, "tools/call"); }, {}},
      {"the same, of a program that makes no call twice, once more",
       [](Facts& f) {
         repeat(f, true, "tools/call");
         f.distinct = true;
       },
       {"at_most_once"}},
      {"two greetings that are alike",
       [](Facts& f) {
         repeat(f, false, "initialize");
         f.distinct = true;
       },
       {}},
      {"asked again while it owes",
       [](Facts& f) {
         f.exclusive = true;
         f.incarnations.front().asked = {asked(0, 1s, std::nullopt), asked(1, 2s, 2s)};
       },
       {"no_dirty_reuse"}},
      {"asked again with a spoilt stream",
       [](Facts& f) {
         f.exclusive = true;
         f.incarnations.front().asked = {asked(0, 1s, 1s), asked(1, 2s, 2s)};
         f.incarnations.front().receipts = {{"reply_truncated", "f0", 0, 1s}};
       },
       {"no_dirty_reuse"}},
      {"asked again when a late reply was there",
       [](Facts& f) { late(f, "reply_late", 1900ms); },
       {}},
      {"read as soon as a late reply was there",
       [](Facts& f) { late(f, "reply_late", 1999ms); },
       {}},
      {"the same, but it had come before that",
       [](Facts& f) {
         late(f, "reply_late", 1999ms);
         f.incarnations.front().asked.back().early = true;
       },
       {"no_dirty_reuse"}},
      {"told to leave while a reply is late",
       [](Facts& f) {
         late(f, "reply_late", 3s);
         f.incarnations.front().asked.back().command = "shutdown";
       },
       {}},
      {"asked again when a reply in pieces was there",
       [](Facts& f) { late(f, "reply_trickled", 1900ms); },
       {}},
      {"asked again while a reply is late",
       [](Facts& f) { late(f, "reply_late", 3s); },
       {"no_dirty_reuse"}},
      {"asked again while a reply is held back",
       [](Facts& f) { late(f, "reply_unflushed", std::nullopt); },
       {"no_dirty_reuse"}},
      {"asked again while it owes what it answers in the end",
       [](Facts& f) {
         f.exclusive = true;
         f.incarnations.front().asked = {asked(0, 1s, 3s), asked(1, 2s, 2100ms)};
       },
       {"no_dirty_reuse"}},
      {"asked again when it has answered",
       [](Facts& f) {
         f.exclusive = true;
         f.incarnations.front().asked = {asked(0, 1s, 2s), asked(1, 2s, 2100ms)};
       },
       {}},
      {"the same in a pool of many at a time",
       [](Facts& f) {
         f.incarnations.front().asked = {asked(0, 1s, std::nullopt), asked(1, 2s, 2s)};
       },
       {}},
      {"killed while idle", [](Facts& f) { kill(f, 5s, kKilled); }, {"leaving_order"}},
      {"killed while idle, by whom the system does not say",
       [](Facts& f) { kill(f, 5s, std::nullopt); },
       {"leaving_order"}},
      {"crashed by itself",
       [](Facts& f) {
         kill(f, 5s, ExitStatus{0, 11});
       },
       {}},
      {"gone at once after TERM, by what the system does not say",
       [](Facts& f) { kill(f, 5s, std::nullopt).term = 4990ms; },
       {}},
      {"one whose end no look has seen",
       [](Facts& f) {
         kill(f, 5s, kKilled);
         f.seen.pop_back();
       },
       {}},
      {"one that no look has seen, and a later process of its pid was killed",
       [](Facts& f) {
         kill(f, 5s, kKilled);
         f.seen.back().address.started = 4s;
       },
       {}},
      {"killed at once after TERM",
       [](Facts& f) { kill(f, 5s, kKilled).term = 4990ms; },
       {"leaving_order"}},
      {"killed after TERM and a while", [](Facts& f) { kill(f, 5s, kKilled).term = 4s; }, {}},
      {"killed at once after it was told to leave",
       [](Facts& f) { kill(f, 5s, kKilled).goodbye = 4990ms; },
       {"leaving_order"}},
      {"killed after it was told to leave, and a while",
       [](Facts& f) { kill(f, 5s, kKilled).goodbye = 4s; },
       {}},
      {"killed after a fault of its own",
       [](Facts& f) {
         kill(f, 5s, kKilled).receipts = {{"reply_dropped", "f0", 1, 4s}};
       },
       {}},
      {"killed behind wrap, which ends as its worker did",
       [](Facts& f) { kill(f, 5s, kKilled).real_was_killed = true; },
       {}},
      {"killed with the program", [](Facts& f) { kill(f, 10s, kKilled); }, {}},
      {"killed as it had begun a call",
       [](Facts& f) { kill(f, 5s, kKilled).asked.push_back(asked(2, 4990ms, std::nullopt)); },
       {"healthy_worker_killed"}},
      {"killed in a long call",
       [](Facts& f) { kill(f, 5s, kKilled).asked.push_back(asked(2, 3s, std::nullopt)); },
       {},
       {"healthy_worker_killed"}},
      {"killed in a long call, and has answered a later one",
       [](Facts& f) {
         Incarnation& worker = kill(f, 5s, kKilled);
         worker.asked.push_back(asked(2, 3s, std::nullopt));
         worker.asked.push_back(asked(3, 3100ms, 3101ms));
       },
       {},
       {"healthy_worker_killed"}},
      {"killed in a long call, as a later one had begun",
       [](Facts& f) {
         Incarnation& worker = kill(f, 5s, kKilled);
         worker.asked.push_back(asked(2, 3s, std::nullopt));
         worker.asked.push_back(asked(3, 4990ms, std::nullopt));
       },
       {},
       {"healthy_worker_killed"}},
  };
  return all;
}

std::set<std::string> names(const std::vector<Finding>& findings) {
  std::set<std::string> all;
  for (const Finding& one : findings) all.insert(one.invariant);
  return all;
}

void check(const std::vector<History>& histories) {
  for (const History& history : histories) {
    INFO(history.what);
    Facts facts = sound();
    history.change(facts);
    const Judgement judgement = judge(facts);
    CHECK(names(judgement.findings) == history.findings);
    CHECK(names(judgement.remarks) == history.remarks);
  }
}

TEST_CASE("guard: judge: ends and leaks: each bad history breaks its invariant and no other") {
  check(ends_and_leaks());
}

TEST_CASE("guard: judge: workers: each bad history breaks its invariant and no other") {
  check(workers());
}

TEST_CASE("guard: judge: every invariant of the table has a bad history") {
  std::set<std::string> broken;
  for (const auto* histories : {&ends_and_leaks(), &workers()}) {
    for (const History& history : *histories) broken.merge(std::set(history.findings));
  }
  std::set<std::string> known;
  for (const Invariant& one : invariants()) known.emplace(one.name);
  CHECK(broken == known);
}

}  // namespace
}  // namespace poolproof::guard
