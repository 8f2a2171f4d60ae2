#include "harness/sim/agenda.hpp"

#include <catch2/catch.hpp>

using namespace poolproof;
using namespace poolproof::sim;
using namespace std::chrono_literals;

namespace {

std::vector<Task> all(Agenda& agenda) {
  auto natural = Schedule::replayed({});
  std::vector<Task> order;
  while (agenda.anybody_ready()) order.push_back(agenda.next(natural));
  return order;
}

}  // namespace

TEST_CASE("sim: agenda: in natural order who became ready first goes first") {
  Agenda agenda;
  for (const Task task : {5U, 3U, 9U}) agenda.set_ready(task, true);
  agenda.set_ready(5, true);
  CHECK(all(agenda) == std::vector<Task>{5, 3, 9});
  CHECK_FALSE(agenda.anybody_ready());
}

TEST_CASE("sim: agenda: who is not ready any more does not go") {
  Agenda agenda;
  for (const Task task : {1U, 2U, 3U}) agenda.set_ready(task, true);
  agenda.set_ready(2, false);
  agenda.drop(3);
  CHECK(all(agenda) == std::vector<Task>{1});
}

TEST_CASE("sim: agenda: who becomes ready again keeps the place it had") {
  Agenda agenda;
  for (const Task task : {1U, 2U}) agenda.set_ready(task, true);
  agenda.set_ready(1, false);
  agenda.set_ready(1, true);
  CHECK(all(agenda) == std::vector<Task>{1, 2});
}

TEST_CASE("sim: agenda: time makes ready, in the order of the times") {
  Agenda agenda;
  agenda.set_time(1, Time(3ms));
  agenda.set_time(2, Time(1ms));
  agenda.set_time(3, Time(9ms));
  agenda.set_time(4, Time(2ms));
  agenda.set_time(4, kNever);
  CHECK(agenda.earliest() == Time(1ms));
  agenda.arrive(Time(3ms));
  CHECK(all(agenda) == std::vector<Task>{2, 1});
  CHECK(agenda.earliest() == Time(9ms));
  agenda.clear();
  CHECK(agenda.earliest() == kNever);
}

TEST_CASE("sim: agenda: a schedule picks among those who are ready") {
  Agenda agenda;
  for (const Task task : {1U, 2U, 3U}) agenda.set_ready(task, true);
  auto schedule = Schedule::replayed({2, 1});
  CHECK(agenda.next(schedule) == 3);
  CHECK(agenda.next(schedule) == 2);
  CHECK(agenda.next(schedule) == 1);
}

TEST_CASE("sim: agenda: many who are ready all get their turn") {
  Agenda agenda;
  for (Task task = 0; task < 10'000; ++task) agenda.set_ready(task, true);
  auto schedule = Schedule::random(1);
  std::vector<bool> seen(10'000);
  while (agenda.anybody_ready()) {
    const Task task = agenda.next(schedule);
    REQUIRE_FALSE(seen[task]);
    seen[task] = true;
  }
  CHECK(std::count(seen.begin(), seen.end(), true) == 10'000);
}
