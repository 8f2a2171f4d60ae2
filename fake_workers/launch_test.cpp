#include "fake_workers/launch.hpp"

#include <cerrno>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace poolproof::faults {
namespace {

Plan plan_of(const char* faults) {
  const auto plan =
      read_plan(std::string(R"({"plan_version":1,"faults":)") + faults + "}", "p.json");
  REQUIRE(plan);
  return *plan;
}

TEST_CASE("fake_workers: launch: the first fault aimed at the incarnation keeps it from starting") {
  const Plan plan = plan_of(R"([{"fault":"exit_at_start","at":{}},
    {"fault":"start_fails","at":{"slot":1,"generation":2}},
    {"fault":"start_fails","at":{"generation":2},"errno":"EACCES"},
    {"fault":"start_fails","at":{"slot":3},"errno":"ENOEXEC"}])");
  CHECK(launch_fault(plan, {1, 2}) == &plan[1]);
  CHECK(launch_fault(plan, {0, 2}) == &plan[2]);
  CHECK(launch_fault(plan, {3, 7}) == &plan[3]);
  CHECK(launch_fault(plan, {1, 1}) == nullptr);
  CHECK(launch_fault({}, {0, 0}) == nullptr);
  CHECK(errno_of(plan[1]) == ENOENT);
  CHECK(errno_of(plan[2]) == EACCES);
  CHECK(errno_of(plan[3]) == ENOEXEC);
}

TEST_CASE("fake_workers: launch: the receipt is one like any other, of a process that never was") {
  const Plan plan = plan_of(R"([{"id":"x","fault":"start_fails","at":{}}])");
  CHECK(journal_line(launch_receipt(plan[0]), 1500, {2, 1}, 0) ==
        R"({"at_ms":1.500,"fault":"start_fails","generation":1,"id":"x","kind":"receipt","pid":0,)"
        R"("request":null,"slot":2})"
        "\n");
}

}  // namespace
}  // namespace poolproof::faults
