#include <cstdint>
#include <cstdio>
#include <fstream>

#include "harness/agreement/agreement.hpp"
#include "harness/base/read_file.hpp"
#include "harness/base/text.hpp"
#include "harness/run/runner.hpp"
#include "harness/run/version.hpp"
#include "harness/trace/jsonl.hpp"
#include "harness/worlds/sim_world.hpp"

namespace poolproof::run {
namespace {

constexpr int kBroken = 70;

int broken(const std::string& why) {
  std::fprintf(stderr, "%s\n", printable_page(why).c_str());
  return kBroken;
}

/// Many schedules: the comparison counts how often each story occurs.
constexpr std::uint64_t kSchedules = 200;
constexpr std::uintmax_t kTraceBytesMax = std::uintmax_t{1} << 30U;

/// The stories of many simulated schedules, the first of them in the plainest order.
Expected<std::vector<agreement::Story>, std::string> simulated_stories(
    scenario::Scenario scenario) {
  std::vector<agreement::Story> stories;
  scenario.schedule = std::vector<std::uint32_t>{};
  for (std::uint64_t i = 0; i < kSchedules; ++i) {
    const auto trace = worlds::simulate(scenario);
    if (!trace) return unexpected(trace.error());
    if (trace->header.endless) return unexpected(std::string("a simulated run came to no end"));
    if (!trace->header.trouble.empty()) return unexpected(trace->header.trouble);
    stories.push_back(agreement::story_of(scenario, *trace));
    scenario.schedule.reset();
    ++scenario.seed;
  }
  return stories;
}

int compare_errand(const scenario::Scenario& scenario, const ScenarioJob& job) {
  const auto text = read_file(job.compare, kTraceBytesMax, "a trace");
  if (!text) return broken(text.error().line());
  const auto real = trace::read_trace(*text, job.compare);
  if (!real) return broken(real.error().line());
  const auto stories = simulated_stories(scenario);
  if (!stories) return broken(stories.error());
  const auto result =
      agreement::compare_worlds(scenario, *stories, agreement::story_of(scenario, *real));
  std::ofstream file(job.folder + "/agreement.txt", std::ios::binary);
  file << agreement::kAgreementNames[static_cast<std::size_t>(result.what)] << "\n"
       << result.reason << "\n";
  file.close();
  return file ? 0 : broken("can't write " + job.folder + "/agreement.txt");
}

}  // namespace

int carry_out_job(const ScenarioJob& job) {
  const auto loaded = load_scenario(job.scenario_file);
  if (!loaded) return broken(loaded.error().line());
  scenario::Scenario scenario =
      job.control ? scenario::control_of(loaded->scenario) : loaded->scenario;
  if (job.seed) scenario.seed = *job.seed;
  if (!job.compare.empty()) return compare_errand(scenario, job);
  const bool simulated = job.world == scenario::WorldKind::sim;
  auto trace = simulated
                   ? worlds::simulate(scenario)
                   : worlds::carry_out(scenario, {worlds::find_programs(), job.token, job.folder});
  if (!trace) return broken(trace.error());
  trace->header.scenario = scenario.name;
  trace->header.world = scenario::kWorldNames[static_cast<std::size_t>(job.world)];
  trace->header.role = job.control ? "control" : "run";
  trace->header.seed = scenario.seed;
  trace->header.version = kVersion;
  trace->header.scenario_json = scenario::write_scenario(scenario);
  std::ofstream file(job.folder + "/trace.jsonl", std::ios::binary);
  file << trace::write_trace(*trace);
  file.close();
  return file ? 0 : broken("can't write " + job.folder + "/trace.jsonl");
}

}  // namespace poolproof::run
