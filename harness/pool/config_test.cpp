#include "harness/pool/config.hpp"

#include <functional>
#include <set>

#include <catch2/catch.hpp>

#include "harness/base/members_testing.hpp"
#include "harness/pool/options.hpp"

namespace poolproof::pool {
namespace {

struct Case {
  const char* option;
  std::function<void(Config&)> spoil;
  const char* line;  ///< of the error; empty: it is allowed
};

TEST_CASE("pool: config: the defaults are good") {
  CHECK(checked(Config{}).has_value());
}

TEST_CASE("pool: config: every member but the seed has a row in the table of options") {
  CHECK(kOptions.size() == poolproof::testing::members<Config>() - 1);
  std::set<std::string_view> names;
  for (const Option<Config>& option : kOptions) {
    CAPTURE(std::string(option.name));
    CHECK(names.insert(option.name).second);
    CHECK((option.unit == Unit::milliseconds) == option.name.ends_with("_ms"));
    CHECK((option.unit == Unit::flag) == (option.name == "overlap"));
    for (const std::int64_t value : {option.min, option.max}) {
      Config config;
      option.set(config, value);
      CHECK(option.get(config) == value);
      CHECK(option.is_within(config, value, value));
      for (const Option<Config>& other : kOptions) {
        if (other.name != option.name) CHECK(other.get(config) == other.get(Config{}));
      }
    }
  }
}

TEST_CASE("pool: config: every option has its bounds, and the error names it") {
  const Case kCases[] = {
      {"size", [](Config& c) { c.size = 0; }, "size: is 0; 1 to 100000"},
      {"size", [](Config& c) { c.size = 100'001; }, "size: is 100001; 1 to 100000"},
      {"size", [](Config& c) { c.size = 100'000; }, ""},
      {"waiters_max", [](Config& c) { c.waiters_max = 0; }, "waiters_max: is 0; 1 to 10000000"},
      {"waiters_max", [](Config& c) { c.waiters_max = 10'000'001; },
       "waiters_max: is 10000001; 1 to 10000000"},
      {"starts_max", [](Config& c) { c.starts_max = 0; }, "starts_max: is 0; 1 to 100000"},
      {"leaving_max", [](Config& c) { c.leaving_max = 0; }, "leaving_max: is 0; 1 to 100000"},
      {"backoff_jitter_percent", [](Config& c) { c.backoff_jitter_percent = 101; },
       "backoff_jitter_percent: is 101; 0 to 100"},
      {"backoff_jitter_percent", [](Config& c) { c.backoff_jitter_percent = 100; }, ""},
      {"breaker_failures", [](Config& c) { c.breaker_failures = 0; }, ""},
      {"breaker_failures", [](Config& c) { c.breaker_failures = 1'000'001; },
       "breaker_failures: is 1000001; 0 to 1000000"},
      {"startup_budget", [](Config& c) { c.startup_budget = 0ms; },
       "startup_budget_ms: is 0 ms; 1 to 86400000 ms"},
      {"startup_budget", [](Config& c) { c.startup_budget = 24h + 1us; },
       "startup_budget_ms: is 86400000.001 ms; 1 to 86400000 ms"},
      {"session_idle_timeout", [](Config& c) { c.session_idle_timeout = -1us; },
       "session_idle_timeout_ms: is -0.001 ms; 0 to 86400000 ms"},
      {"term_grace", [](Config& c) { c.term_grace = -1500us; },
       "term_grace_ms: is -1.500 ms; 0 to 86400000 ms"},
      {"max_rss_bytes", [](Config& c) { c.max_rss_bytes = UINT64_MAX; },
       "max_rss_bytes: is 18446744073709551615; 0 to 1000000000000000"},
      {"startup_budget", [](Config& c) { c.startup_budget = 24h + 1ms; },
       "startup_budget_ms: is 86400001 ms; 1 to 86400000 ms"},
      {"postmortem_budget", [](Config& c) { c.postmortem_budget = -1ms; },
       "postmortem_budget_ms: is -1 ms; 0 to 86400000 ms"},
      {"silence_max", [](Config& c) { c.silence_max = -1ms; },
       "silence_max_ms: is -1 ms; 0 to 86400000 ms"},
      {"backoff_initial", [](Config& c) { c.backoff_initial = 0ms; },
       "backoff_initial_ms: is 0 ms; 1 to 86400000 ms"},
      {"backoff_max", [](Config& c) { c.backoff_max = 99ms; },
       "backoff_max_ms: is 99 ms; 100 to 86400000 ms"},
      {"backoff_max", [](Config& c) { c.backoff_max = c.backoff_initial; }, ""},
      {"breaker_open", [](Config& c) { c.breaker_open = 0ms; },
       "breaker_open_ms: is 0 ms; 1 to 86400000 ms"},
      {"shutdown_grace", [](Config& c) { c.shutdown_grace = -5ms; },
       "shutdown_grace_ms: is -5 ms; 0 to 86400000 ms"},
      {"stdin_grace", [](Config& c) { c.stdin_grace = 25h; },
       "stdin_grace_ms: is 90000000 ms; 0 to 86400000 ms"},
      {"term_grace", [](Config& c) { c.term_grace = -1ms; },
       "term_grace_ms: is -1 ms; 0 to 86400000 ms"},
      {"max_calls", [](Config& c) { c.max_calls = 1'000'000'001; },
       "max_calls: is 1000000001; 0 to 1000000000"},
      {"max_lifetime", [](Config& c) { c.max_lifetime = -1ms; },
       "max_lifetime_ms: is -1 ms; 0 to 86400000 ms"},
      {"lifetime_jitter_percent", [](Config& c) { c.lifetime_jitter_percent = 101; },
       "lifetime_jitter_percent: is 101; 0 to 100"},
      {"max_rss_bytes", [](Config& c) { c.max_rss_bytes = 1'000'000'000'000'001; },
       "max_rss_bytes: is 1000000000000001; 0 to 1000000000000000"},
      {"rss_interval", [](Config& c) { c.rss_interval = 0ms; },
       "rss_interval_ms: is 0 ms; 1 to 86400000 ms"},
      {"idle_timeout", [](Config& c) { c.idle_timeout = 25h; },
       "idle_timeout_ms: is 90000000 ms; 0 to 86400000 ms"},
      {"idle_ping_interval", [](Config& c) { c.idle_ping_interval = -1ms; },
       "idle_ping_interval_ms: is -1 ms; 0 to 86400000 ms"},
      {"idle_ping_budget", [](Config& c) { c.idle_ping_budget = 0ms; },
       "idle_ping_budget_ms: is 0 ms; 1 to 86400000 ms"},
      {"min_idle", [](Config& c) { c.min_idle = 2; }, "min_idle: is 2; 0 to 1"},
      {"min_idle", [](Config& c) { c.min_idle = c.size = 3; }, ""},
      {"all graces", [](Config& c) { c.shutdown_grace = c.stdin_grace = c.term_grace = 0ms; }, ""},
  };
  for (const Case& row : kCases) {
    INFO(row.option << ": " << row.line);
    Config config;
    row.spoil(config);
    const auto result = checked(config);
    CHECK((result ? "" : result.error().line()) == row.line);
  }
}

}  // namespace
}  // namespace poolproof::pool
