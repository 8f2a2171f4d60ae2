#include "harness/search/host_trial.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <utility>

#include "harness/host/system.hpp"
#include "harness/run/runner.hpp"
#include "harness/scenario/client_name.hpp"
#include "harness/scenario/shrink.hpp"
#include "harness/search/run_in_child.hpp"

namespace poolproof::search {
namespace {

using namespace std::chrono_literals;
using scenario::Scenario;

constexpr Duration kRunLimit = 15s;
constexpr Duration kSimulatedLimit = 5s;
constexpr std::uint32_t kRunsToTell = 3;
constexpr std::uint32_t kRunsOnTheWay = 2;
/// The second value is longer than the time in which a real machine must act (oracle::Bounds).
constexpr std::array<Duration, 2> kMoreTimes{1s, 7s};

/// A run that breaks a promise of the code has a signature of its own in the simulator; on real
/// processes it is a crash.
bool fails_likewise(const run::ScenarioResult& result, const std::string& signature) {
  const std::string invariant = signature.substr(0, signature.find(':'));
  return std::ranges::any_of(result.findings, [&](const oracle::Finding& finding) {
    return finding.invariant == invariant || finding.invariant == "crash";
  });
}

/// Tries the scenario's own order, then the plainest.
bool fails_simulated(Scenario& candidate, const std::string& signature) {
  if (run_in_child(candidate, kSimulatedLimit).failed_with(signature)) return true;
  if (candidate.schedule && candidate.schedule->empty()) return false;
  candidate.schedule.emplace();
  return run_in_child(candidate, kSimulatedLimit).failed_with(signature);
}

bool strikes(const scenario::Step& step) {
  return std::holds_alternative<scenario::Cancel>(step) ||
         std::holds_alternative<scenario::Close>(step) ||
         std::holds_alternative<scenario::SignalWorker>(step);
}

void insert_pause(Scenario& scenario, std::size_t client, std::size_t at, Duration span) {
  auto& steps = scenario.clients[client].steps;
  steps.insert(steps.begin() + static_cast<std::ptrdiff_t>(at), scenario::Pause{span});
  const std::string_view name = scenario.clients[client].name;
  scenario::for_each_step(scenario, [&](scenario::Step& step) {
    auto* await = std::get_if<scenario::AwaitClient>(&step);
    if (await == nullptr || await->step < at) return;
    if (scenario::common_name(await->client) == name) ++await->step;
  });
}

/// Returns whether there are any such steps.
bool pause_before_strikes(Scenario& scenario, Duration span) {
  bool any = false;
  for (std::size_t i = 0; i < scenario.clients.size(); ++i) {
    if (scenario.clients[i].repeat > 1) continue;
    for (std::size_t at = scenario.clients[i].steps.size(); at-- > 0;) {
      if (!strikes(scenario.clients[i].steps[at])) continue;
      insert_pause(scenario, i, at, span);
      any = true;
    }
  }
  return any;
}

/// Searches for a scenario that fails in both worlds, starting from one that fails in the
/// simulator.
class Search {
 public:
  Search(ShrunkFailure& shrunk, const std::string& signature, const TryOnHost& try_on_host)
      : shrunk_(shrunk), signature_(signature), try_on_host_(try_on_host) {}

  /// Adds pauses. The simulator goes on until nothing can happen any more, but a real pool is
  /// closed as soon as its clients are done: a failure that comes later needs a client that is
  /// still there. A pause before a strike helps, too: in the plainest order the other clients have
  /// come as far as they can by then.
  bool more_time() {
    return std::ranges::any_of(kMoreTimes, [this](Duration more) {
      Scenario longer = shrunk_.scenario;
      for (scenario::Client& client : longer.clients) {
        if (client.repeat == 1) client.steps.emplace_back(scenario::Pause{more});
      }
      if (take_if_it_fails(longer)) return true;
      return pause_before_strikes(longer, more) && take_if_it_fails(longer);
    });
  }

  /// Goes back over the scenarios that were made on the way, from the smallest (small ones end
  /// soon) in strides that double, and then by bisection.
  bool on_the_way() {
    const auto& way = shrunk_.way;
    if (way.size() < 2) return false;
    std::size_t holds = way.size() - 1;
    std::size_t fails = holds;
    for (std::size_t stride = 1; fails == holds; stride *= 2) {
      const std::size_t at = holds > stride ? holds - stride : 0;
      if (fails_on_host(way[at])) {
        fails = at;
      } else if (at == 0 || over_) {
        return false;
      } else {
        fails = holds = at;
      }
    }
    while (holds - fails > 1) {
      const std::size_t middle = fails + (holds - fails) / 2;
      (fails_on_host(way[middle]) ? fails : holds) = middle;
    }
    shrunk_.scenario = way[fails];
    return true;
  }

  void shrink() {
    auto smaller = scenario::shrink(std::move(shrunk_.scenario),
                                    [&](Scenario& candidate) { return fails_in_both(candidate); });
    smaller.attempts += shrunk_.attempts;
    static_cast<scenario::Shrunk&>(shrunk_) = std::move(smaller);
  }

  /// How often the scenario that is kept failed on real processes.
  [[nodiscard]] OnHost kept() const { return kept_; }

 private:
  bool take_if_it_fails(Scenario candidate) {
    if (!fails_in_both(candidate)) return false;
    shrunk_.scenario = std::move(candidate);
    return true;
  }

  bool fails_in_both(Scenario& candidate) {
    return !over_ && fails_simulated(candidate, signature_) && fails_on_host(candidate);
  }

  bool fails_on_host(const Scenario& candidate) {
    const OnHost tried = try_on_host_(candidate, kRunsOnTheWay);
    over_ = tried.runs == 0;
    if (tried.failed < kRunsOnTheWay) return false;
    kept_ = tried;
    return true;
  }

  ShrunkFailure& shrunk_;
  const std::string& signature_;
  const TryOnHost& try_on_host_;
  bool over_ = false;
  OnHost kept_;
};

}  // namespace

HostTrials::HostTrials(std::string self, std::string folder, Duration budget)
    : self_(std::move(self)), folder_(std::move(folder)), budget_(budget) {}

OnHost HostTrials::run(const Scenario& scenario, const std::string& signature, std::uint32_t runs) {
  OnHost on_host;
  const run::Loaded loaded{scenario, "trial.json", scenario::write_scenario(scenario)};
  if (!scenario.runs_in(scenario::WorldKind::host)) return on_host;
  if (!worlds::check_programs(scenario, worlds::find_programs(), loaded.file, loaded.folder())) {
    return on_host;
  }
  if (spent_ >= budget_) return on_host;
  run::RunOptions options;
  options.self = self_;
  options.out = folder_;
  options.repeat = runs;
  options.control = false;
  options.scenario_limit = kRunLimit;
  const Time begun = host::sys::now();
  const auto run = run::run_all({loaded}, options, {});
  spent_ += host::sys::now() - begun;
  if (run) {
    on_host.runs = runs;
    on_host.failed = static_cast<std::uint32_t>(std::ranges::count_if(
        run->scenarios,
        [&](const run::ScenarioResult& result) { return fails_likewise(result, signature); }));
  }
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
  return on_host;
}

OnHost shrink_for_host(ShrunkFailure& shrunk, const std::string& signature,
                       const TryOnHost& try_on_host) {
  const OnHost smallest = try_on_host(shrunk.scenario, kRunsToTell);
  if (smallest.runs == 0 || smallest.failed + 1 >= kRunsToTell) return smallest;
  Search search(shrunk, signature, try_on_host);
  if (!search.more_time() && !search.on_the_way()) return smallest;
  search.shrink();
  const OnHost now = try_on_host(shrunk.scenario, kRunsToTell);
  return now.runs > 0 ? now : search.kept();
}

}  // namespace poolproof::search
