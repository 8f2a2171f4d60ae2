#include "harness/guard/incarnations.hpp"

#include <chrono>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

namespace poolproof::guard {
namespace {

using namespace std::chrono_literals;
using Kind = faults::JournalRecord::Kind;

/// Lines of a journal, as workers would write them.
struct Journal {
  std::vector<JournalLine> lines;

  faults::JournalRecord& add(Kind kind, std::int64_t at_ms, std::int64_t pid = 7) {
    faults::StampedJournalRecord line;
    line.at = Time(std::chrono::milliseconds(at_ms));
    line.pid = pid;
    line.record.kind = kind;
    line.record.request = 0;
    line.record.id = 0;
    lines.push_back({line, kind == Kind::read ? "d" : ""});
    return lines.back().said.record;
  }
  void add_call(Kind kind, std::int64_t at_ms, std::uint64_t request,
                const std::string& command = "echo") {
    auto& record = add(kind, at_ms);
    record.request = request;
    record.command = command;
  }
  [[nodiscard]] std::vector<Incarnation> all() const { return incarnations_of(lines, Time(1s)); }
};

TEST_CASE("guard: incarnations: a pid that comes again is another worker") {
  Journal journal;
  journal.add(Kind::started, 1000, 7);
  journal.add(Kind::read, 1001, 7);
  journal.add(Kind::started, 1002, 8);
  journal.add(Kind::wrote, 1003, 7);
  journal.add(Kind::started, 2000, 7);
  journal.add(Kind::read, 2001, 7);
  journal.add(Kind::read, 3000, 9);  // its first line was lost
  const auto all = journal.all();
  REQUIRE(all.size() == 4);
  CHECK(all[0].has_served());
  CHECK(all[0].asked.front().digest == "d");
  CHECK(all[0].in_flight() == nullptr);
  CHECK(all[0].last == 3ms);
  CHECK(all[1].pid == 8);
  REQUIRE(all[2].in_flight() != nullptr);
  CHECK(all[2].started == 1s);
  CHECK(all[3].pid == 9);
}

TEST_CASE("guard: incarnations: an answer is owed to every id, be it a number or a text") {
  Journal journal;
  journal.add(Kind::started, 1000);
  journal.add_call(Kind::read, 1001, 0);
  journal.lines.back().said.record.id.reset();
  CHECK(journal.all()[0].in_flight() == nullptr);
  journal.lines.back().said.record.other_id = "\"req-1\"";
  REQUIRE(journal.all()[0].in_flight() != nullptr);
  CHECK(journal.all()[0].in_flight()->is_owed);
}

TEST_CASE("guard: incarnations: of several calls in flight the oldest one counts") {
  Journal journal;
  journal.add(Kind::started, 1000);
  journal.add_call(Kind::read, 1010, 0, "initialize");
  journal.add_call(Kind::wrote, 1020, 0);
  journal.add_call(Kind::read, 1100, 1, "slow");
  journal.add_call(Kind::read, 1200, 2);
  journal.add_call(Kind::read, 1300, 3);
  journal.add_call(Kind::wrote, 1400, 3);
  journal.add_call(Kind::wrote, 1500, 2);
  const auto one = journal.all().front();
  REQUIRE(one.in_flight() != nullptr);
  CHECK(one.in_flight()->command == "slow");
  CHECK(one.in_flight()->read == 100ms);
  journal.add_call(Kind::wrote, 1600, 1);
  CHECK(journal.all().front().in_flight() == nullptr);
}

TEST_CASE("guard: incarnations: a worker is asked to leave by the first of four ways") {
  Journal journal;
  journal.add(Kind::started, 1000);
  CHECK_FALSE(journal.all().front().asked_to_leave());
  journal.add_call(Kind::read, 1100, 0, "shutdown");
  CHECK(journal.all().front().asked_to_leave() == 100ms);
  CHECK(journal.all().front().in_flight() == nullptr);  // nobody waits for what it answers
  for (const Kind kind : {Kind::goodbye, Kind::stdin_end, Kind::term}) {
    Journal other;
    other.add(Kind::started, 1000);
    other.add(kind, 1200);
    CHECK(other.all().front().asked_to_leave() == 200ms);
    journal.add(kind, 1300);
    CHECK(journal.all().front().asked_to_leave() == 100ms);
  }
}

TEST_CASE("guard: incarnations: wrap says that the worker behind it was ended by a signal") {
  Journal journal;
  journal.add(Kind::started, 1000);
  journal.add(Kind::misframed, 1100);
  CHECK_FALSE(journal.all().front().real_was_killed);
  journal.lines.back().signal = 9;
  CHECK(journal.all().front().real_was_killed);
}

TEST_CASE("guard: incarnations: what a worker says that it has left is its child") {
  Journal journal;
  journal.add(Kind::started, 1000);
  journal.add(Kind::grandchild, 1100).child_pid = 4711;
  CHECK(journal.all().front().children == std::vector<std::int64_t>{4711});
}

}  // namespace
}  // namespace poolproof::guard
