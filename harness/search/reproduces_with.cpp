#include "harness/search/reproduces_with.hpp"

#include <fmt/format.h>

#include "harness/base/assert.hpp"
#include "harness/run/judge.hpp"
#include "harness/search/run_in_child.hpp"
#include "harness/sim/world.hpp"

namespace poolproof::search {
namespace {

using scenario::Scenario;

constexpr Duration kLimit = std::chrono::seconds(5);

bool file_shows(const Scenario& scenario, const std::string& signature, sim::Limits limits) {
  const auto run = [&]() -> std::vector<oracle::Finding> {
    const auto file = scenario::read_scenario(scenario::write_scenario(scenario), "file");
    if (!file) return {};
    auto trace = sim::simulate(*file, limits);
    if (!trace) return {};
    run::Attempt attempt;
    attempt.trace = std::move(*trace);
    attempt.trace->header.world = "sim";
    return run::judge(*file, attempt, std::nullopt).findings;
  };
  return find_in_child(run, kLimit).failed_with(signature);
}

}  // namespace

ReproducesWith reproduces_with(const Scenario& file, const Scenario& found,
                               const std::string& signature, sim::Limits limits_of_files) {
  if (file_shows(file, signature, limits_of_files)) return ReproducesWith::file;
  if (run_in_child(found, kLimit, wire::Codec::json).failed_with(signature)) {
    return ReproducesWith::case_alone;
  }
  const bool terse = run_in_child(found, kLimit, wire::Codec::terse).failed_with(signature);
  return terse ? ReproducesWith::terse_case : ReproducesWith::nothing;
}

std::string why_no_file_shows_it(ReproducesWith reproduces_with, std::uint64_t case_seed) {
  POOLPROOF_ASSERT(reproduces_with != ReproducesWith::file);
  constexpr std::string_view kNot = "`poolproof run` does not show it";
  if (reproduces_with == ReproducesWith::nothing) {
    return fmt::format(
        "{}, and its case alone does not either: it hangs on what ran before it; only the whole "
        "sweep shows it",
        kNot);
  }
  return fmt::format("{}, `poolproof sweep --case {:#x}` does: {}", kNot, case_seed,
                     reproduces_with == ReproducesWith::terse_case
                         ? "it fails with terse messages only, and files are run with JSON"
                         : "it fails only as it was generated, in its own order");
}

}  // namespace poolproof::search
