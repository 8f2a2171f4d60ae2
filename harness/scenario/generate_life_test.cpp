#include <catch2/catch.hpp>

#include "harness/scenario/generate.hpp"
#include "harness/scenario/generate_parts.hpp"

using namespace poolproof;
using namespace poolproof::scenario;

namespace {

Duration pauses_of(const Client& client) {
  Duration sum{};
  for (const Step& step : client.steps) {
    if (const auto* pause = std::get_if<Pause>(&step)) sum += pause->span;
  }
  return sum * client.repeat;
}

}  // namespace

TEST_CASE("scenario: generate: a pool that lives for a day is rare, and real processes have none") {
  constexpr std::uint64_t kSeeds = 20'000;
  std::size_t days = 0;
  std::size_t renewed = 0;
  std::size_t recycled = 0;
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    CAPTURE(seed);
    auto book = ChoiceBook::random(seed);
    const Scenario scenario = generate(book);
    Duration longest{};
    for (const Client& client : scenario.clients) longest = std::max(longest, pauses_of(client));
    if (!scenario.tagged(kLongLived)) {
      CHECK(longest < 1min);
      CHECK(scenario.runs_in(WorldKind::host));
      continue;
    }
    ++days;
    CHECK(longest >= 19h);
    CHECK(longest <= 21h);
    CHECK_FALSE(scenario.runs_in(WorldKind::host));
    const pool::Config& core = scenario.pool.core;
    for (const Duration often : {core.max_lifetime, core.idle_ping_interval, core.rss_interval}) {
      CHECK((often == 0ms || often >= 20min));
    }
    recycled += core.max_lifetime > 0ms || core.idle_timeout > 0ms || core.max_calls > 0 ? 1 : 0;
    for_each_step(scenario, [&](const Step& step) {
      renewed += std::holds_alternative<Renew>(step) ? 1 : 0;
      CHECK_FALSE(std::holds_alternative<Close>(step));
    });
  }
  CHECK(days > kSeeds / 800);
  CHECK(days < kSeeds / 200);
  CHECK(renewed > 10);
  CHECK(recycled > days / 2);
}
