#include <cstdint>
#include <cstdio>
#include <fstream>

#include "harness/base/text.hpp"
#include "harness/run/runner.hpp"
#include "harness/run/version.hpp"
#include "harness/trace/jsonl.hpp"

namespace poolproof::run {
namespace {

constexpr int kBroken = 70;

int broken(const std::string& why) {
  std::fprintf(stderr, "%s\n", printable_page(why).c_str());
  return kBroken;
}

}  // namespace

int carry_out_errand(const Errand& errand) {
  const auto loaded = load_scenario(errand.scenario_file);
  if (!loaded) return broken(loaded.error().line());
  scenario::Scenario scenario =
      errand.control ? scenario::control_of(loaded->scenario) : loaded->scenario;
  if (errand.seed) scenario.seed = *errand.seed;
  auto trace = carry_out(scenario, {find_programs(), errand.token, errand.folder});
  if (!trace) return broken(trace.error());
  trace->header.scenario = scenario.name;
  trace->header.world = "host";
  trace->header.role = errand.control ? "control" : "run";
  trace->header.seed = scenario.seed;
  trace->header.version = kVersion;
  trace->header.scenario_json = scenario::write_scenario(scenario);
  std::ofstream file(errand.folder + "/trace.jsonl", std::ios::binary);
  file << trace::write_trace(*trace);
  file.close();
  return file ? 0 : broken("can't write " + errand.folder + "/trace.jsonl");
}

}  // namespace poolproof::run
