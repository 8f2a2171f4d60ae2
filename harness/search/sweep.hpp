#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "harness/base/clock.hpp"
#include "harness/base/result.hpp"
#include "harness/oracle/coverage.hpp"
#include "harness/search/completed_ranges.hpp"
#include "harness/search/host_trial.hpp"
#include "harness/search/reproduces_with.hpp"

namespace poolproof::search {

/// Which generated scenarios are carried out, and where the findings go.
struct SweepOptions {
  std::uint64_t seed = 0;
  std::uint64_t count = 0;  ///< of scenarios in all shards together; 0: until `time` is over
  Duration time{};          ///< zero: until `count` is reached
  std::uint32_t jobs = 1;   ///< processes side by side
  std::uint32_t shard = 0;  ///< from 0; this sweep does every `shards`th scenario
  std::uint32_t shards = 1;
  std::string out;                                  ///< folder; made if need be
  bool shrink = true;                               ///< shrink the first failure of each kind
  bool stop_at_failure = false;                     ///< one failure is enough
  Duration shrink_time = std::chrono::seconds(20);  ///< for each kind of failure
  std::string self;  ///< our own program, for real processes; empty: they are not tried
  Duration host_time = std::chrono::seconds(20);  ///< on real processes, for each kind
  /// Called before a kind of failure is shrunk, which takes up to shrink_time and host_time.
  std::function<void(const std::string& signature)> before_shrinking;
  /// For tests: called before each case, in the process that carries it out.
  std::function<void(std::uint64_t number)> before_each;
  Duration save_every = std::chrono::seconds(5);  ///< how much progress a kill may cost
};

/// The failures with one signature.
struct Failure {
  std::string signature;
  std::string what;          ///< the finding of the first one: one sentence
  std::uint64_t number = 0;  ///< of the first one in the sweep
  std::uint64_t seed = 0;    ///< of that case, which fails again alone
  std::uint64_t times = 0;
  std::vector<std::uint64_t> others;  ///< numbers of some more of them; not in files
  std::string file;                   ///< the shrunk scenario, in the folder; empty: not shrunk
  ReproducesWith reproduces_with = ReproducesWith::file;  ///< found by trying, if there is a file
  OnHost on_host;        ///< how often the file failed on real processes
  std::size_t size = 0;  ///< its steps and faults
  std::size_t shrink_attempts = 0;
};

/// The totals of the runs in one codec. `busy` counts the time of one process.
struct Spoken {
  std::uint64_t runs = 0;
  std::uint64_t core_events = 0;
  Duration busy{};
};

/// The totals of some scenarios, without their failures.
struct Tally {
  std::uint64_t done = 0;            ///< scenarios carried out and judged
  Spoken terse;                      ///< every scenario; includes the generator's time
  Spoken json;                       ///< one in twenty, and each whose faults touch payloads
  std::uint64_t repeated = 0;        ///< runs made a second time to compare the traces
  std::uint64_t traces = 0;          ///< sum of their hashes: the same for every build
  std::uint64_t proved_nothing = 0;  ///< runs in which an await never came true
  oracle::Coverage coverage;

  void add(const Tally& other);
};

/// How far a sweep has got.
struct SweepState : Tally {
  std::uint64_t seed = 0;
  std::uint32_t shard = 0;
  std::uint32_t shards = 1;
  CompletedRanges numbers;              ///< the cases that the tally counts
  Duration elapsed{};                   ///< in all runs of the sweep together
  std::uint64_t cells_before_last = 0;  ///< coverage cells reached before the last 100,000 cases
  std::vector<Failure> failures;        ///< by their first number
  bool gave_up = false;                 ///< it crashed too often, and the rest was left out
  bool stopped_early = false;  ///< it ended before its count: that it missed a cell proves nothing
};

/// Called every second, and at the end.
using SweepProgress = std::function<void(const SweepState& state, Duration left)>;

/// Generates, carries out and judges scenarios in processes of their own, and shrinks those that
/// fail. Goes on where an earlier sweep with the same seed and shard into the same folder stopped.
/// A crash, a broken promise of the code and a run without end are failures like any other; only a
/// sweep that does little but crash gives up (crash_allowance.hpp). Error: one sentence why the
/// harness can't do it.
Expected<SweepState, std::string> sweep(const SweepOptions& options, const SweepProgress& progress);

/// The seed that a number or a text (a commit hash) stands for.
std::uint64_t seed_of_text(std::string_view text);

}  // namespace poolproof::search
