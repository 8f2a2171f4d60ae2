#include <cstdint>
#include <cstdio>
#include <fstream>

#include <fmt/format.h>

#include "harness/agreement/agreement.hpp"
#include "harness/base/read_file.hpp"
#include "harness/base/text.hpp"
#include "harness/host/system.hpp"
#include "harness/run/runner.hpp"
#include "harness/run/version.hpp"
#include "harness/sim/world.hpp"
#include "harness/trace/jsonl.hpp"

namespace poolproof::run {
namespace {

constexpr int kBroken = 70;

int broken(const std::string& why) {
  std::fprintf(stderr, "%s\n", printable_page(why).c_str());
  return kBroken;
}

int write(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  return file ? 0 : broken("can't write " + path);
}

/// The number of schedules that are simulated first: many, for the comparison counts observations.
constexpr std::uint64_t kSchedules = 200;
/// The number of schedules where the first ones leave open whether everything has been observed.
constexpr std::uint64_t kMoreSchedules = 1000;
/// A divergence is reported only after this many schedules, or after all that this time allows: an
/// order that comes in one schedule of a hundred is no bug of either world.
constexpr std::uint64_t kMostSchedules = 8000;
constexpr Duration kMostTime = std::chrono::seconds(10);
/// Where even kMoreSchedules take longer than this, the comparison is left open. The job itself has
/// RunOptions::scenario_limit, and who meets that can't say why.
constexpr Duration kPatience = std::chrono::seconds(60);
constexpr std::uintmax_t kTraceBytesMax = std::uintmax_t{1} << 30U;

/// Compares the real run with one simulated schedule after the other, the first of them in the
/// plainest order, and is content with the first in which the same was observed.
Expected<agreement::AgreementResult, std::string> compare_with_simulated(
    const scenario::Scenario& scenario, const agreement::Observation& real) {
  std::vector<agreement::Observation> observations;
  scenario::Scenario tried = scenario;
  tried.schedule = std::vector<std::uint32_t>{};
  const Time begun = host::sys::now();
  for (std::uint64_t i = 0; i < kMostSchedules; ++i) {
    if (i == kSchedules || i == kMoreSchedules) {
      auto result = agreement::compare_worlds(scenario, observations, real);
      const bool open = result.what == agreement::Agreement::unknown && i < kMoreSchedules;
      if (result.what != agreement::Agreement::divergent && !open) return result;
    }
    const Duration taken = host::sys::now() - begun;
    if (i > kMoreSchedules && taken > kMostTime) break;
    if (i > 0 && taken > kPatience) {
      return agreement::AgreementResult{
          agreement::Agreement::unknown,
          fmt::format("within {} s only {} schedules could be simulated, and in none of them the "
                      "same was observed as on real processes",
                      std::chrono::duration_cast<std::chrono::seconds>(kPatience).count(), i)};
    }
    const auto trace = sim::simulate(tried);
    if (!trace) return unexpected(trace.error());
    if (trace->header.endless) return unexpected(std::string("a simulated run came to no end"));
    if (!trace->header.trouble.empty()) return unexpected(trace->header.trouble);
    observations.push_back(agreement::observation_beside(real, scenario, *trace));
    if (observations.back().facts == real.facts)
      return agreement::AgreementResult{agreement::Agreement::agree, ""};
    tried.schedule.reset();
    ++tried.seed;
  }
  return agreement::compare_worlds(scenario, observations, real);
}

int write_comparison(const scenario::Scenario& scenario, const ScenarioJob& job) {
  const auto text = read_file(job.compare, kTraceBytesMax, "a trace");
  if (!text) return broken(text.error().line());
  const auto real = trace::read_trace(*text, job.compare);
  if (!real) return broken(real.error().line());
  const auto result = compare_with_simulated(scenario, agreement::observation_of(scenario, *real));
  if (!result) return broken(result.error());
  const auto word = agreement::kAgreementNames[static_cast<std::size_t>(result->what)];
  return write(job.folder + "/agreement.txt", fmt::format("{}\n{}\n", word, result->reason));
}

}  // namespace

int carry_out_job(const ScenarioJob& job) {
  const auto loaded = load_scenario(job.scenario_file);
  if (!loaded) return broken(loaded.error().line());
  scenario::Scenario scenario =
      job.control ? scenario::control_of(loaded->scenario) : loaded->scenario;
  if (job.seed) scenario.seed = *job.seed;
  if (!job.compare.empty()) return write_comparison(scenario, job);
  const bool simulated = job.world == scenario::WorldKind::sim;
  auto trace = simulated ? sim::simulate(scenario)
                         : worlds::carry_out(scenario, {worlds::find_programs(), job.token,
                                                        job.folder, job.scenario_folder});
  if (!trace) return broken(trace.error());
  trace->header.scenario = scenario.name;
  trace->header.world = scenario::kWorldNames[static_cast<std::size_t>(job.world)];
  trace->header.role = job.control ? "control" : "run";
  trace->header.seed = scenario.seed;
  trace->header.version = kVersion;
  trace->header.scenario_json = scenario::write_scenario(scenario);
  return write(job.folder + "/trace.jsonl", trace::write_trace(*trace));
}

}  // namespace poolproof::run
