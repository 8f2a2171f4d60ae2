#include "harness/search/host_rate.hpp"

#include <algorithm>
#include <filesystem>

#include "harness/base/assert.hpp"
#include "harness/base/read_file.hpp"
#include "harness/run/runner.hpp"
#include "harness/trace/jsonl.hpp"

namespace poolproof::search {
namespace {

using namespace std::chrono_literals;

/// Only a pool that hangs reaches this limit.
constexpr Duration kLimit = 10s;
constexpr std::uintmax_t kTraceBytesMax = std::uintmax_t{1} << 26U;

constexpr std::string_view kScenario = R"({
  "schema_version": 1,
  "name": "host-rate",
  "why": "how many events a second the pool takes on real processes",
  "worlds": ["host"],
  "pool": {"size": 4},
  "workers": [{"kind": "fake"}],
  "clients": [{"name": "a", "count": 4, "repeat": 150, "steps": [
    {"checkout": {}}, {"call": {"command": "echo", "args": {"n": 1}}}, {"checkin": {}}]}],
  "expect": {"a": ["granted", "ok", "returned"]}
})";

run::Loaded built_in() {
  const std::string name = "host-rate.json";
  auto scenario = scenario::read_scenario(kScenario, name);
  POOLPROOF_ASSERT(scenario.has_value());
  return {std::move(*scenario), name, std::string(kScenario)};
}

std::string why_not(const run::ScenarioResult& result) {
  if (!result.findings.empty()) return result.findings.front().what;
  return result.reasons.empty() ? "the run did not pass" : result.reasons.front();
}

/// The trace of a run that passed.
Expected<trace::Trace, std::string> trace_of(const run::ScenarioResult& result,
                                             const std::string& folder) {
  if (result.verdict != run::Verdict::pass) return unexpected(why_not(result));
  const std::string file = folder + "/" + result.trace_file;
  return read_file(file, kTraceBytesMax, "a trace")
      .and_then([&](const std::string& text) { return trace::read_trace(text, file); })
      .map_error([](const InputError& error) { return error.line(); });
}

/// The harness's own close does not count.
HostRate rate_of(const trace::Trace& trace) {
  Time begun = kNever;
  Time ended = Time::min();
  for (const trace::ClientStep& step : trace.clients) {
    if (step.client.empty()) continue;
    begun = std::min(begun, step.begun);
    ended = std::max(ended, step.ended);
  }
  const auto among = [&](const trace::PoolRecord& record) {
    return record.at >= begun && record.at <= ended;
  };
  const auto events = std::ranges::count_if(trace.pool, among);
  return {static_cast<std::uint64_t>(events), ended - begun};
}

}  // namespace

Expected<HostRate, std::string> measure_host_rate(const std::string& self,
                                                  const std::string& folder) {
  const run::Loaded loaded = built_in();
  const auto ready = worlds::check_programs(loaded.scenario, worlds::find_programs(), loaded.file,
                                            loaded.folder());
  if (!ready) return unexpected(ready.error().line());
  run::RunOptions options;
  options.self = self;
  options.out = folder;
  options.jobs = 1;
  options.scenario_limit = kLimit;
  const auto run = run::run_all({loaded}, options, {});
  if (!run) return unexpected(run.error());  // the folder may belong to another process
  const auto trace = trace_of(run->scenarios.front(), folder);
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
  return trace.map(rate_of);
}

}  // namespace poolproof::search
