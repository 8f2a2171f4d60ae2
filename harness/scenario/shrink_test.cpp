#include "harness/scenario/shrink.hpp"

#include <functional>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "harness/scenario/generate.hpp"
#include "harness/scenario/pool_options.hpp"
#include "harness/scenario/shipped_testing.hpp"
#include "harness/scenario/shrink_edits.hpp"

using namespace poolproof;
using namespace poolproof::scenario;
using namespace poolproof::scenario::testing;

namespace {

using Fails = std::function<bool(const Scenario&)>;

Scenario generated(std::uint64_t seed) {
  auto book = ChoiceBook::random(seed);
  return generate(book);
}

Scenario sound(std::string_view text) {
  auto scenario = read_scenario(text, "x.json");
  INFO((scenario ? std::string() : scenario.error().line()));
  REQUIRE(scenario.has_value());
  return *std::move(scenario);
}

void check_loads(const Scenario& scenario) {
  const std::string text = write_scenario(scenario);
  INFO(text);
  const auto read = read_scenario(text, "shrunk.json");
  INFO((read ? std::string() : read.error().line()));
  REQUIRE(read.has_value());
  REQUIRE(write_scenario(*read) == text);
}

template <class Kind>
std::size_t count_steps(const Client& client) {
  return static_cast<std::size_t>(
      std::count_if(client.steps.begin(), client.steps.end(),
                    [](const Step& step) { return std::holds_alternative<Kind>(step); }));
}

/// A fault of that name at a call of some client, and a checkout of another.
bool fault_and_bystander(const Scenario& scenario, std::string_view fault) {
  for (const auto& planned : scenario.faults) {
    if (planned.fault->name != fault || planned.at.client.empty()) continue;
    for (const Client& client : scenario.clients) {
      const bool struck = planned.at.client.substr(0, planned.at.client.find('.')) == client.name;
      if (!struck && count_steps<Checkout>(client) > 0) return true;
    }
  }
  return false;
}

void check_default_pool(const Scenario& scenario) {
  for (const PoolOption& option : pool_options()) {
    CAPTURE(std::string(option.name));
    CHECK(option.get(scenario.pool) == option.get(PoolSpec{}));
  }
}

/// `a` makes four calls in two rounds, three times over; `b` are two that watch it.
constexpr std::string_view kWeb = R"json({
  "schema_version": 1, "name": "web", "why": "everybody speaks of everybody",
  "pool": {"size": 3},
  "clients": [
    {"name": "a", "repeat": 3, "steps": [
      {"checkout": {}}, {"call": {"command": "echo"}}, {"call": {"command": "echo"}},
      {"checkin": {}},
      {"checkout": {}}, {"call": {"command": "echo"}}, {"checkin": {}}]},
    {"name": "b", "count": 2, "after": "a", "steps": [
      {"await": {"client": "a", "step": 6, "moment": "ended"}}, {"checkout": {}}, {"checkin": {}}]},
    {"name": "c", "after": "b.2", "steps": [
      {"cancel": {"client": "b.2"}}, {"await": {"client": "a", "step": 2, "moment": "ended"}},
      {"signal_worker": {"slot": 2, "generation": 1, "signal": "TERM"}}, {"checkout": {}}]}
  ],
  "faults": [
    {"fault": "banner", "at": {"slot": 2, "generation": 0}},
    {"fault": "reply_dropped", "at": {"client": "a", "call": 2}},
    {"fault": "reply_dropped", "at": {"client": "a", "call": 9}}],
  "expect": {"a": ["granted", "ok", {"error": "call_timeout"}, "returned", "granted", "ok"],
             "workers": [{"slot": 2, "generation": 0, "fate": "died"}]}
})json";

}  // namespace

TEST_CASE("scenario: shrink: comes down to the fault, its call and the other's checkout") {
  for (const std::string_view fault : {"reply_late", "id_wrong", "stderr_flood"}) {
    const Fails fails = [&](const Scenario& it) { return fault_and_bystander(it, fault); };
    std::size_t shrunk_ones = 0;
    for (std::uint64_t seed = 0; shrunk_ones < 10; ++seed) {
      const Scenario failing = generated(seed);
      if (!fails(failing)) continue;
      ++shrunk_ones;
      const Shrunk shrunk = shrink(failing, fails);
      INFO(write_scenario(shrunk.scenario));
      CHECK(size_of(shrunk.scenario) == 3);
      CHECK(shrunk.scenario.clients.size() == 2);
      CHECK(shrunk.scenario.faults.size() == 1);
      CHECK(shrunk.scenario.faults[0].id == "f0");
      CHECK(shrunk.scenario.faults[0].at.call == 1);
      CHECK(shrunk.scenario.seed == 0);
      CHECK(shrunk.scenario.schedule == std::vector<std::uint32_t>{});
      for (const Client& client : shrunk.scenario.clients) {
        CHECK(client.count * client.repeat == 1);
        CHECK(client.after.empty());
      }
      for (const auto& param : shrunk.scenario.faults[0].fault->params) {
        CHECK(shrunk.scenario.faults[0].number(param.name) == param.default_number);
      }
      check_default_pool(shrunk.scenario);
      check_loads(shrunk.scenario);
    }
  }
}

TEST_CASE("scenario: shrink: keeps the values that matter and no others") {
  const Fails fails = [](const Scenario& it) {
    bool long_enough = false;
    for (const Client& client : it.clients) {
      for (const Step& step : client.steps) {
        const auto* call = std::get_if<Call>(&step);
        long_enough = long_enough || (call != nullptr && call->timeout && call->timeout >= 70ms &&
                                      call->pad_bytes > 50);
      }
    }
    return long_enough && it.pool.core.size >= 2 && it.pool.core.waiters_max < 1000;
  };
  std::size_t shrunk_ones = 0;
  for (std::uint64_t seed = 0; shrunk_ones < 5; ++seed) {
    const Scenario failing = generated(seed);
    if (!fails(failing)) continue;
    ++shrunk_ones;
    const Shrunk shrunk = shrink(failing, fails);
    INFO(write_scenario(shrunk.scenario));
    REQUIRE(size_of(shrunk.scenario) == 1);
    const Call& call = std::get<Call>(shrunk.scenario.clients[0].steps[0]);
    CHECK(call.timeout == 300ms);
    CHECK(call.pad_bytes == 100);
    CHECK(call.command == "echo");
    CHECK(shrunk.scenario.pool.core.size == 2);
    CHECK(shrunk.scenario.pool.core.waiters_max == failing.pool.core.waiters_max);
    CHECK(shrunk.scenario.pool.call_timeout == PoolSpec{}.call_timeout);
  }
}

TEST_CASE("scenario: shrink: times stay such as a real clock can tell apart, where they may") {
  const Scenario failing = sound(R"json({
    "schema_version": 1, "name": "short", "why": "as short as generated scenarios are",
    "pool": {"call_timeout_ms": 40},
    "clients": [{"name": "a", "steps": [
      {"pause": {"span_ms": 10}}, {"close": {"timeout_ms": 1}}]}],
    "expect": {"any_success": true}
  })json");
  const auto pause_of = [](const Scenario& it) {
    return std::get<Pause>(it.clients.at(0).steps.at(0)).span;
  };
  const auto limit_of = [](const Scenario& it) {
    return std::get<Close>(it.clients.at(0).steps.at(1)).timeout;
  };
  const auto whole = [](const Scenario& it) { return size_of(it) == 2; };
  const Shrunk any = shrink(failing, [&](const Scenario& it) {
    return whole(it) && pause_of(it) > 0ms && limit_of(it) && it.pool.call_timeout < 5s;
  });
  CHECK(pause_of(any.scenario) == 1000ms);
  CHECK(limit_of(any.scenario) == 300ms);
  CHECK(any.scenario.pool.call_timeout == 300ms);
  // No pause is the shortest that can be told from others.
  const Shrunk none =
      shrink(failing, [&](const Scenario& it) { return whole(it) && limit_of(it) < 300ms; });
  CHECK(pause_of(none.scenario) == 0ms);
  CHECK(limit_of(none.scenario).value_or(0ms) < 10ms);
  const Shrunk brief = shrink(failing, [&](const Scenario& it) {
    return whole(it) && pause_of(it) > 0ms && pause_of(it) < 50ms;
  });
  CHECK(pause_of(brief.scenario) == 1ms);
}

TEST_CASE("scenario: shrink: what goes only together goes together") {
  const Scenario failing = sound(R"json({
    "schema_version": 1, "name": "x", "why": "as many checkouts as check-ins, and one call",
    "clients": [
      {"name": "a", "steps": [{"checkout": {}}, {"call": {"command": "echo"}}, {"checkin": {}}]},
      {"name": "b", "steps": [{"checkout": {}}, {"pause": {"span_ms": 0}}]},
      {"name": "c", "steps": [{"checkin": {}}, {"pause": {"span_ms": 0}}]}],
    "expect": {"any_success": true}})json");
  const auto shrunk = shrink(failing, [](const Scenario& scenario) {
    std::size_t checkouts = 0;
    std::size_t checkins = 0;
    std::size_t calls = 0;
    for (const Client& client : scenario.clients) {
      checkouts += count_steps<Checkout>(client);
      checkins += count_steps<Checkin>(client);
      calls += count_steps<Call>(client);
    }
    return calls == 1 && checkouts == checkins;
  });
  CHECK(size_of(shrunk.scenario) == 1);
  check_loads(shrunk.scenario);
}

TEST_CASE("scenario: shrink: the schedule keeps only what matters, in its place") {
  Scenario failing = generated(1);
  failing.schedule.emplace();
  for (std::uint32_t i = 0; i < 200; ++i) failing.schedule->push_back(1 + i % 7);
  const std::uint32_t wanted = (*failing.schedule)[37];
  const Shrunk shrunk = shrink(failing, [&](const Scenario& it) {
    return it.schedule && it.schedule->size() > 37 && (*it.schedule)[37] == wanted;
  });
  std::vector<std::uint32_t> least(38, 0);
  least[37] = wanted;
  CHECK(shrunk.scenario.schedule == least);
  CHECK(shrunk.attempts < 300);
}

TEST_CASE("scenario: shrink: where only the seed's own order fails, it stays without a schedule") {
  const Shrunk shrunk =
      shrink(generated(1), [](const Scenario& it) { return !it.schedule.has_value(); });
  CHECK_FALSE(shrunk.scenario.schedule.has_value());
  CHECK(size_of(shrunk.scenario) == 1);
}

TEST_CASE("scenario: shrink: what a later cut makes possible is tried again") {
  const Scenario failing = generated(5);
  const auto options_off = [](const Scenario& it) {
    const auto spans = pool_options();
    return std::all_of(spans.begin(), spans.end(), [&](const PoolOption& option) {
      return option.get(it.pool) == option.get(PoolSpec{});
    });
  };
  REQUIRE_FALSE(options_off(failing));
  const Shrunk shrunk = shrink(failing, [&](const Scenario& it) {
    return options_off(it) || size_of(it) == size_of(failing);
  });
  CHECK(size_of(shrunk.scenario) == 1);
}

TEST_CASE("scenario: shrink: an order that comes with the answer is kept and ends nothing") {
  std::uint32_t asked = 0;
  const Shrunk shrunk = shrink(generated(6), [&](Scenario& it) {
    it.seed = it.pool.core.seed = 70 + ++asked % 2;
    it.schedule = std::vector<std::uint32_t>{asked, 1, 1};
    return true;
  });
  CHECK(shrunk.attempts < 100);
  CHECK(size_of(shrunk.scenario) == 1);
  CHECK(shrunk.scenario.seed >= 70);
  REQUIRE(shrunk.scenario.schedule.has_value());
  CHECK(shrunk.scenario.schedule->size() == 3);
  CHECK(shrunk.scenario.schedule->front() > 1);
  check_loads(shrunk.scenario);
}

TEST_CASE("scenario: shrink: never asks more often than the budget allows") {
  for (const std::size_t attempts : {0U, 1U, 7U, 60U}) {
    for (const bool answer : {true, false}) {
      std::size_t asked = 0;
      const Fails fails = [&](const Scenario&) {
        ++asked;
        return answer;
      };
      const Shrunk shrunk = shrink(generated(3), fails, {attempts});
      CHECK(asked <= attempts);
      CHECK(shrunk.attempts == asked);
      CHECK(shrunk.steps_taken == (answer ? asked : 0));
    }
  }
}

TEST_CASE("scenario: shrink: what nothing can be taken from stays as it is") {
  const Scenario failing = generated(4);
  const Shrunk shrunk = shrink(failing, [](const Scenario&) { return false; });
  CHECK(write_scenario(shrunk.scenario) == write_scenario(failing));
  CHECK(shrunk.steps_taken == 0);
}

TEST_CASE("scenario: shrink: the same answers give the same result, each candidate a sound file") {
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    CAPTURE(seed);
    // An answer that hangs on everything: candidates are kept and refused without a pattern.
    const Fails fails = [](const Scenario& it) {
      check_loads(it);
      std::uint32_t sum = 0;
      for (const char c : write_scenario(it)) sum = sum * 31 + static_cast<unsigned char>(c);
      return (sum >> 7U) % 3 != 0;
    };
    const Shrunk once = shrink(generated(seed), fails, {200});
    const Shrunk again = shrink(generated(seed), fails, {200});
    CHECK(write_scenario(once.scenario) == write_scenario(again.scenario));
    CHECK(once.attempts == again.attempts);
    check_loads(once.scenario);
  }
}

TEST_CASE("scenario: shrink: files with expectations lose them step by step, or all at once") {
  for (const auto& path : shipped_files()) {
    CAPTURE(path.string());
    const Scenario failing = sound(text_of(path));
    const Fails keeps = [](const Scenario& it) {
      check_loads(it);
      return !it.expect.clients.empty() || !it.expect.workers.empty();
    };
    if (keeps(failing)) CHECK(size_of(shrink(failing, keeps, {100}).scenario) <= size_of(failing));
    const Shrunk least = shrink(failing, [](const Scenario&) { return true; }, {300});
    check_loads(least.scenario);
    CHECK(size_of(least.scenario) <= 2);
  }
}

TEST_CASE("scenario: shrink: a client that goes takes along what spoke of it") {
  Scenario scenario = sound(kWeb);
  REQUIRE(drop_client(scenario, 0));
  REQUIRE(scenario.clients.size() == 2);
  CHECK(scenario.clients[0].after.empty());
  CHECK(scenario.clients[0].steps.size() == 2);
  CHECK(scenario.clients[1].steps.size() == 3);
  REQUIRE(scenario.faults.size() == 1);
  CHECK_FALSE(scenario.expect.clients.contains("a"));

  scenario = sound(kWeb);
  REQUIRE(drop_client(scenario, 1));
  CHECK(scenario.clients[1].name == "c");
  CHECK(scenario.clients[1].after == "a");
  CHECK(count_steps<Cancel>(scenario.clients[1]) == 0);
  check_loads(scenario);
}

TEST_CASE("scenario: shrink: steps that go move awaits, aims and expectations up") {
  Scenario scenario = sound(kWeb);
  REQUIRE(drop_steps(scenario, 0, 1, 1));
  // Of three calls in each repetition two are left: 2 was the first of them, 9 the sixth.
  CHECK(scenario.faults[1].at.call == 1);
  CHECK(scenario.faults[2].at.call == 6);
  CHECK(std::get<AwaitClient>(scenario.clients[1].steps[0]).step == 5);
  CHECK(std::get<AwaitClient>(scenario.clients[2].steps[1]).step == 1);
  CHECK(scenario.expect.clients.at("a").size() == 5);
  CHECK(scenario.expect.clients.at("a")[1][0].outcome == Outcome::call_timeout);
  check_loads(scenario);

  // The awaited step goes: the one before it is awaited. Its call goes: so does the fault at it.
  REQUIRE(drop_steps(scenario, 0, 1, 2));
  REQUIRE(scenario.faults.size() == 2);
  CHECK(scenario.faults[1].id == "f1");
  CHECK(scenario.faults[1].at.call == 3);
  CHECK(std::get<AwaitClient>(scenario.clients[2].steps[1]).step == 0);
  check_loads(scenario);
  CHECK_FALSE(drop_steps(scenario, 0, 9, 1));
  CHECK_FALSE(drop_steps(scenario, 7, 0, 1));
}

TEST_CASE("scenario: shrink: fewer of a kind are called by their new names") {
  Scenario scenario = sound(kWeb);
  REQUIRE(set_count(scenario, 1, 1));
  CHECK(scenario.clients[2].after == "b");
  CHECK(std::get<Cancel>(scenario.clients[2].steps[0]).client == "b");
  check_loads(scenario);

  scenario = sound(kWeb);
  scenario.clients[1].count = 9;
  scenario.clients[2].after = "b.9";
  REQUIRE(set_count(scenario, 1, 3));
  CHECK(scenario.clients[2].after == "b.3");
  CHECK(std::get<Cancel>(scenario.clients[2].steps[0]).client == "b.2");
  CHECK_FALSE(set_count(scenario, 1, 3));
  CHECK_FALSE(set_count(scenario, 1, 0));
  check_loads(scenario);

  REQUIRE(set_repeat(scenario, 0, 1));
  CHECK(scenario.faults[2].at.call == 3);
  check_loads(scenario);
}

TEST_CASE("scenario: shrink: a smaller pool has its signals, faults and fates in slots it has") {
  Scenario scenario = sound(kWeb);
  REQUIRE(set_size(scenario, 1));
  CHECK(std::get<SignalWorker>(scenario.clients[2].steps[2]).worker.slot == 0);
  CHECK(scenario.faults[0].at.slot == 0U);
  CHECK(scenario.expect.workers.empty());
  CHECK_FALSE(set_size(scenario, 1));
  CHECK_FALSE(set_size(scenario, 0));
  check_loads(scenario);
}

TEST_CASE("scenario: shrink: what the loader would refuse is no candidate") {
  CHECK(is_sound(sound(kWeb)));
  Scenario scenario = sound(kWeb);
  scenario.clients.clear();
  CHECK_FALSE(is_sound(scenario));
  scenario = sound(kWeb);
  scenario.expect = {};
  scenario.clients[0].after = "c";
  CHECK_FALSE(is_sound(scenario));
  scenario = sound(kWeb);
  scenario.faults[2].at.call = 10;
  CHECK_FALSE(is_sound(scenario));
  scenario = sound(kWeb);
  scenario.pool.core.backoff_initial = 20s;
  CHECK_FALSE(is_sound(scenario));
  scenario = sound(kWeb);
  scenario.expect.clients["a"][0] = {ExpectedOne{true, Outcome::ok, {}, {}, ""}};
  CHECK_FALSE(is_sound(scenario));
}

TEST_CASE("scenario: shrink: its size is what there is to read") {
  CHECK(size_of(sound(kWeb)) == 17);
}
