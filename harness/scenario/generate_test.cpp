#include "harness/scenario/generate.hpp"

#include <map>
#include <set>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "harness/scenario/generate_parts.hpp"
#include "harness/scenario/pool_options.hpp"
#include "harness/scenario/shipped_testing.hpp"

using namespace poolproof;
using namespace poolproof::scenario;
using namespace poolproof::scenario::testing;

namespace {

Scenario generated(std::uint64_t seed) {
  auto book = ChoiceBook::random(seed);
  return generate(book);
}

const Client* calm_of(const Scenario& scenario) {
  const Client& last = scenario.clients.back();
  return last.name == "calm" ? &last : nullptr;
}

std::string head(const std::string& single) {
  return single.substr(0, single.find('.'));
}

std::size_t place(const Scenario& scenario, const std::string& single) {
  std::size_t i = 0;
  while (scenario.clients.at(i).name != head(single)) ++i;
  return i;
}

/// The loader takes it, and it comes back as it was: nothing of it is lost in the file.
void check_round_trip(const Scenario& scenario) {
  const std::string text = write_scenario(scenario);
  INFO(text);
  const auto read = read_scenario(text, "generated.json");
  INFO((read ? std::string() : read.error().line()));
  REQUIRE(read.has_value());
  REQUIRE(write_scenario(*read) == text);
  REQUIRE(read->seed == scenario.seed);
  REQUIRE(read->pool.core.seed == scenario.pool.core.seed);
  REQUIRE(read->pool.core.silence_max == scenario.pool.core.silence_max);
  for (const PoolOption& option : pool_options()) {
    REQUIRE(option.get(read->pool) == option.get(scenario.pool));
  }
  REQUIRE(read->clients.size() == scenario.clients.size());
  for (std::size_t i = 0; i < scenario.clients.size(); ++i) {
    const auto& steps = scenario.clients[i].steps;
    REQUIRE(read->clients[i].steps.size() == steps.size());
    for (std::size_t j = 0; j < steps.size(); ++j) {
      REQUIRE(read->clients[i].steps[j].index() == steps[j].index());
    }
  }
  REQUIRE(read->faults.size() == scenario.faults.size());
  for (std::size_t i = 0; i < scenario.faults.size(); ++i) {
    const auto& fault = scenario.faults[i];
    REQUIRE(read->faults[i].id == fault.id);
    REQUIRE(read->faults[i].fault == fault.fault);
    REQUIRE(read->faults[i].at == fault.at);
    REQUIRE(read->faults[i].numbers == fault.numbers);
    REQUIRE(read->faults[i].texts == fault.texts);
  }
}

Duration longest(const Step& step, const PoolSpec& pool) {
  if (const auto* checkout = std::get_if<Checkout>(&step)) {
    return checkout->timeout.value_or(pool.checkout_timeout);
  }
  if (const auto* call = std::get_if<Call>(&step)) return call->timeout.value_or(pool.call_timeout);
  if (const auto* call = std::get_if<CallBytes>(&step)) {
    return call->timeout.value_or(pool.call_timeout);
  }
  if (const auto* pause = std::get_if<Pause>(&step)) return pause->span;
  if (const auto* close = std::get_if<Close>(&step)) {
    return close->timeout.value_or(pool.close_timeout);
  }
  return Duration{0};
}

std::vector<std::size_t> kinds(const Client& client) {
  std::vector<std::size_t> found;
  for (const Step& step : client.steps) found.push_back(step.index());
  return found;
}

/// Comes when the storm is over.
bool comes_after(const Client& client) {
  return client.name == "calm" || client.name == "day" || client.name == "keeper";
}

/// When each storm client is done at the latest.
std::vector<Duration> ends(const Scenario& scenario) {
  std::vector<Duration> found;
  for (const Client& client : scenario.clients) {
    if (comes_after(client)) continue;
    Duration now = client.after.empty() ? Duration{0} : found.at(place(scenario, client.after));
    for (std::uint32_t i = 0; i < client.repeat; ++i) {
      for (const Step& step : client.steps) {
        const auto* await = std::get_if<AwaitClient>(&step);
        if (await != nullptr) now = std::max(now, found.at(place(scenario, await->client)));
        now += longest(step, scenario.pool);
      }
    }
    found.push_back(now);
  }
  return found;
}

}  // namespace

TEST_CASE("scenario: generate: without any choice it is one client that does the usual") {
  auto book = ChoiceBook::replayed({});
  const Scenario scenario = generate(book);
  CHECK(scenario.pool.core.size == 1);
  for (const PoolOption& option : pool_options()) {
    CHECK(option.get(scenario.pool) == option.get(PoolSpec{}));
  }
  REQUIRE(scenario.clients.size() == 1);
  const Client& client = scenario.clients[0];
  CHECK(client.count * client.repeat == 1);
  REQUIRE(client.steps.size() == 3);
  CHECK_FALSE(std::get<Checkout>(client.steps[0]).timeout.has_value());
  CHECK(std::get<Call>(client.steps[1]).command == "echo");
  CHECK(std::get<Call>(client.steps[1]).args->empty());
  CHECK(std::holds_alternative<Checkin>(client.steps[2]));
  CHECK(scenario.faults.empty());
  CHECK(scenario.seed == 0);
  check_round_trip(scenario);
}

TEST_CASE("scenario: generate: what comes of a seed is a sound file and loses nothing in it") {
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    CAPTURE(seed);
    check_round_trip(generated(seed));
  }
}

TEST_CASE("scenario: generate: the choices taken make the same scenario again") {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    auto book = ChoiceBook::random(seed);
    const std::string once = write_scenario(generate(book));
    auto again = ChoiceBook::replayed(book.taken());
    CHECK(write_scenario(generate(again)) == once);
    book.restart(seed);
    CHECK(write_scenario(generate(book)) == once);
  }
}

TEST_CASE("scenario: generate: a client without choices leaves the others as they are") {
  std::size_t compared = 0;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    auto book = ChoiceBook::random(seed);
    const Scenario full = generate(book);
    auto sequences = book.taken();
    if (sequences.erase("client.3") == 0) continue;
    auto rest = ChoiceBook::replayed(sequences);
    const Scenario less = generate(rest);
    ++compared;
    for (const PoolOption& option : pool_options()) {
      CHECK(option.get(full.pool) == option.get(less.pool));
    }
    CHECK(kinds(less.clients[0]) == kinds(full.clients[0]));
    CHECK(kinds(less.clients[1]) == kinds(full.clients[1]));
    CHECK(less.clients[2].count == 1);
  }
  CHECK(compared > 50);
}

TEST_CASE("scenario: generate: every fault, step and option comes up") {
  std::set<std::string_view> planned;
  std::set<std::size_t> steps;
  std::set<std::string> commands;
  std::map<std::string_view, std::set<std::int64_t>> values;
  std::set<std::size_t> counts;
  std::set<std::uint32_t> pads;
  std::set<int> signals;
  std::set<std::size_t> clients;
  bool no_limit = false;
  bool aimed_at_request = false;
  bool aimed_at_call = false;
  bool aimed_anywhere = false;
  bool repeated = false;
  bool counted = false;
  bool after = false;
  for (std::uint64_t seed = 0; seed < 6000; ++seed) {
    const Scenario scenario = generated(seed);
    counts.insert(scenario.faults.size());
    clients.insert(scenario.clients.size() -
                   static_cast<std::size_t>(std::ranges::count_if(scenario.clients, comes_after)));
    for (const auto& fault : scenario.faults) {
      planned.insert(fault.fault->name);
      aimed_at_call = aimed_at_call || !fault.at.client.empty();
      aimed_at_request = aimed_at_request || fault.at.request.has_value();
      aimed_anywhere = aimed_anywhere || (fault.at.client.empty() && !fault.at.generation);
    }
    for (const PoolOption& option : pool_options()) {
      values[option.name].insert(option.get(scenario.pool));
    }
    for (const Client& client : scenario.clients) {
      if (comes_after(client)) continue;
      repeated = repeated || client.repeat > 1;
      counted = counted || client.count > 1;
      after = after || !client.after.empty();
      for (const Step& step : client.steps) {
        steps.insert(step.index());
        if (const auto* checkout = std::get_if<Checkout>(&step)) {
          no_limit = no_limit || checkout->timeout == Duration{0};
        }
        if (const auto* signal = std::get_if<SignalWorker>(&step)) signals.insert(signal->signal);
        if (const auto* call = std::get_if<Call>(&step)) {
          pads.insert(call->pad_bytes);
          commands.insert(call->command);
        }
      }
    }
  }
  for (const faults::Fault& fault : faults::catalogue()) {
    CAPTURE(std::string(fault.name));
    CHECK(planned.contains(fault.name));
  }
  // All but waits for a worker or a fault, which may never come.
  CHECK(steps == std::set<std::size_t>{0, 1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 13, 14, 15, 16});
  for (const PoolOption& option : pool_options()) {
    CAPTURE(std::string(option.name));
    CHECK(values[option.name].contains(option.get(PoolSpec{})));
    CHECK(values[option.name].size() >= 2);
  }
  CHECK(values["size"] == std::set<std::int64_t>{1, 2, 3, 4});
  CHECK(values["waiters_max"] == std::set<std::int64_t>{1, 2, 3, 1000});
  CHECK(values["prefix_bytes"] == std::set<std::int64_t>{1, 2, 4, 8});
  CHECK(values["breaker_failures"] == std::set<std::int64_t>{0, 1, 2, 3});
  for (std::size_t count = 0; count <= 5; ++count) CHECK(counts.contains(count));
  CHECK(*counts.rbegin() <= 16);
  CHECK(clients == std::set<std::size_t>{1, 2, 3, 4, 5});
  CHECK(*pads.rbegin() > 65'536);
  CHECK(signals == std::set<int>{9, 11, 15, 18, 19});
  CHECK(commands.size() == 11);
  CHECK((no_limit && aimed_at_request && aimed_at_call && aimed_anywhere));
  CHECK((repeated && counted && after));
}

TEST_CASE("scenario: generate: nobody cancels what he does himself") {
  std::size_t cancels = 0;
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    for (const Client& client : generated(seed).clients) {
      for (const Step& step : client.steps) {
        const auto* cancel = std::get_if<Cancel>(&step);
        if (cancel == nullptr) continue;
        ++cancels;
        CHECK(head(cancel->client) != client.name);
      }
    }
  }
  CHECK(cancels > 100);
}

TEST_CASE("scenario: generate: a large reply is not cut into single bytes") {
  std::size_t cut = 0;
  for (std::uint64_t seed = 0; seed < 20'000; ++seed) {
    const Scenario scenario = generated(seed);
    std::uint32_t pad = 0;
    for (const Client& client : scenario.clients) {
      for (const Step& step : client.steps) {
        if (const auto* call = std::get_if<Call>(&step)) pad = std::max(pad, call->pad_bytes);
      }
    }
    for (const auto& fault : scenario.faults) {
      const auto chunk = fault.numbers.find("chunk_bytes");
      if (chunk == fault.numbers.end() || pad < 10'000) continue;
      ++cut;
      CHECK(chunk->second >= 1000);
    }
  }
  CHECK(cut > 5);
}

TEST_CASE("scenario: generate: large frames are rare, for they cost the time of many others") {
  std::size_t beyond_a_page = 0;
  std::size_t beyond_a_pipe = 0;
  constexpr std::uint64_t kSeeds = 20'000;
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    std::uint32_t pad = 0;
    for (const Client& client : generated(seed).clients) {
      for (const Step& step : client.steps) {
        if (const auto* call = std::get_if<Call>(&step)) pad = std::max(pad, call->pad_bytes);
      }
    }
    beyond_a_page += pad > 4096 ? 1 : 0;
    beyond_a_pipe += pad > 65'536 ? 1 : 0;
  }
  CHECK(beyond_a_page > 100);
  CHECK(beyond_a_page < kSeeds / 30);
  CHECK(beyond_a_pipe > 20);
  CHECK(beyond_a_pipe < kSeeds / 150);
}

TEST_CASE("scenario: generate: each theme comes up, alone and beside each other, and often none") {
  std::set<std::uint32_t> pairs;
  std::size_t none = 0;
  constexpr std::uint64_t kSeeds = 20'000;
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    auto choices = Choices::random(seed, "themes");
    const Features features = generate_features(choices);
    none += features.any() ? 0 : 1;
    for (std::uint32_t a = 0; a < kFeatures; ++a) {
      for (std::uint32_t b = 0; b <= a; ++b) {
        const bool both =
            features.has(static_cast<Feature>(a)) && features.has(static_cast<Feature>(b));
        if (both) pairs.insert(a * 100 + b);
      }
    }
  }
  CHECK(pairs.size() == kFeatures * (kFeatures + 1) / 2);
  CHECK(none > kSeeds / 4);
  auto nothing = Choices::replayed({});
  CHECK_FALSE(generate_features(nothing).any());
}

TEST_CASE("scenario: generate: who is tried again every few milliseconds starts at last") {
  std::size_t often = 0;
  for (std::uint64_t seed = 0; seed < 20'000; ++seed) {
    const Scenario scenario = generated(seed);
    const auto& core = scenario.pool.core;
    if (core.breaker_failures == 0 || core.breaker_open >= 100ms) continue;
    for (const auto& fault : scenario.faults) {
      if (!fault.at.client.empty()) continue;
      ++often;
      CAPTURE(seed);
      REQUIRE(fault.at.generation.has_value());
    }
  }
  CHECK(often > 100);
}

TEST_CASE("scenario: generate: nobody takes so long that he is awaited in vain") {
  Duration longest_seen{};
  for (std::uint64_t seed = 0; seed < 3000; ++seed) {
    CAPTURE(seed);
    for (const Duration end : ends(generated(seed))) {
      REQUIRE(end <= kStormMax);
      longest_seen = std::max(longest_seen, end);
    }
  }
  CHECK(longest_seen > kStormMax / 2);
}

TEST_CASE("scenario: generate: calm comes when all others are done, for every slot at once") {
  std::size_t calms = 0;
  std::size_t breaths = 0;
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    CAPTURE(seed);
    const Scenario scenario = generated(seed);
    const bool closes =
        std::any_of(scenario.clients.begin(), scenario.clients.end(), [](const Client& client) {
          return std::any_of(client.steps.begin(), client.steps.end(),
                             [](const Step& step) { return std::holds_alternative<Close>(step); });
        });
    const Client* calm = calm_of(scenario);
    if (calm == nullptr) {
      CHECK((closes || (scenario.clients.size() == 1 && scenario.faults.empty())));
      continue;
    }
    ++calms;
    CHECK_FALSE(closes);
    CHECK(calm->count == scenario.pool.core.size);
    std::map<std::string, std::uint32_t> awaited;
    for (const Step& step : calm->steps) {
      const auto* await = std::get_if<AwaitClient>(&step);
      if (await == nullptr) continue;
      CHECK(await->ended);
      awaited[await->client] = await->step;
    }
    for (const Client& client : scenario.clients) {
      if (&client == calm || calm->after == client.name) continue;
      // Only one can be `after`: who looks after the pool is there for as long as the others.
      if (scenario.tagged(kLongLived) && client.repeat > 1) continue;
      CHECK(client.repeat == 1);
      for (std::uint32_t i = 1; i <= client.count; ++i) {
        const std::string name =
            client.count == 1 ? client.name : client.name + "." + std::to_string(i);
        REQUIRE(awaited.contains(name));
        CHECK(awaited[name] == client.steps.size() - 1);
      }
    }
    CHECK(std::get<Checkout>(calm->steps.rbegin()[2]).timeout == 60s);
    const Step& call = calm->steps.rbegin()[1];
    CHECK(longest(call, scenario.pool) == 60s);
    CHECK(std::holds_alternative<CallBytes>(call) == scenario.pool.opaque);
    CHECK(std::holds_alternative<Checkin>(calm->steps.back()));
    const auto* breath = std::get_if<Pause>(&calm->steps.rbegin()[3 % calm->steps.size()]);
    if (calm->steps.size() < 4 || breath == nullptr) continue;
    ++breaths;
    const auto& core = scenario.pool.core;
    CHECK(core.breaker_failures > 0);
    CHECK(breath->span >= std::min<Duration>(6s, core.breaker_open));
    CHECK(breath->span <= 6s);
  }
  CHECK(breaths > 100);
  CHECK(calms > 1000);
}
