#include "harness/run/runner.hpp"

#include <algorithm>
#include <atomic>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <sstream>
#include <thread>

#include <fmt/format.h>

#include "harness/agreement/agreement.hpp"
#include "harness/base/read_file.hpp"
#include "harness/base/shell.hpp"
#include "harness/base/text.hpp"
#include "harness/base/write_file.hpp"
#include "harness/host/descriptor.hpp"
#include "harness/host/guardian.hpp"
#include "harness/host/system.hpp"
#include "harness/pool/explain.hpp"
#include "harness/run/job_process.hpp"
#include "harness/run/judge.hpp"
#include "harness/run/version.hpp"
#include "harness/trace/jsonl.hpp"

namespace poolproof::run {
namespace {

namespace fs = std::filesystem;
using scenario::WorldKind;

constexpr std::uintmax_t kTraceBytesMax = std::uintmax_t{1} << 30U;

/// The text of a file; empty: it can't be read.
std::string text_of(const fs::path& path) {
  return read_file(path.string(), kTraceBytesMax, "").value_or("");
}

/// Whether the process could not do its work and has said why. Any other end is a crash; a
/// sanitizer exits with another code.
bool said_why(ExitStatus exit) {
  return exit == ExitStatus{64, 0} || exit == ExitStatus{70, 0};
}

/// One scenario to be run once.
struct Job {
  const Loaded* loaded;
  std::uint32_t repetition;
  std::size_t number;
  std::string label;  ///< names its traces; unique among the jobs of the run
};

class Runner {
 public:
  Runner(const RunOptions& options, std::string token)
      : options_(options), token_(std::move(token)), work_(fs::path(options.out) / ".work") {}

  /// Makes and locks the output folder, and removes what a killed run left in the work folder.
  Expected<void, std::string> prepare() {
    std::error_code error;
    fs::create_directories(fs::path(options_.out) / "traces", error);
    if (error) return unexpected(trouble_with_out("can't make", error.message()));
    // We hold this lock until we end, however that happens: two runs would remove each other's
    // files.
    auto folder = host::sys::lock_folder(options_.out.c_str());
    if (!folder) {
      const bool taken = folder.error() == EWOULDBLOCK;
      return unexpected(trouble_with_out(
          "can't use", taken ? "another run is writing there" : std::strerror(folder.error())));
    }
    folder_ = std::move(*folder);
    for (const std::string& file : options_.stale) fs::remove(fs::path(options_.out) / file, error);
    fs::remove_all(work_, error);
    fs::create_directories(work_, error);
    if (error) return unexpected(trouble_with_out("can't make", error.message()));
    return {};
  }

  void clean_up() {
    std::error_code ignored;
    fs::remove_all(work_, ignored);
    folder_.reset();
  }

  ScenarioResult run(const Job& job) {
    const Time begun = host::sys::now();
    const auto& scenario = job.loaded->scenario;
    ScenarioResult result;
    if (options_.worlds != Worlds::both) {
      const bool simulated = options_.worlds == Worlds::sim;
      result = run_in(
          job, {scenario, job.loaded->text, simulated ? WorldKind::sim : WorldKind::host, ""});
    } else {
      result = run_in_both(job);
    }
    result.file = job.loaded->file;
    result.repetition = job.repetition;
    result.seed = seed_of(job);
    result.elapsed = host::sys::now() - begun;
    const std::string world =
        result.world == "host" ? "" : fmt::format(" --world {}", result.world);
    result.again = fmt::format("poolproof run {}{} --seed {:#x}", shell_path(job.loaded->file),
                               world, result.seed);
    return result;
  }

 private:
  /// A scenario as one world is to run it.
  struct Version {
    const scenario::Scenario& scenario;
    std::string text;  ///< the scenario as the text of a file
    WorldKind world;
    std::string suffix;  ///< the end of the names of its traces
  };

  ScenarioResult run_in(const Job& job, const Version& version) {
    const Attempt done = attempt(job, version, false);
    std::optional<Attempt> control;
    if (options_.control && scenario::harms(version.scenario)) {
      control = attempt(job, version, true);
    }
    ScenarioResult result = judge(version.scenario, done, control);
    result.world = scenario::kWorldNames[static_cast<std::size_t>(version.world)];
    if (done.kept) result.trace_file = trace_file(job, version, false);
    return result;
  }

  /// Runs on real processes with all timeouts that should not decide made long, then in the
  /// simulator, and compares both. A scenario that is aimed by time keeps its timeouts, and is not
  /// compared.
  ScenarioResult run_in_both(const Job& job) {
    const auto& scenario = job.loaded->scenario;
    if (const auto why = agreement::why_in_one_world(scenario); !why.empty()) {
      const auto world = scenario.runs_in(WorldKind::host) ? WorldKind::host : WorldKind::sim;
      ScenarioResult result = run_in(job, {scenario, job.loaded->text, world, ""});
      result.agreement = "not compared: " + why;
      return result;
    }
    const std::string why_not = agreement::why_not_compared(scenario);
    const auto real = why_not.empty() ? agreement::unhurried(scenario) : scenario;
    ScenarioResult result =
        run_in(job, {real, scenario::write_scenario(real), WorldKind::host, ""});
    ScenarioResult simulated = run_in(job, {scenario, job.loaded->text, WorldKind::sim, ".sim"});
    result.world = kWorldsNames[static_cast<std::size_t>(Worlds::both)];
    result.verdict = std::max(result.verdict, simulated.verdict);
    for (auto& finding : simulated.findings) {
      finding.what = "in the simulator: " + finding.what;
      result.findings.push_back(std::move(finding));
    }
    for (const auto& why : simulated.reasons) result.reasons.push_back("in the simulator: " + why);
    if (!why_not.empty()) {
      result.agreement = "not compared: " + why_not;
    } else if (!result.trace_file.empty()) {
      compare(job, result);
    }
    return result;
  }

  /// Starts this program again, to carry a scenario out in a new folder `place`. The scenario that
  /// was checked is the one that is run, even if somebody edits the file meanwhile.
  Expected<Ended, std::string> carry_out(const std::string& place, const Job& job,
                                         const std::string& scenario,
                                         const std::vector<std::string>& more) {
    const std::string token = fmt::format("{}/{}", token_, place);
    const fs::path folder = fs::absolute(work_ / place);
    std::error_code error;
    fs::create_directories(folder, error);
    const fs::path file = folder / "scenario.json";
    if (auto written = write_file_whole(file, scenario, Durable::no); !written)
      return unexpected(std::move(written.error()));
    std::vector<std::string> argv{
        options_.self, "carry-out", "--scenario",    file.string(),       "--token",
        token,         "--folder",  folder.string(), "--scenario-folder", job.loaded->folder()};
    argv.insert(argv.end(), more.begin(), more.end());
    return run_process(argv, token, options_.scenario_limit);
  }

  void compare(const Job& job, ScenarioResult& result) {
    const std::string place = fmt::format("{}a", job.number);
    const auto trace = fs::absolute(fs::path(options_.out) / result.trace_file);
    const auto ended = carry_out(place, job, job.loaded->text, {"--compare", trace.string()});
    const fs::path folder = work_ / place;
    std::error_code error;
    std::istringstream said(text_of(folder / "agreement.txt"));
    std::string word;
    std::string reason;
    std::getline(said, word);
    std::getline(said, reason);
    fs::remove_all(folder, error);
    result.agreement = reason.empty() ? word : fmt::format("{}: {}", word, reason);
    if (word == "agree") return;
    if (word == "not_compared") {
      result.agreement = "not compared: " + reason;
      return;
    }
    if (word == "divergent") {
      result.verdict = std::max(result.verdict, Verdict::divergent);
      result.reasons.push_back(reason);
      return;
    }
    result.verdict = std::max(result.verdict, Verdict::unknown);
    const std::string trouble = ended ? printable_page(ended->said) : ended.error();
    result.reasons.push_back(word.empty() ? "the worlds could not be compared: " + trouble
                                          : reason);
  }

  /// The seed of a job. Each repetition has its own: the simulator would do the same again
  /// otherwise.
  [[nodiscard]] std::uint64_t seed_of(const Job& job) const {
    return options_.seed.value_or(job.loaded->scenario.seed) + job.repetition;
  }

  [[nodiscard]] static std::string trace_file(const Job& job, const Version& version,
                                              bool control) {
    return fmt::format("traces/{}{}{}.jsonl", job.label, version.suffix, control ? ".control" : "");
  }

  Attempt attempt(const Job& job, const Version& version, bool control) {
    Attempt attempt;
    const std::string place =
        fmt::format("{}{}{}", job.number, version.suffix, control ? "c" : "r");
    const fs::path folder = work_ / place;
    // A file of an earlier run must not pass for a new one.
    std::error_code error;
    fs::remove(fs::path(options_.out) / trace_file(job, version, control), error);
    std::vector<std::string> more;
    if (control) more.emplace_back("--control");
    if (version.world == WorldKind::sim) more.insert(more.end(), {"--world", "sim"});
    if (options_.seed || job.repetition > 0)
      more.insert(more.end(), {"--seed", std::to_string(seed_of(job))});
    const auto ended = carry_out(place, job, version.text, more);
    if (!ended) {
      attempt.trouble = ended.error();
      return attempt;
    }
    attempt.overran = ended->overran;
    attempt.crashed = !ended->overran && ended->exit != ExitStatus{} && !said_why(ended->exit);
    if (ended->exit != ExitStatus{}) {
      attempt.trouble =
          fmt::format("{}: {}", pool::words(ended->exit), printable_page(ended->said));
      return attempt;
    }
    const std::string kept_as = trace_file(job, version, control);
    auto trace = trace::read_trace(text_of(folder / "trace.jsonl"), kept_as);
    if (!trace) {
      attempt.trouble = trace.error().line();
      return attempt;
    }
    attempt.trace = std::move(*trace);
    fs::rename(folder / "trace.jsonl", fs::path(options_.out) / kept_as, error);
    attempt.kept = !error;
    fs::remove_all(folder, error);
    return attempt;
  }

  [[nodiscard]] std::string trouble_with_out(const char* what, const std::string& why) const {
    return fmt::format("{} the output folder {}: {}", what, options_.out, why);
  }

  const RunOptions& options_;
  std::string token_;
  fs::path work_;
  host::Descriptor folder_;
};

/// Turns an exception into the verdict of this one scenario, so that the program goes on.
ScenarioResult run_safely(Runner& runner, const Job& job) {
  try {
    return runner.run(job);
  } catch (const std::exception& broken) {
    ScenarioResult result;
    result.name = job.loaded->scenario.name;
    result.file = job.loaded->file;
    result.why = job.loaded->scenario.why;
    result.repetition = job.repetition;
    result.reasons = {fmt::format("the harness itself broke: {}", broken.what())};
    return result;
  }
}

std::uint32_t jobs_for(std::uint32_t asked, std::size_t scenarios) {
  const std::uint32_t wanted =
      asked > 0 ? asked : 2 * std::max(1U, std::thread::hardware_concurrency());
  return static_cast<std::uint32_t>(std::clamp<std::size_t>(scenarios, 1, wanted));
}

}  // namespace

Expected<RunResult, std::string> run_all(const std::vector<Loaded>& scenarios,
                                         const RunOptions& options, const Progress& progress) {
  const Time begun = host::sys::now();
  host::sys::ignore_sigpipe();
  const std::string token = host::new_token();
  // The guardian comes first: from here on even a kill -9 leaves no process behind.
  const auto guardian = host::Guardian::start(options.self, token);
  if (!guardian) return unexpected(guardian.error().message);
  Runner runner(options, token);
  if (const auto ready = runner.prepare(); !ready) return unexpected(ready.error());

  std::vector<Job> jobs;
  std::map<std::string, std::uint32_t> named;
  for (const auto& loaded : scenarios) {
    for (std::uint32_t i = 0; i < options.repeat; ++i) {
      const std::uint32_t before = named[loaded.scenario.name]++;
      const std::string label = before == 0
                                    ? loaded.scenario.name
                                    : fmt::format("{}.{}", loaded.scenario.name, before + 1);
      jobs.push_back({&loaded, i, jobs.size(), label});
    }
  }
  RunResult result;
  result.version = kVersion;
  result.jobs = jobs_for(options.jobs, jobs.size());
  result.scenarios.resize(jobs.size());
  std::atomic<std::size_t> next = 0;
  std::mutex mutex;
  std::size_t done = 0;
  const auto work = [&] {
    for (std::size_t i = next++; i < jobs.size(); i = next++) {
      result.scenarios[i] = run_safely(runner, jobs[i]);
      const std::lock_guard lock(mutex);
      if (progress) progress(++done, jobs.size(), result.scenarios[i]);
    }
  };
  std::vector<std::thread> threads;
  for (std::uint32_t i = 0; i < result.jobs; ++i) threads.emplace_back(work);
  for (auto& thread : threads) thread.join();
  runner.clean_up();
  result.elapsed = host::sys::now() - begun;
  return result;
}

}  // namespace poolproof::run
