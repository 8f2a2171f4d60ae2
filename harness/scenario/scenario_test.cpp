#include "harness/scenario/scenario.hpp"

#include <set>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "harness/base/json_node.hpp"
#include "harness/scenario/pool_options.hpp"
#include "harness/scenario/shipped_testing.hpp"

using namespace poolproof;
using namespace poolproof::scenario;
using namespace poolproof::scenario::testing;

namespace {

/// Every key there is, with a value that is not its default.
constexpr std::string_view kEverything = R"json({
  "$schema": "scenario.schema.json",
  "schema_version": 1,
  "name": "everything",
  "why": "a file with every key there is",
  "tags": ["time", "two-words"],
  "worlds": ["host", "sim"],
  "seed": "0xffffffffffffffff",
  "pool": {
    "size": 3, "start": "eager", "init_mode": "blocking", "reuse": "fifo", "waiters_max": 7,
    "starts_max": 2, "leaving_max": 5, "startup_budget_ms": 1234, "postmortem_budget_ms": 0, "silence_max_ms": 10,
    "backoff_initial_ms": 11, "backoff_max_ms": 22, "backoff_jitter_percent": 33,
    "breaker_failures": 0, "breaker_open_ms": 44, "shutdown_grace_ms": 55, "stdin_grace_ms": 66,
    "term_grace_ms": 77, "prefix_bytes": 2, "max_frame_bytes": 288, "checkout_timeout_ms": 0,
    "call_timeout_ms": 99, "close_timeout_ms": 86400000, "on_exception": "discard"
  },
  "workers": [{"kind": "python", "env": {"A": "1"}}, {"kind": "fake"}],
  "clients": [
    {"name": "a", "after": "b.2", "repeat": 3, "steps": [
      {"checkout": {"timeout_ms": 0}},
      {"call": {"command": "echo", "args": {"z": 1, "a": [null, 2.5]},
                "timeout_ms": 5, "pad_bytes": 6, "reply": {"y": [1]}}},
      {"checkin": {}}, {"throw": {}},
      {"await": {"client": "b.1", "step": 0, "moment": "begun"}},
      {"await": {"worker": {"slot": 2, "generation": 4}, "moment": "exited"}},
      {"await": {"fault": "banner"}},
      {"pause": {"span_ms": 1}}, {"cancel": {"client": "b.1"}},
      {"signal_worker": {"slot": 1, "generation": 0, "signal": "STOP"}},
      {"signal_worker": {"slot": 1, "generation": 0, "signal": 25}},
      {"close": {"timeout_ms": 9}}]},
    {"name": "b", "count": 2, "steps": [{"checkout": {}}]}
  ],
  "faults": [{"fault": "banner", "at": {"slot": 0}, "text": "hi\n"},
             {"fault": "reply_late", "at": {"client": "a", "call": 3}, "delay_ms": 9}],
  "expect": {
    "a": [{"any_of": ["granted", {"error": "checkout_timeout", "phase": "queued",
                                  "cause": "behind_another_start", "says": "x"}]},
          "ok", "returned", "thrown", "closed"],
    "workers": [{"slot": 0, "generation": 0, "fate": "died", "exit": 3},
                {"slot": 1, "generation": 0, "fate": ["killed", "closed"], "by": ["TERM", "KILL"],
                 "exit": {"signal": "TERM"}},
                {"slot": 2, "generation": 0, "fate": "closed", "by": "end_of_input",
                 "exit": {"signal": 25}}]
  },
  "schedule": [0, 2, 65535]
})json";

Scenario sound(std::string_view text, const std::string& where = "x.json") {
  auto scenario = read_scenario(text, where);
  INFO((scenario ? std::string() : scenario.error().line()));
  REQUIRE(scenario.has_value());
  return *std::move(scenario);
}

}  // namespace

TEST_CASE("scenario: read: what a file leaves out has its default") {
  const Scenario scenario = sound(R"({"schema_version": 1, "name": "x",
      "why": "a sentence that is long enough",
      "clients": [{"name": "a", "steps": [{"checkout": {}}, {"call": {"command": "echo"}}]}]})");
  CHECK(scenario.runs_in(WorldKind::sim));
  CHECK(scenario.runs_in(WorldKind::host));
  CHECK(scenario.workers.size() == 1);
  CHECK(scenario.workers[0].kind == WorkerKind::fake);
  CHECK(scenario.pool.core.size == 1);
  CHECK(scenario.pool.checkout_timeout == 5s);
  CHECK_FALSE(scenario.pool.opaque);
  CHECK(scenario.clients[0].count == 1);
  CHECK(*std::get<Call>(scenario.clients[0].steps[1]).args == nlohmann::json::object());
  CHECK_FALSE(std::get<Checkout>(scenario.clients[0].steps[0]).timeout.has_value());
}

TEST_CASE("scenario: read: every key reaches its place") {
  const Scenario scenario = sound(kEverything);
  CHECK(scenario.seed == UINT64_MAX);
  CHECK(scenario.tagged("two-words"));
  CHECK_FALSE(scenario.tagged("two"));
  CHECK(scenario.pool.core.init_mode == pool::InitMode::blocking);
  CHECK(scenario.pool.core.startup_budget == 1234ms);
  CHECK(scenario.pool.core.term_grace == 77ms);
  CHECK(scenario.pool.framing == wire::Framing{2, 288});
  CHECK(scenario.pool.on_exception == pool::OnException::discard);
  CHECK(scenario.workers[0].env.at("A") == "1");
  const auto& steps = scenario.clients[0].steps;
  CHECK(std::get<Checkout>(steps[0]).timeout == Duration(0));
  CHECK(std::get<Call>(steps[1]).pad_bytes == 6);
  CHECK(**std::get<Call>(steps[1]).reply == nlohmann::json{{"y", {1}}});
  CHECK_FALSE(std::get<AwaitClient>(steps[4]).ended);
  CHECK(std::get<AwaitWorker>(steps[5]).worker == WorkerId{2, 4});
  CHECK(std::get<SignalWorker>(steps[9]).signal == 19);
  CHECK(std::get<SignalWorker>(steps[10]).signal == 25);
  CHECK(scenario.faults[1].id == "f1");
  CHECK(scenario.faults[1].number("delay_ms") == 9);
  const auto& expected = scenario.expect.clients.at("a");
  CHECK(expected[0].size() == 2);
  CHECK(expected[0][1].cause == StartCause::behind_another_start);
  CHECK(scenario.expect.workers[1].any_of == std::vector<Fate>{Fate::killed, Fate::closed});
  CHECK(scenario.expect.workers[0].exit == ExitStatus{3, 0});
  CHECK(scenario.expect.workers[1].by == std::vector<Farewell>{Farewell::term, Farewell::kill});
  CHECK(scenario.expect.workers[1].exit == ExitStatus{0, 15});
  CHECK(scenario.expect.workers[2].by == std::vector<Farewell>{Farewell::end_of_input});
  CHECK(scenario.expect.workers[2].exit == ExitStatus{0, 25});
  CHECK(scenario.schedule == std::vector<std::uint32_t>{0, 2, 65535});
}

TEST_CASE("scenario: write: what was written reads back as the same") {
  const std::string once = write_scenario(sound(kEverything));
  CHECK(write_scenario(sound(once)) == once);
  for (const char* piece :
       {"86400000", "0xffffffffffffffff", "\"discard\"", "b.2", "STOP", "any_of", "\"says\"",
        "\"delay_ms\": 9", "\"reply\"", "end_of_input", "\"exit\": 3", "\"signal\": \"TERM\""}) {
    CHECK(once.find(piece) != std::string::npos);
  }
}

TEST_CASE("scenario: schedule: absent, empty and long ones stay what they are") {
  Scenario scenario = sound(kSound);
  CHECK_FALSE(scenario.schedule.has_value());
  CHECK(write_scenario(scenario).find("schedule") == std::string::npos);

  scenario.schedule.emplace();
  scenario.why = "\n  \"schedule\": 0 in a sentence is no schedule";
  CHECK(write_scenario(scenario).find("\n  \"schedule\": []\n}") != std::string::npos);
  CHECK(sound(write_scenario(scenario)).schedule == scenario.schedule);

  scenario.schedule = std::vector<std::uint32_t>{0, 2, 1};
  CHECK(write_scenario(scenario).ends_with("\n  \"schedule\": [0, 2, 1]\n}\n"));

  scenario.schedule->clear();
  for (std::uint32_t i = 0; i < kScheduleMax; ++i) scenario.schedule->push_back(i % 65'536);
  const std::string text = write_scenario(scenario);
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) CHECK(line.size() <= 100);
  CHECK(std::count(text.begin(), text.end(), '\n') < 10'000);
  CHECK(sound(text).schedule == scenario.schedule);

  scenario.schedule->push_back(0);
  const auto refused = read_scenario(write_scenario(scenario), "x.json");
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().line() == "x.json#/schedule: has 100001 entries; at most 100000");
}

TEST_CASE("scenario: files: each one loads, is named as its file and survives being written") {
  const auto files = shipped_files();
  CHECK(files.size() >= 32);
  for (const auto& path : files) {
    const std::string text = text_of(path);
    const auto scenario = read_scenario(text, path.string());
    CAPTURE(path.string());
    INFO((scenario ? std::string() : scenario.error().line()));
    REQUIRE(scenario.has_value());
    CHECK(scenario->name == path.stem().string());
    const std::string once = write_scenario(*scenario);
    CHECK(write_scenario(sound(once)) == once);
  }
}

TEST_CASE("scenario: files: every fault of the catalogue has a scenario") {
  std::set<std::string_view> planned;
  for (const auto& path : shipped_files()) {
    for (const auto& fault : sound(text_of(path)).faults) planned.insert(fault.fault->name);
  }
  for (const faults::Fault& fault : faults::catalogue()) {
    INFO("no file in scenarios/" << name(fault.family) << "/ plans the fault " << fault.name);
    CHECK(planned.contains(fault.name));
  }
}

TEST_CASE("scenario: read: what fits no document at all is an error, not a crash") {
  for (const std::string& text :
       {std::string(), std::string("[]"), std::string("nul"), std::string("\xff\xfe{}"),
        std::string(100'000, '['), std::string("{\"name\": \"\xff\"}")}) {
    CHECK_FALSE(read_scenario(text, "x.json").has_value());
  }
}

TEST_CASE("scenario: read: waits in a circle over several clients are refused, orderly ones not") {
  const auto two = [](int a_waits_for, int b_waits_for) {
    const auto client = [](char name, char other, int step) {
      return std::string(R"({"name": ")") + name +
             R"(", "steps": [{"checkout": {}}, {"call": {"command": "echo"}}, {"await": {"client": ")" +
             other + R"(", "step": )" + std::to_string(step) + R"(, "moment": "ended"}}]})";
    };
    return R"({"schema_version": 1, "name": "x", "why": "a sentence that is long enough", "clients": [)" +
           client('a', 'b', a_waits_for) + ", " + client('b', 'a', b_waits_for) + "]}";
  };
  CHECK(read_scenario(two(1, 1), "x.json").has_value());
  CHECK(read_scenario(two(2, 1), "x.json").has_value());
  const auto circle = read_scenario(two(2, 2), "x.json");
  REQUIRE_FALSE(circle.has_value());
  CHECK(circle.error().line() ==
        "x.json#/clients/0/steps/2: waits in a circle: a step 2 -> b step 2 -> a step 2; waits "
        "that can end");
}

TEST_CASE("scenario: read: a client that calls in each repetition makes so many calls") {
  const std::string three = R"("repeat": 3, "steps")";
  CHECK(read_scenario(changed("\"steps\"", three), "x.json").has_value());
  std::string text = changed("\"steps\"", three);
  const std::string aim = "\"call\": 1}";
  text.replace(text.find(aim), aim.size(), "\"call\": 3}");
  CHECK(read_scenario(text, "x.json").has_value());
  text.replace(text.find("\"call\": 3}"), aim.size(), "\"call\": 4}");
  REQUIRE_FALSE(read_scenario(text, "x.json").has_value());
}

TEST_CASE("scenario: read: without a call only a scenario that says so is sound") {
  const auto silent = [&](const std::string& expect) {
    return R"({"schema_version": 1, "name": "x", "why": "a sentence that is long enough",
              "clients": [{"name": "a", "steps": [{"checkout": {}}]}])" +
           expect + "}";
  };
  const auto refused = read_scenario(silent(""), "x.json");
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().line() ==
        "x.json#/clients: nobody calls, and some call must succeed; a call, or \"no_success\": "
        "true in \"expect\"");
  CHECK(read_scenario(silent(R"(, "expect": {"no_success": true})"), "x.json").has_value());
  const auto either = sound(silent(R"(, "expect": {"any_success": true})"));
  CHECK(either.expect.any_success);
  CHECK(sound(write_scenario(either)).expect.any_success);
}

TEST_CASE("scenario: read: a command takes no faults and stays out of the simulator") {
  const auto with = [](const std::string& worlds) {
    return R"({"schema_version": 1, "name": "x", "why": "a sentence that is long enough", )" +
           worlds +
           R"("workers": [{"kind": "command", "argv": ["/bin/cat"]}], "pool": {"payload": "opaque"},
              "clients": [{"name": "a",
                           "steps": [{"checkout": {}}, {"call_bytes": {"text": "x"}}]}]})";
  };
  CHECK(read_scenario(with(R"("worlds": ["host"], )"), "x.json").has_value());
  const auto refused = read_scenario(with(""), "x.json");
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().line() ==
        "x.json#/worlds: has \"sim\", where no command can run; [\"host\"]");
}

TEST_CASE("scenario: read: the speech opaque is another word for the payload") {
  const auto with = [](const std::string& pool) {
    return sound(R"({"schema_version": 1, "name": "x", "why": "a sentence that is long enough",
                     "worlds": ["host"], "pool": )" +
                 pool + R"(, "workers": [{"kind": "command", "argv": ["/bin/cat"]}],
                     "clients": [{"name": "a", "steps": [{"checkout": {}},
                                                         {"call_bytes": {"text": "x"}}]}]})");
  };
  const Scenario one = with(R"({"payload": "opaque"})");
  CHECK(one.pool.opaque);
  const std::vector<std::string> others{R"({"speech": "opaque"})",
                                        R"({"speech": "opaque", "payload": "opaque"})"};
  for (const std::string& other : others) {
    CHECK(write_scenario(with(other)) == write_scenario(one));
  }
}

TEST_CASE("scenario: read: a wrapped worker takes the faults that wrap can strike with") {
  const auto read = [](const std::string& pool, const std::string& fault,
                       const std::string& worlds = R"(["host"])",
                       const std::string& more_workers = "") {
    const bool opaque = pool.find("opaque") != std::string::npos;
    return read_scenario(
        R"({"schema_version": 1, "name": "x", "why": "a sentence that is long enough", "worlds": )" +
            worlds + R"(, "pool": )" + pool +
            R"(, "workers": [{"kind": "wrapped", "argv": ["/bin/cat"]})" + more_workers +
            R"(], "faults": [)" + fault +
            R"(], "clients": [{"name": "a", "steps": [{"checkout": {}}, )" +
            (opaque ? R"({"call_bytes": {"text": "x"}})" : R"({"call": {"command": "echo"}})") +
            R"(]}]})",
        "x.json");
  };
  const std::string mcp = R"({"size": 2, "wire": "lines", "speech": "mcp"})";
  const auto by_method =
      read(mcp, R"({"fault": "reply_dropped", "at": {"method": "tools/call", "nth": 2}})");
  REQUIRE(by_method.has_value());
  CHECK(by_method->faults[0].at.method == "tools/call");
  CHECK(by_method->faults[0].at.nth == 2);
  CHECK(read_scenario(write_scenario(*by_method), "x.json").has_value());
  CHECK(read(mcp, R"({"fault": "start_fails", "at": {"slot": 0}})").has_value());

  const auto line = [&](const auto& refused) {
    REQUIRE_FALSE(refused.has_value());
    return refused.error().line();
  };
  CHECK(line(read(mcp, "", R"(["sim", "host"])")) ==
        "x.json#/worlds: has \"sim\", where no wrapped worker can run; [\"host\"]");
  CHECK(line(read(mcp, R"({"fault": "success_missing", "at": {}})")) ==
        "x.json#/faults/0/at: behind wrap success_missing can't strike; it needs replies that have "
        "\"success\": the speech bridge");
  CHECK(line(read(R"({"payload": "opaque"})", R"({"fault": "id_wrong", "at": {}})")) ==
        "x.json#/faults/0/at: behind wrap id_wrong can't strike; it needs replies with members and "
        "an id; take the speech json_rpc or bridge");
  CHECK(line(read(R"({"payload": "opaque"})",
                  R"({"fault": "reply_dropped", "at": {"method": "m"}})")) ==
        "x.json#/faults/0/at/method: is there, the pool's payload is opaque; \"contains\" or "
        "\"request\"");
  CHECK(line(read(mcp, R"({"fault": "reply_dropped", "at": {"contains": "x"}})", R"(["host"])",
                  R"(, {"kind": "fake"})")) ==
        "x.json#/faults/0/at: says what the request says, which a worker of kind fake or python "
        "can't tell; a \"slot\" that is wrapped, or a client's call");
  CHECK(line(read(R"({"max_rss_bytes": 1000000})", "")) ==
        "x.json#/pool/max_rss_bytes: is there, and what would be measured of a wrapped worker is "
        "wrap; workers of another kind");
}

TEST_CASE("scenario: control: has no faults, nothing that needs one, and the same step numbers") {
  const Scenario scenario = sound(kEverything);
  const Scenario control = control_of(scenario);
  CHECK(control.faults.empty());
  CHECK(control.expect.clients.empty());
  CHECK(control.expect.workers.empty());
  CHECK_FALSE(control.schedule.has_value());
  REQUIRE(control.clients[0].steps.size() == scenario.clients[0].steps.size());
  for (const Step& step : control.clients[0].steps) {
    CHECK_FALSE(std::holds_alternative<AwaitFault>(step));
    CHECK_FALSE(std::holds_alternative<AwaitWorker>(step));
    CHECK_FALSE(std::holds_alternative<SignalWorker>(step));
  }
  CHECK(std::holds_alternative<AwaitClient>(control.clients[0].steps[4]));
  CHECK(std::get<Pause>(control.clients[0].steps[5]).span == Duration(0));
}

TEST_CASE("scenario: pool: the options' bounds are those that the pool checks") {
  for (const PoolOption& option : pool_options()) {
    if (option.unit == pool::Unit::choice) continue;
    CAPTURE(option.name);
    const auto sound_at = [&](std::int64_t value) {
      PoolSpec pool;
      if (option.name == "backoff_initial_ms") pool.core.backoff_max = 24h;
      if (option.name == "backoff_max_ms") pool.core.backoff_initial = 1ms;
      if (option.name == "min_idle") pool.core.size = 100'000;
      option.set(pool, value);
      return option.get(pool) == value && pool::checked(pool.core).has_value();
    };
    CHECK(sound_at(option.min));
    CHECK(sound_at(option.max));
    const bool of_core = option.name != "prefix_bytes" && option.name != "max_frame_bytes" &&
                         !option.name.starts_with("c");
    if (of_core) CHECK_FALSE(sound_at(option.max + 1));
    if (of_core && option.min > 0) CHECK_FALSE(sound_at(option.min - 1));
  }
}

TEST_CASE("scenario: guide: its example is sound and does what it says") {
  const std::string guide = text_of(kScenarios / "README.md");
  const std::size_t begin = guide.find("```json\n");
  REQUIRE(begin != std::string::npos);
  const std::size_t from = begin + 8;
  const Scenario example = sound(guide.substr(from, guide.find("```", from) - from), "README.md");
  CHECK(example.faults.size() == 1);
  CHECK(example.expect.clients.size() == 2);
}
