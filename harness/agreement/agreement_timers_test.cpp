#include <filesystem>
#include <set>
#include <string>

#include <catch2/catch.hpp>
#include <fmt/format.h>

#include "harness/agreement/agreement.hpp"
#include "harness/base/read_file.hpp"
#include "harness/scenario/parsed_testing.hpp"
#include "harness/trace/history_testing.hpp"

using namespace poolproof;
using namespace poolproof::agreement;
using namespace std::chrono_literals;

namespace {

std::string call(int timeout_ms, const std::string& command = R"("command":"echo")") {
  return fmt::format(R"({{"call":{{{},"timeout_ms":{}}}}})", command, timeout_ms);
}

std::string checkout(int timeout_ms) {
  return fmt::format(R"({{"checkout":{{"timeout_ms":{}}}}})", timeout_ms);
}

constexpr const char* kCheckout = R"({"checkout":{}})";
constexpr const char* kCheckin = R"({"checkin":{}})";

std::string client(const std::string& name, const std::string& steps,
                   const std::string& more = "") {
  return fmt::format(R"({{"name":"{}",{}"steps":[{}]}})", name, more, steps);
}

scenario::Scenario scenario_of(const std::string& clients, const std::string& faults = "",
                               const std::string& pool = R"("size":1)") {
  return scenario::testing::parsed(
      R"({"schema_version":1,"name":"timed","why":"timers, and what is aimed at them",)"
      R"("pool":{)" +
      pool + R"(},"workers":[{"kind":"fake"}],"clients":[)" + clients + R"(],"faults":[)" + faults +
      "]}");
}

/// One client: checkout, one call, check-in.
scenario::Scenario one(int call_ms, const std::string& faults, int checkout_ms = 5000,
                       const std::string& pool = R"("size":1)") {
  return scenario_of(client("a", checkout(checkout_ms) + "," + call(call_ms) + "," + kCheckin),
                     faults, pool);
}

std::string fault(const std::string& name, const std::string& at, const std::string& more = "") {
  return fmt::format(R"({{"fault":"{}","at":{{{}}}{}}})", name, at, more);
}

std::string delay(const std::string& name, int ms,
                  const std::string& at = R"("client":"a","call":1)") {
  return fault(name, at, fmt::format(R"(,"delay_ms":{})", ms));
}

Duration timeout(const scenario::Scenario& scenario, std::size_t client, std::size_t step) {
  const auto& one = scenario.clients[client].steps[step];
  if (const auto* call = std::get_if<scenario::Call>(&one)) return call->timeout.value_or(0s);
  if (const auto* close = std::get_if<scenario::Close>(&one)) return close->timeout.value_or(0s);
  if (const auto* execute = std::get_if<scenario::Execute>(&one))
    return execute->timeout.value_or(0s);
  return std::get<scenario::Checkout>(one).timeout.value_or(0s);
}

/// The call timeout of the first client, as the real run has it.
Duration call_timeout(const scenario::Scenario& scenario) {
  return timeout(unhurried(scenario), 0, 1);
}

bool competes(const scenario::Scenario& scenario, const std::string& with) {
  for (const auto& sentence : competing_timers(scenario)) {
    UNSCOPED_INFO(sentence);
    if (sentence.find(with) != std::string::npos) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("run: timers: a delay and the timeout of its call differ by 3 times and 200 ms") {
  CHECK(competing_timers(one(300, delay("reply_late", 900))).empty());
  CHECK(
      competing_timers(one(300, delay("reply_late", 899))) ==
      std::vector<std::string>{"the call timeout of client a, step 1 (300 ms) and reply_late (f0) "
                               "(899 ms) compete: they must differ by 3x and 200 ms"});
  CHECK(competes(one(90, delay("reply_late", 289)), "reply_late"));
  CHECK_FALSE(competes(one(90, delay("reply_late", 290)), "reply_late"));
  CHECK(competes(one(900, delay("reply_slow", 301)), "reply_slow"));
  CHECK(competing_timers(one(900, delay("reply_slow", 300))).empty());
}

TEST_CASE("run: timers: only a fault that may meet the call competes with its timeout") {
  const auto two_calls =
      scenario_of(client("a", checkout(5000) + "," + call(300) + "," + call(5000) + "," + kCheckin),
                  delay("reply_slow", 400, R"("client":"a","call":2)"));
  CHECK(competing_timers(two_calls).empty());
  CHECK(competes(one(300, delay("reply_slow", 400, R"("slot":0,"request":1)")), "call timeout"));
  CHECK(competes(one(300, delay("reply_slow", 400, R"("slot":0)")), "call timeout"));
  CHECK_FALSE(
      competes(one(300, delay("reply_slow", 400, R"("slot":0,"request":0)")), "call timeout"));
  const auto repeated =
      scenario_of(client("a", checkout(5000) + "," + call(300) + "," + call(5000) + "," + kCheckin,
                         R"("repeat":3,)"),
                  delay("reply_slow", 400, R"("client":"a","call":5)"));
  CHECK(competes(repeated, "step 1"));
}

TEST_CASE("run: timers: a reply byte by byte and a command that sleeps take their time, too") {
  const auto trickled =
      fault("reply_trickled", R"("client":"a","call":1)", R"(,"gap_ms":10,"chunk_bytes":1)");
  CHECK(competes(one(1000, trickled), "reply_trickled"));
  CHECK(competing_timers(one(300, trickled)).empty());
  const auto asleep = scenario_of(client(
      "a",
      checkout(5000) + "," + call(500, R"("command":"sleep","args":{"ms":300})") + "," + kCheckin));
  CHECK(competes(asleep, "the command sleep"));
}

TEST_CASE(
    "run: timers: a slow import competes with the start-up budget and with who waits for it") {
  const auto slow = [](int import_ms, int checkout_ms, int budget_ms) {
    return one(5000, delay("import_slow", import_ms, R"("slot":0)"), checkout_ms,
               fmt::format(R"("size":1,"startup_budget_ms":{})", budget_ms));
  };
  CHECK(competing_timers(slow(500, 5000, 5000)).empty());
  CHECK(competes(slow(2000, 8000, 5000), "the start-up budget"));
  CHECK(competes(slow(1500, 4000, 5000), "the checkout timeout"));
  CHECK(competing_timers(slow(1500, 500, 5000)).empty());
}

TEST_CASE("run: timers: starts that fail are over when the last has failed or the breaker opens") {
  const auto pool = [](const std::string& more) {
    return R"("size":1,"startup_budget_ms":600,"postmortem_budget_ms":300,)" + more;
  };
  const auto silent = fault("input_read_as_lines", R"("slot":0)");
  CHECK(competing_timers(one(5000, silent, 4000, pool(R"("breaker_failures":1)"))).empty());
  CHECK(competes(one(5000, silent, 4000, pool(R"("breaker_failures":3)")), "the failing starts"));
  CHECK(competes(one(5000, silent, 2000, pool(R"("breaker_failures":1)")), "the failing starts"));
  for (const char* name : {"exit_at_start", "start_fails"}) {
    const auto dead = fault(name, R"("slot":0,"generation":0)");
    CHECK(competing_timers(one(5000, dead, 5000)).empty());
    CHECK(competes(one(5000, dead, 5000, R"("size":1,"backoff_initial_ms":3000)"),
                   "the failing starts"));
  }
}

TEST_CASE("run: timers: who waits for a worker competes with what its holder does meanwhile") {
  const auto pair = [](int held_ms, int checkout_ms, const std::string& more = "") {
    return scenario_of(
        client("a", checkout(5000) + "," + call(held_ms) + "," + kCheckin) + "," +
            client("b", checkout(checkout_ms) + "," + call(5000) + "," + kCheckin, more),
        fault("reply_dropped", R"("client":"a","call":1)"));
  };
  CHECK(competes(pair(1000, 2000), "what client a does meanwhile"));
  CHECK(competing_timers(pair(1000, 4000)).empty());
  CHECK(competing_timers(pair(1000, 2000, R"("after":"a",)")).empty());
}

TEST_CASE("run: timers: who comes only when a step is over holds nothing during it") {
  const auto later = [](const std::string& await) {
    return scenario_of(client("a", checkout(2000) + "," + call(5000) + "," + kCheckin) + "," +
                           client("b", await + checkout(9000) + "," + call(1000) + "," + kCheckin),
                       fault("reply_dropped", R"("client":"b","call":1)"));
  };
  CHECK(competes(later(""), "what client b does meanwhile"));
  CHECK(competing_timers(later(R"({"await":{"client":"a","step":0,"moment":"ended"}},)")).empty());
}

TEST_CASE("run: timers: a pause races with what others wait for, but not with who awaits it") {
  const auto pauses = [](const std::string& first) {
    return scenario_of(
        client("a",
               checkout(5000) + R"(,{"pause":{"span_ms":500}},)" + call(5000) + "," + kCheckin) +
            "," + client("b", first + R"({"pause":{"span_ms":600}},{"cancel":{"client":"a"}})"),
        "", R"("size":2)");
  };
  CHECK(competing_timers(pauses("")).size() == 1);
  CHECK(competing_timers(pauses(R"({"await":{"client":"a","step":1,"moment":"ended"}},)")).empty());
  const auto closer = scenario_of(client("a", checkout(1000) + "," + call(5000) + "," + kCheckin) +
                                  "," + client("b", R"({"pause":{"span_ms":900}},{"close":{}})"));
  CHECK(competes(closer, "the pause of client b"));
  auto afterwards = closer;
  afterwards.clients[1].after = "a";
  CHECK(competing_timers(afterwards).empty());
}

TEST_CASE("run: timers: what recycles a worker competes with its use and with pauses") {
  const auto recycled = [](const std::string& pool, int pause) {
    return scenario_of(client("a", checkout(60'000) + "," + call(60'000) + "," + kCheckin +
                                       fmt::format(R"(,{{"pause":{{"span_ms":{}}}}})", pause)),
                       "", R"("size":1,)" + pool);
  };
  CHECK(competes(recycled(R"("idle_timeout_ms":100)", 5000), "a worker's idle timeout"));
  CHECK(competing_timers(recycled(R"("idle_timeout_ms":1000)", 5000)).empty());
  CHECK(competes(recycled(R"("idle_timeout_ms":1000)", 900), "the pause of client a"));
  CHECK(competing_timers(recycled(R"("max_lifetime_ms":1000)", 5000)).empty());
  CHECK(competes(recycled(R"("max_lifetime_ms":1000,"lifetime_jitter_percent":100)", 5000),
                 "a worker's shortest lifetime"));
  CHECK(competes(recycled(R"("idle_ping_interval_ms":2000)", 5000), "the idle ping interval"));
  CHECK(competing_timers(recycled(R"("rss_interval_ms":100)", 5000)).empty());
  CHECK(competes(recycled(R"("max_rss_bytes":100000000,"rss_interval_ms":100)", 5000),
                 "between two looks at memory"));
}

TEST_CASE("run: timers: a slow exit competes with the graces") {
  const auto slow = [](int ms) {
    return one(5000, delay("exit_slow", ms, R"("slot":0)"), 5000,
               R"("size":1,"shutdown_grace_ms":2000,"stdin_grace_ms":20000)");
  };
  CHECK(competing_timers(slow(300)).empty());
  CHECK(competes(slow(1000), "the shutdown grace"));
}

TEST_CASE("run: timers: a checkout may wait for workers that do not leave") {
  const auto leaves = [](const std::string& faults, const std::string& pool, int checkout_ms) {
    return timeout(
        unhurried(one(5000, faults, checkout_ms, R"("size":1,"term_grace_ms":1500)" + pool)), 0, 0);
  };
  const std::string deaf = fault("term_ignored", R"("slot":0)");
  const std::string slow = delay("exit_slow", 1000, R"("slot":0)");
  for (const std::string waits : {R"(,"leaving_max":1)", R"(,"overlap":false)"}) {
    INFO(waits);
    CHECK(leaves(deaf, waits, 300) == 300ms);
    CHECK(leaves(slow, waits, 300) == 300ms);
    CHECK(leaves(deaf, waits, 25'000) == 30s);  // longer than any worker takes to go
    CHECK(leaves("", waits, 300) == 30s);
  }
  // One client with one lease cannot make two leave.
  CHECK(leaves(deaf, R"(,"leaving_max":2)", 300) == 30s);
}

TEST_CASE("run: timers: on real processes a timeout that should not run out becomes 30 s") {
  const auto calm = unhurried(one(5000, "", 2000));
  CHECK(timeout(calm, 0, 0) == 30s);
  CHECK(timeout(calm, 0, 1) == 30s);
  CHECK(calm.pool.core.startup_budget == 30s);
  CHECK(calm.pool.core.silence_max == 30s);
  CHECK(calm.pool.close_timeout == 30s);
  CHECK(calm.pool.core.term_grace == 500ms);
  CHECK(calm.pool.core.postmortem_budget == 300ms);
}

TEST_CASE("run: timers: none is made shorter, and one of 0 stays") {
  CHECK(timeout(unhurried(one(90'000, "", 60'000)), 0, 0) == 60s);
  CHECK(call_timeout(one(90'000, "", 60'000)) == 90s);
  CHECK(timeout(unhurried(one(5000, "", 0)), 0, 0) == 0s);
}

TEST_CASE("run: timers: a call's timeout that is meant to run out stays") {
  CHECK(call_timeout(one(300, delay("reply_late", 900))) == 300ms);
  CHECK(call_timeout(one(900, delay("reply_slow", 300))) == 30s);
  for (const char* silent :
       {"reply_dropped", "reading_stopped", "reply_unflushed", "length_too_long"}) {
    INFO(silent);
    CHECK(call_timeout(one(300, fault(silent, R"("slot":0,"request":1)"))) == 300ms);
  }
  for (const char* prompt :
       {"exit_mid_call", "json_invalid", "stdout_closed", "error_reply", "length_over_limit"}) {
    INFO(prompt);
    CHECK(call_timeout(one(300, fault(prompt, R"("client":"a","call":1)"))) == 30s);
  }
  const auto killed = [](int signal) {
    return fault("killed_mid_call", R"("client":"a","call":1)",
                 fmt::format(R"(,"signal":{})", signal));
  };
  CHECK(call_timeout(one(300, killed(9))) == 30s);
  CHECK(call_timeout(one(300, killed(19))) == 300ms);
}

TEST_CASE("run: timers: a worker that stops once it has answered lets later calls run out") {
  const auto later = [](int signal) {
    const std::string a = client("a", checkout(5000) + "," + call(300) + "," + call(300));
    const std::string b = client("b", checkout(5000) + "," + call(300));
    const std::string more = fmt::format(R"(,"signal":{})", signal);
    const auto calm = unhurried(
        scenario_of(a + "," + b, fault("killed_while_idle", R"("client":"a","call":1)", more)));
    return std::pair<Duration, Duration>(timeout(calm, 0, 2), timeout(calm, 1, 1));
  };
  CHECK(later(19) == std::pair<Duration, Duration>(300ms, 300ms));
  CHECK(later(9) == std::pair<Duration, Duration>(30s, 30s));
}

TEST_CASE("run: timers: text is a short frame's length where the prefix is short") {
  const auto text = fault("text_before_reply", R"("client":"a","call":1)");
  CHECK(call_timeout(one(300, text)) == 30s);
  CHECK(call_timeout(one(300, text, 5000, R"("size":1,"prefix_bytes":2)")) == 300ms);
}

TEST_CASE("run: timers: where a worker is stopped from outside, calls run out") {
  const auto signalled = [](const char* signal) {
    return scenario_of(client("a", checkout(5000) + "," + call(400) +
                                       R"(,{"signal_worker":{"slot":0,"generation":0,"signal":")" +
                                       signal + R"("}},)" + kCheckin));
  };
  CHECK(call_timeout(signalled("STOP")) == 400ms);
  CHECK(unhurried(signalled("STOP")).pool.core.startup_budget == 5s);
  CHECK(call_timeout(signalled("KILL")) == 30s);
}

TEST_CASE("run: timers: an execution runs out by its call as well as by its wait for a worker") {
  const auto executed = [](const std::string& more, const std::string& faults) {
    const std::string execute =
        R"({"execute":{"command":"echo","timeout_ms":400}})" + std::string(",") + more;
    return scenario_of(client("a", execute + kCheckout), faults);
  };
  const auto timeout_of = [&](const std::string& more, const std::string& faults = "") {
    return timeout(unhurried(executed(more, faults)), 0, 0);
  };
  const std::string stop = R"({"signal_worker":{"slot":0,"generation":0,"signal":"STOP"}},)";
  CHECK(timeout_of("") == 30s);
  CHECK(timeout_of(stop) == 400ms);
  CHECK(timeout_of("", delay("reply_late", 1300)) == 400ms);
  CHECK(timeout_of("", delay("reply_late", 100)) == 30s);
  CHECK(timeout_of("", delay("import_slow", 1300, R"("slot":0)")) == 400ms);
  CHECK(competes(executed("", delay("reply_late", 300)), "the execute timeout of client a"));
}

TEST_CASE("run: timers: a start-up budget that is meant to run out stays, and the checkout waits") {
  const auto silent = one(5000, fault("input_read_as_lines", R"("slot":0)"), 4000,
                          R"("size":1,"startup_budget_ms":600,"breaker_failures":1)");
  const auto calm = unhurried(silent);
  CHECK(calm.pool.core.startup_budget == 600ms);
  CHECK(timeout(calm, 0, 0) == 30s);
  const auto never = one(5000, fault("input_read_as_lines", R"("slot":0)"), 4000,
                         R"("size":1,"startup_budget_ms":600,"breaker_failures":0)");
  CHECK(timeout(unhurried(never), 0, 0) == 4s);
  const auto slow = one(5000, delay("import_slow", 1500, R"("slot":0)"), 400);
  CHECK(timeout(unhurried(slow), 0, 0) == 400ms);
  CHECK(unhurried(slow).pool.core.startup_budget == 30s);
}

TEST_CASE("run: timers: a step that somebody awaits while holding a worker keeps its timeout") {
  const auto awaited = [](const char* moment) {
    return unhurried(scenario_of(
        client("a",
               checkout(5000) +
                   fmt::format(R"(,{{"await":{{"client":"b","step":0,"moment":"{}"}}}},)", moment) +
                   kCheckin) +
        "," + client("b", checkout(300) + "," + call(5000) + "," + kCheckin)));
  };
  CHECK(timeout(awaited("ended"), 1, 0) == 300ms);
  CHECK(timeout(awaited("begun"), 1, 0) == 30s);
}

TEST_CASE("run: timers: a checkout from a suspended pool keeps its timeout") {
  const std::string uses = checkout(300) + "," + call(5000) + "," + kCheckin;
  const auto own = [&](const std::string& before) {
    return timeout(unhurried(scenario_of(client("a", before + "," + uses))), 0, 2);
  };
  CHECK(own(R"({"renew":{}},{"suspend":{}})") == 300ms);
  CHECK(own(R"({"suspend":{}},{"resume":{}})") == 30s);
  const auto beside =
      unhurried(scenario_of(client("a", uses) + "," + client("b", R"({"suspend":{}})")));
  CHECK(timeout(beside, 0, 0) == 300ms);
}

TEST_CASE("run: timers: a close waits longer only if it is not meant to end the leases") {
  const auto closing = [](int held_ms) {
    return unhurried(
        scenario_of(client("a", checkout(5000) + "," + call(held_ms) + "," + kCheckin) + "," +
                        client("b", R"({"close":{"timeout_ms":1000}})"),
                    fault("reply_dropped", R"("client":"a","call":1)")));
  };
  CHECK(timeout(closing(300), 1, 0) == 30s);
  CHECK(timeout(closing(4000), 1, 0) == 1s);
}

TEST_CASE("run: timers: a pause races with the starts and calls beside it, if it is short") {
  const auto beside = [](int pause_ms) {
    return scenario_of(
        client("a", checkout(5000) + "," + call(5000) + "," + kCheckin) + "," +
        client("b", fmt::format(R"({{"pause":{{"span_ms":{}}}}},{{"close":{{}}}})", pause_ms)));
  };
  CHECK(competes(beside(10), "the call of client a, step 1 (as long as the machine takes)"));
  CHECK(competes(beside(10), "a start for client a"));
  CHECK(competing_timers(beside(300)).empty());
}

TEST_CASE("run: timers: a close with the pool's timeout keeps it, and the harness's own waits") {
  const auto closing = unhurried(scenario_of(
      client("a", checkout(5000) + "," + call(4000) + "," + kCheckin) + "," +
          client("b", R"({"close":{}})"),
      fault("reply_dropped", R"("client":"a","call":1)"), R"("size":1,"close_timeout_ms":1000)"));
  CHECK(timeout(closing, 1, 0) == 1s);
  CHECK(closing.pool.close_timeout == 30s);
}

/// What differs between the worlds must not be put down to a clock where none decides.
TEST_CASE("run: timers: a clock decides in few of this project's scenarios that are compared") {
  std::size_t compared = 0;
  std::set<std::string> decided;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(POOLPROOF_SCENARIOS)) {
    const std::string path = entry.path().string();
    if (!path.ends_with(".json") || path.ends_with(".schema.json")) continue;
    const auto text = read_file(path, 1U << 20U, "a scenario");
    REQUIRE(text.has_value());
    const auto scenario = scenario::testing::parsed(*text);
    if (!why_not_compared(scenario).empty()) continue;
    ++compared;
    if (!competing_timers(scenario).empty()) decided.insert(scenario.name);
  }
  CHECK(compared > 100);
  // These put in order by a pause what nothing else can put in order.
  const std::set<std::string> known{"busy-worker-is-waited-for", "cancel-in-the-queue",
                                    "close-refuses-waiters", "close-with-everything-going-on",
                                    "waits-for-a-worker-that-dies"};
  CHECK(decided == known);
}
