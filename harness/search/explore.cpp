#include "harness/search/explore.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <filesystem>
#include <map>
#include <new>

#include <fmt/format.h>

#include "harness/base/assert.hpp"
#include "harness/base/write_file.hpp"
#include "harness/host/forked_child.hpp"
#include "harness/host/system.hpp"
#include "harness/search/crash_allowance.hpp"
#include "harness/search/crash_signature.hpp"
#include "harness/search/explore_space.hpp"
#include "harness/search/run_in_child.hpp"
#include "harness/search/sweep_job.hpp"

namespace poolproof::search {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr Duration kLookEvery = 250ms;
constexpr Duration kTellEvery = 5s;
/// A run that takes this long will never end.
constexpr Duration kStuck = 20s;
constexpr std::size_t kSavedMost = 32;
/// A run during which this many processes were killed from outside has failed.
constexpr std::uint32_t kKillsOfRun = 2;
/// After so many kills from outside it makes no sense to go on.
constexpr std::uint64_t kKillsMost = 50;

/// The memory that both processes share.
struct ExplorationShared {
  std::atomic<std::uint64_t> runs;
  std::atomic<std::uint64_t> core_events;
  std::atomic<std::uint64_t> proved_nothing;
  std::atomic<bool> in_run;
  Walk walk;
};

/// The space of each kind of exploration, indexed by Exploration.
constexpr std::array kSpaces{explored_cuts, explored_faults, explored_orders};

std::string slug(const std::string& signature) {
  std::string slug;
  for (const char c : signature.substr(0, signature.find(':'))) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    slug += plain ? c : '-';
  }
  return slug;
}

std::string name_of(const JobFailure& failure) {
  return fmt::format("{}-{}", slug(failure.signature), failure.number);
}

/// Saves the failing scenario. If it can't be saved, the failure's sentence says so at its end.
void save(const std::string& folder, JobFailure& failure, scenario::Scenario scenario) {
  scenario.name = name_of(failure);
  scenario.why = "found by an explorer: " + failure.what;
  scenario.tags = {"regression"};
  const auto written = write_file_whole(fs::path(folder) / (scenario.name + ".json"),
                                        scenario::write_scenario(scenario));
  if (!written) failure.what += "; " + written.error();
}

/// Carries out one run after another from the present point of the walk.
class Walker {
 public:
  Walker(const ExploreOptions& options, ExplorationShared& shared, ExploredSpace& space, int said)
      : options_(options), shared_(shared), walk_(shared.walk), space_(space), said_(said) {
    runner_.cut_reads(space.cuts_reads());
    runner_.follow(space.leader(walk_));
  }

  void run() {
    const std::uint64_t most = options_.runs_most > 0 ? options_.runs_most : space_.runs_most();
    while (walk_.part < space_.parts().size()) {
      Walk::Tally& tally = walk_.tallies[walk_.part];
      if (most > 0 && tally.runs >= most) {
        tally.cut_short = true;
        walk_.next_part();
        continue;
      }
      shared_.in_run.store(true);
      ++tally.runs;
      carry_out(space_.at(walk_));
      shared_.in_run.store(false);
      space_.go_on(walk_, &runner_);
    }
  }

 private:
  void carry_out(const scenario::Scenario& scenario) {
    CaseResult result = runner_.run(scenario);
    const bool judged = !result.broken_off && !result.failed() && result.trouble.empty();
    if (judged) space_.judge(walk_, runner_, result.findings);
    for (const auto& finding : result.findings) failed(scenario, finding);
    if (!result.trouble.empty()) shared_.proved_nothing.fetch_add(1);
    shared_.core_events.fetch_add(result.core_events);
    shared_.runs.fetch_add(1);
  }

  /// Saves and reports the first failure of each kind, and reports the count at every power of two.
  void failed(const scenario::Scenario& scenario, const oracle::Finding& finding) {
    const std::string signature = oracle::signature(finding);
    const std::uint64_t times = ++seen_[signature];
    if ((times & (times - 1)) != 0) return;
    JobFailure failure{shared_.runs.load(), times, signature, finding.what};
    if (times == 1 && seen_.size() <= kSavedMost) {
      scenario::Scenario kept = scenario;
      if (runner_.schedule().taken().size() <= scenario::kScheduleMax) {
        kept.schedule = runner_.schedule().taken();
      }
      save(options_.out, failure, std::move(kept));
    }
    (void)host::sys::write(said_, line_of(failure));
  }

  const ExploreOptions& options_;
  ExplorationShared& shared_;
  Walk& walk_;
  ExploredSpace& space_;
  int said_;
  CaseRunner runner_;
  std::map<std::string, std::uint64_t> seen_;
};

/// Starts the process that walks, reads its reports, and goes on after a run that crashed it.
class Guide {
 public:
  Guide(const ExploreOptions& options, ExplorationShared& shared, ExploredSpace& space)
      : options_(options), shared_(shared), space_(space) {
    POOLPROOF_ASSERT(space_.parts().size() <= Walk::kPartsMax);
  }

  Expected<Explored, SearchError> run(const ExploreProgress& progress) {
    std::error_code error;
    fs::create_directories(options_.out, error);
    if (error) {
      return unexpected(SearchError{
          Kind::input, fmt::format("can't make {}: {}", options_.out, error.message())});
    }
    begun_ = told_ = host::sys::now();
    CrashAllowance allowance;
    while (true) {
      auto child = host::fork_child([this](int said) {
        Walker(options_, shared_, space_, said).run();
        return 0;
      });
      if (!child) return unexpected(SearchError{Kind::broken, "can't start a process"});
      std::string crash = watch(*child, progress);
      if (crash.empty()) return result();
      if (crash == kKilled) {
        if (killed_ + 1 > kKillsMost)
          return unexpected(SearchError{Kind::killed, "its processes were killed again and again"});
        if (begin_again()) continue;
        crash = crash_signature({0, SIGKILL}, "");
      }
      crashed(crash);
      if (!allowance.grant(crash, shared_.runs.load())) return result();
    }
  }

 private:
  using Kind = SearchError::Kind;

  /// In place of a signature: somebody else killed the process, as the system does when memory is
  /// short.
  static constexpr std::string_view kKilled = "killed from outside";

  /// Watches the process until it has ended. Returns the signature of its crash; empty: it is done.
  std::string watch(host::ForkedChild& child, const ExploreProgress& progress) {
    std::string said;
    std::string errors;
    std::uint64_t seen = 0;
    Time moved = host::sys::now();
    while (true) {
      std::array<pollfd, 2> fds{{{child.said.get(), POLLIN, 0}, {child.pidfd.get(), POLLIN, 0}}};
      (void)host::sys::poll(fds, kLookEvery);
      const Time now = host::sys::now();
      const auto ended = host::sys::peek_exit(child.pidfd.get());
      (void)drain(child.said.get(), said);
      (void)drain(child.errors.get(), errors);
      hear(said);
      if (ended && *ended) {
        (void)host::sys::reap(child.pidfd.get());
        if ((*ended)->signal == SIGKILL) return std::string(kKilled);
        return **ended == ExitStatus{} ? "" : crash_signature(**ended, errors);
      }
      if (shared_.runs.load() != seen) moved = now;
      seen = shared_.runs.load();
      if (now - moved >= kStuck) {
        (void)host::sys::signal_process(child.pidfd.get(), SIGKILL);
        (void)host::sys::reap(child.pidfd.get());
        return kStuckSignature;
      }
      if (progress && now - told_ >= kTellEvery) {
        told_ = now;
        progress(seen, now - begun_);
      }
    }
  }

  void hear(std::string& said) {
    std::size_t end = 0;
    while ((end = said.find('\n')) != std::string::npos) {
      note(failure_of(std::string_view(said).substr(0, end)));
      said.erase(0, end + 1);
    }
  }

  /// A process that walks on after a crash begins to count anew, so `times` is a lower bound.
  void note(const JobFailure& failure) {
    const auto known = std::ranges::find(failures_, failure.signature, &ExploredFailure::signature);
    if (known != failures_.end()) {
      known->times = std::max(known->times, failure.times);
      return;
    }
    const std::string file = fmt::format("{}/{}.json", options_.out, name_of(failure));
    failures_.push_back(
        {failure.signature, failure.what, failure.times, fs::exists(file) ? file : ""});
  }

  /// The run that a kill broke off is carried out once more. False: it has been killed before, and
  /// may well be what takes the memory.
  bool begin_again() {
    ++killed_;
    if (!shared_.in_run.exchange(false)) return true;
    if (++kills_[shared_.runs.load()] >= kKillsOfRun) return false;
    --shared_.walk.tallies[shared_.walk.part].runs;
    return true;
  }

  void crashed(const std::string& signature) {
    JobFailure failure{shared_.runs.load(), 1, signature, signature};
    save(options_.out, failure, space_.at(shared_.walk));
    note(failure);
    shared_.runs.fetch_add(1);
    space_.go_on(shared_.walk, nullptr);
  }

  Explored result() {
    Explored explored;
    for (std::size_t i = 0; i < space_.parts().size(); ++i) {
      const Walk::Tally& tally = shared_.walk.tallies[i];
      const bool given_up =
          i >= shared_.walk.part;  // the exploration ended early, after too many crashes
      explored.parts.push_back(
          {space_.parts()[i], tally.runs, tally.different, tally.cut_short || given_up});
    }
    explored.failures = failures_;
    explored.runs = shared_.runs.load();
    explored.core_events = shared_.core_events.load();
    explored.proved_nothing = shared_.proved_nothing.load();
    explored.killed = killed_;
    explored.elapsed = host::sys::now() - begun_;
    return explored;
  }

  const ExploreOptions& options_;
  ExplorationShared& shared_;
  ExploredSpace& space_;
  std::vector<ExploredFailure> failures_;
  std::uint64_t killed_ = 0;                      ///< how many processes were killed from outside
  std::map<std::uint64_t, std::uint32_t> kills_;  ///< how often a process was killed in each run
  Time begun_;
  Time told_;
};

}  // namespace

void Walk::next_part() {
  ++part;
  place = 0;
  depth = 0;
  tree.fixed = 0;
  tree.incomplete = false;
}

scenario::Scenario own_scenario(const char* json) {
  auto read = scenario::read_scenario(json, "explored");
  POOLPROOF_ASSERT(read.has_value());
  return std::move(*read);
}

Expected<Explored, SearchError> explore(const ExploreOptions& options,
                                        const ExploreProgress& progress) {
  const auto space = kSpaces[static_cast<std::size_t>(options.what)]();
  return explore(*space, options, progress);
}

Expected<Explored, SearchError> explore(ExploredSpace& space, const ExploreOptions& options,
                                        const ExploreProgress& progress) {
  auto memory = host::SharedMemory::of_size(sizeof(ExplorationShared));
  if (!memory) return unexpected(SearchError{SearchError::Kind::broken, "no memory to share"});
  auto* shared = new (memory->data()) ExplorationShared();
  return Guide(options, *shared, space).run(progress);
}

}  // namespace poolproof::search
