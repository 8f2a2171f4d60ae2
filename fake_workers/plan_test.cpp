#include "fake_workers/plan.hpp"

#include <catch2/catch.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace poolproof::faults {
namespace {

Parsed<PlannedFault> read(const std::string& text) {
  return read_fault(nlohmann::json::parse(text), "x.json#/faults/0");
}

TEST_CASE("fake_workers: plan: a fault takes its defaults from the catalogue") {
  const auto fault = read(R"({"fault":"reply_truncated","at":{"request":1},"code":7})");
  REQUIRE(fault);
  CHECK(fault->fault == find("reply_truncated"));
  CHECK(fault->number("keep_bytes") == 3);
  CHECK(fault->number("code") == 7);
  CHECK(fault->at == Aim{"", 0, {}, {}, 1});
  CHECK(read(R"({"fault":"banner","at":{}})")->text("text") == "Loading model...\n");
}

TEST_CASE("fake_workers: plan: what a request says is an aim for who can read a real one") {
  const auto of_wrap = [](const std::string& at) {
    const std::string text = R"({"fault":"reply_late","at":)" + at + "}";
    return read_fault(nlohmann::json::parse(text), "x", AimedBy::words);
  };
  const auto fault = of_wrap(R"({"method":"tools/call","contains":"x","nth":2,"slot":1})");
  REQUIRE(fault);
  CHECK(fault->at == Aim{"", 0, 1, {}, {}, "tools/call", "x", 2});
  CHECK(read_fault(write_fault(*fault), "x", AimedBy::words)->at == fault->at);
  const auto line = [&](const std::string& at) { return of_wrap(at).error().line(); };
  CHECK_THAT(line(R"({"nth":1})"), Catch::StartsWith("x/at: \"nth\" of nothing"));
  CHECK_THAT(line(R"({"method":"a","nth":0})"), Catch::Contains("0 is out of bounds"));
  CHECK_THAT(line(R"({"method":""})"), Catch::StartsWith("x/at/method: an empty text"));
  CHECK_THAT(line(R"({"method":"a","request":1})"), Catch::Contains("one of them"));
  CHECK_THAT(line(R"({"method":"a","client":"b","call":1})"), Catch::Contains("both a client's"));
  CHECK_THAT(read(R"({"fault":"reply_late","at":{"method":"a"}})").error().line(),
             Catch::Contains("impossible coordinate \"method\" for reply_late") &&
                 Catch::EndsWith("known to poolproof wrap alone"));
}

TEST_CASE("fake_workers: plan: bad faults are named with the place and what would be right") {
  struct Bad {
    const char* fault;
    const char* line;
  };
  const Bad rows[] = {
      {R"([])", R"(x.json#/faults/0: [] is no object; {"fault", "at", ...})"},
      {R"({"at":{}})", R"(x.json#/faults/0: no "fault"; the name of a fault)"},
      {R"({"fault":1,"at":{}})", R"(x.json#/faults/0/fault: 1 is no text; the name of a fault)"},
      {R"({"fault":"reply_lat","at":{}})",
       R"(x.json#/faults/0/fault: unknown fault "reply_lat"; did you mean "reply_late"?)"},
      {R"({"fault":"reply_late"})",
       R"(x.json#/faults/0: no "at"; where it strikes; {} is everywhere)"},
      {R"({"fault":"reply_late","at":{},"delay":3})",
       R"(x.json#/faults/0: unknown key "delay"; did you mean "delay_ms"?)"},
      {R"({"fault":"reply_late","at":{},"code":3})",
       R"(x.json#/faults/0: unknown key "code"; one of id, fault, at, delay_ms)"},
      {R"({"fault":"reply_late","at":{},"delay_ms":"3"})",
       R"(x.json#/faults/0/delay_ms: "3" is no whole number; a whole number from 1 to 600000)"},
      {R"({"fault":"reply_late","at":{},"delay_ms":3.5})",
       R"(x.json#/faults/0/delay_ms: 3.5 is no whole number; a whole number from 1 to 600000)"},
      {R"({"fault":"reply_late","at":{},"delay_ms":0})",
       R"(x.json#/faults/0/delay_ms: 0 is out of bounds; a whole number from 1 to 600000)"},
      {R"({"fault":"reply_late","at":{},"delay_ms":18446744073709551615})",
       R"(x.json#/faults/0/delay_ms: 18446744073709551615 is out of bounds; a whole number from 1 to 600000)"},
      {R"({"fault":"banner","at":{},"text":5})", R"(x.json#/faults/0/text: 5 is no text; a text)"},
      {R"({"fault":"reply_truncated","at":{},"then":"hangs"})",
       R"(x.json#/faults/0/then: "hangs" is none of its words; did you mean "hang"?)"},
      {R"({"fault":"start_fails","at":{},"errno":"ENOENTS"})",
       R"(x.json#/faults/0/errno: "ENOENTS" is none of its words; did you mean "ENOENT"?)"},
      {R"({"fault":"start_fails","at":{"request":0}})",
       R"(x.json#/faults/0/at/request: impossible coordinate "request" for start_fails; it is aimed by slot, generation)"},
      {R"({"fault":"banner","at":{"request":0}})",
       R"(x.json#/faults/0/at/request: impossible coordinate "request" for banner; it is aimed by slot, generation)"},
      {R"({"fault":"exit_slow","at":{"client":"a","call":1}})",
       R"(x.json#/faults/0/at/call: impossible coordinate "call" for exit_slow; it is aimed by slot, generation)"},
      {R"({"fault":"reading_stopped","at":{"client":"a","call":1}})",
       R"(x.json#/faults/0/at/call: impossible coordinate "call" for reading_stopped; it is aimed by slot, generation, request)"},
      {R"({"fault":"reply_late","at":{"client":"a"}})",
       R"(x.json#/faults/0/at: "client" without "call"; which call, counted from 1)"},
      {R"({"fault":"reply_late","at":{"call":1}})",
       R"(x.json#/faults/0/at: "call" without "client"; whose call it is)"},
      {R"({"fault":"reply_late","at":{"client":"a","call":0}})",
       R"(x.json#/faults/0/at/call: 0 is out of bounds; a whole number from 1 to 4294967295)"},
      {R"({"fault":"reply_late","at":{"client":"","call":1}})",
       R"(x.json#/faults/0/at/client: an empty name; a client's name)"},
      {R"({"fault":"reply_late","at":{"client":"a","call":1,"slot":0}})",
       R"(x.json#/faults/0/at: both a client's call and a worker's coordinates; either {client, call} or {slot, generation, request})"},
      {R"({"fault":"reply_late","at":{"slott":0}})",
       R"(x.json#/faults/0/at: unknown key "slott"; did you mean "slot"?)"},
      {R"({"fault":"reply_late","at":{"slot":-1}})",
       R"(x.json#/faults/0/at/slot: -1 is out of bounds; a whole number from 0 to 4294967295)"},
      {R"({"fault":"reply_late","at":[]})",
       R"(x.json#/faults/0/at: [] is no object; {} strikes everywhere)"},
      {R"({"fault":"reply_late","at":{},"id":3})",
       R"(x.json#/faults/0/id: 3 is no text; a name for receipts)"},
  };
  for (const Bad& row : rows) {
    INFO(row.fault);
    const auto fault = read(row.fault);
    REQUIRE_FALSE(fault);
    CHECK(fault.error().line() == row.line);
  }
}

TEST_CASE("fake_workers: plan: bad plans are named with the file") {
  struct Bad {
    const char* plan;
    const char* begins;
  };
  const Bad rows[] = {
      {"{", "p.json: "},
      {"[]", "p.json: not an object"},
      {R"({"plan_version":2,"faults":[]})", "p.json#/plan_version: missing or unknown"},
      {R"({"faults":[]})", "p.json#/plan_version: missing or unknown"},
      {R"({"plan_version":1})", "p.json#/faults: missing or no list"},
      {R"({"plan_version":1,"fault":[]})",
       "p.json#: unknown key \"fault\"; did you mean \"faults\"?"},
      {R"({"plan_version":1,"faults":[{"fault":"banner","at":{}},{"fault":"x","at":{}}]})",
       "p.json#/faults/1/fault: unknown fault \"x\""},
      {R"({"plan_version":1,"faults":[{"id":"a","fault":"banner","at":{}},{"id":"a","fault":"banner","at":{}}]})",
       "p.json#/faults/1/id: a second \"a\""},
  };
  for (const Bad& row : rows) {
    INFO(row.plan);
    const auto plan = read_plan(row.plan, "p.json");
    REQUIRE_FALSE(plan);
    INFO(plan.error().line());
    CHECK(plan.error().line().starts_with(row.begins));
  }
}

TEST_CASE("fake_workers: plan: nesting without end is an error, not a crash") {
  CHECK_FALSE(read_plan(std::string(200'000, '['), "p.json"));
}

TEST_CASE("fake_workers: plan: every fault of the catalogue is written and read back") {
  Plan plan;
  for (const Fault& row : catalogue()) {
    const nlohmann::json object{{"fault", row.name}, {"at", {{"slot", 2}, {"generation", 3}}}};
    auto fault = read_fault(object, "x");
    REQUIRE(fault);
    fault->id = fmt::format("f{}", plan.size());
    plan.push_back(*fault);
  }
  const auto aimed = read(R"({"id":"c","fault":"id_wrong","at":{"client":"é","call":2}})");
  REQUIRE(aimed);
  plan.push_back(*aimed);
  const std::string text = write_plan(plan);
  const auto again = read_plan(text, "p.json");
  REQUIRE(again);
  CHECK(again->size() == plan.size());
  CHECK(again->back().at == aimed->at);
  CHECK(write_plan(*again) == text);
}

}  // namespace
}  // namespace poolproof::faults
