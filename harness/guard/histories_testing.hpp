#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "harness/guard/facts_testing.hpp"

/// Changes of a sound program's facts, each as it is seen in the field.
namespace poolproof::guard::testing {

using namespace testing;

/// So many workers, one every 20 ms, that lived for 10 ms.
inline void add_starts(Facts& facts, int count, std::optional<ExitStatus> exit) {
  for (int i = 0; i < count; ++i) {
    const Duration at = 1s + i * 20ms;
    Process one = process(1000 + i, kHost, at, at + 10ms);
    one.address.command = "worker";
    one.exit = exit;
    facts.seen.push_back(std::move(one));
  }
}

/// So many fake workers that ended before they had served.
inline void add_failing(Facts& facts, int count, Duration gap) {
  for (int i = 0; i < count; ++i) {
    Incarnation one;
    one.pid = 1000 + i;
    one.started = 1s + i * gap;
    one.exiting = 3;
    facts.incarnations.push_back(one);
  }
}

/// So many fake workers that ended before they had served; a look saw every third of them.
inline void add_seen_failing(Facts& facts, const std::function<std::string(int)>& command) {
  add_failing(facts, 60, 20ms);
  for (int i = 1; i < 60; i += 3) {
    Process one = process(1000 + i, kHost, 1s + i * 20ms, 1010ms + i * 20ms);
    one.address.command = command(i);
    facts.seen.push_back(std::move(one));
  }
}

inline void add_looks(Facts& facts, const std::function<void(DescriptorLook&, int)>& change) {
  Descriptors one{address(kHost, 0), {}};
  for (int i = 0; i < 40; ++i) {
    DescriptorLook look;
    look.at = i * 200ms;
    look.unexplained = 10;
    change(look, i);
    one.looks.push_back(look);
  }
  facts.descriptors.push_back(std::move(one));
}

/// The worker vanished without a word of its own, by that signal.
inline Incarnation& kill(Facts& facts, Duration gone, std::optional<ExitStatus> exit) {
  Incarnation& worker = facts.incarnations.front();
  worker.exiting.reset();
  worker.stdin_end.reset();
  facts.seen.back().gone = gone;
  facts.seen.back().exit = exit;
  return worker;
}

inline constexpr ExitStatus kKilled{0, 9};

/// Two workers were asked the same, but for the id.
inline void repeat(Facts& facts, bool answered, const std::string& command) {
  facts.incarnations.push_back(incarnation(201, 2s));
  facts.incarnations.back().exiting = 0;
  for (Incarnation& one : facts.incarnations) {
    one.asked.push_back(asked(2, one.started + 5s, std::nullopt));
    one.asked.back().command = command;
    one.asked.back().digest = "d";
    if (answered) one.asked.back().wrote = one.started + 6s;
  }
}

/// A worker that serves one request at a time was asked at 1 s and at 2 s; the first reply had that
/// fault, and was out at that time.
inline void late(Facts& facts, const std::string& fault, std::optional<Duration> wrote) {
  facts.exclusive = true;
  facts.incarnations.front().asked = {asked(0, 1s, wrote), asked(1, 2s, 2100ms)};
  facts.incarnations.front().receipts = {{fault, "f0", 0, 1s}};
}

/// A second worker, which starts at that time, reads the call of the first one.
inline Incarnation& twice(Facts& facts, Duration started) {
  Incarnation& second = facts.incarnations.emplace_back(incarnation(201, started));
  second.asked.push_back(asked(1, started + 10ms, started + 11ms, "a:1"));
  second.exiting = 0;
  return second;
}

/// A change of a sound program's facts, and the invariants that it breaks.
struct History {
  std::string what;
  std::function<void(Facts&)> change;
  std::set<std::string> findings;
  std::set<std::string> remarks = {};
};

inline void add_idle(Facts& facts, int used, int wanted, std::uint64_t mib, Duration span = 3s) {
  facts.idle.push_back({address(kHost, 0), 2s, 2s + span, used, wanted, 0, mib << 20U});
}

}  // namespace poolproof::guard::testing
