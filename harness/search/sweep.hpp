#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "harness/base/clock.hpp"
#include "harness/base/result.hpp"
#include "harness/oracle/coverage.hpp"
#include "harness/search/completed_ranges.hpp"
#include "harness/search/host_trial.hpp"
#include "harness/search/reproduces_with.hpp"
#include "harness/search/search_error.hpp"

namespace poolproof::search {

/// Which generated scenarios are carried out, and where the findings go.
struct SweepOptions {
  std::uint64_t seed = 0;
  std::uint64_t count = 0;  ///< scenarios in all shards together; 0: until `time` is over
  Duration time{};          ///< how long to go on; zero: until `count` is reached
  std::uint32_t jobs = 1;   ///< processes side by side; at most kJobsMax are started
  std::uint32_t shard = 0;  ///< from 0; this sweep does every `shards`th scenario
  std::uint32_t shards = 1;
  std::string out;                                  ///< the output folder; made if need be
  bool shrink = true;                               ///< shrink the first failure of each kind
  bool stop_at_failure = false;                     ///< the sweep ends at its first failure
  Duration shrink_time = std::chrono::seconds(20);  ///< how long each kind of failure is shrunk
  std::string self;  ///< our own program, for real processes; empty: they are not tried
  Duration host_time = std::chrono::seconds(20);  ///< on real processes, for each kind
  /// Called before a kind of failure is shrunk, which takes up to shrink_time and host_time.
  std::function<void(const std::string& signature)> before_shrinking;
  /// Called often. True: the cases under way are ended, the rest is left for the next time.
  std::function<bool()> asked_to_stop;
  /// For tests: called before each case, in the process that carries it out.
  std::function<void(std::uint64_t number)> before_each;
  Duration save_every = std::chrono::seconds(5);  ///< how much progress a kill may cost
  /// The processor time after which a case will never end.
  Duration stuck_after = std::chrono::seconds(20);
};

/// The most processes that one sweep has side by side.
inline constexpr std::uint32_t kJobsMax = 256;

/// How a sweep of one shard came to its end. This is what its saved state says.
enum class SweepEnd : std::uint8_t {
  running,   ///< it has not ended; or it was killed
  finished,  ///< its count is reached; without a count: its time is over
  time,      ///< its time was over before its count was reached
  asked,     ///< it was asked to stop
  failure,   ///< at the first failure, as it was told to
  crashes,   ///< it crashed too often, and the rest was left out
  kills,     ///< somebody killed its processes again and again
};
inline constexpr std::array<std::string_view, 7> kSweepEndNames{
    "running", "finished", "time", "asked", "failure", "crashes", "kills"};

/// The failures with one signature.
struct Failure {
  std::string signature;
  std::string what;                   ///< the finding of the first one: one sentence
  std::uint64_t number = 0;           ///< the first one's number in the sweep
  std::uint64_t seed = 0;             ///< the seed of the first one's case, which also fails alone
  std::uint64_t times = 0;            ///< how often it came in the cases that the tally counts
  std::vector<std::uint64_t> others;  ///< numbers of some more of them; not in files
  std::string file;                   ///< the shrunk scenario, in the folder; empty: not shrunk
  ReproducesWith reproduces_with = ReproducesWith::file;  ///< found by trying, if there is a file
  OnHost on_host;        ///< how often the file failed on real processes
  std::size_t size = 0;  ///< the number of steps and faults in that file
  std::size_t shrink_attempts = 0;
};

/// The totals of the runs in one codec. `busy` counts the time of one process.
struct CodecTotals {
  std::uint64_t runs = 0;
  std::uint64_t core_events = 0;
  Duration busy{};
};

/// The totals of some scenarios, without their failures.
struct Tally {
  std::uint64_t done = 0;            ///< scenarios carried out and judged
  CodecTotals terse;                 ///< every scenario; includes the generator's time
  CodecTotals json;                  ///< one in twenty, and each whose faults touch payloads
  std::uint64_t repeated = 0;        ///< runs made a second time to compare the traces
  std::uint64_t traces = 0;          ///< sum of their hashes: the same for every build
  std::uint64_t proved_nothing = 0;  ///< runs in which an await never came true
  oracle::Coverage coverage;

  void add(const Tally& other);
};

/// How far one shard has got.
struct ShardProgress {
  std::uint32_t shard = 0;  ///< the shard's number, from 0
  CompletedRanges numbers;  ///< the cases that are done; those of other shards among them
  SweepEnd end = SweepEnd::running;

  /// The cases of this shard that are done.
  [[nodiscard]] std::uint64_t done(std::uint32_t shards) const;
};

/// The number of cases below `count` that are that shard's.
std::uint64_t cases_of(std::uint64_t count, std::uint32_t shard, std::uint32_t shards);

/// How far a sweep has got: one shard of it, or the sum of some shards.
struct SweepState : Tally {
  std::uint64_t seed = 0;
  std::uint64_t count = 0;  ///< scenarios in all shards together; 0: no count was given
  std::uint32_t shards = 1;
  std::string build;  ///< the build_fingerprint() of the program that carried them out
  bool merged = false;
  /// Sorted by shard; a single part unless it is a merged state
  std::vector<ShardProgress> parts{1};
  std::uint64_t killed = 0;       ///< times that a process of ours was killed from outside
  Duration elapsed{};             ///< in all runs of all shards together, without shrinking
  std::vector<Failure> failures;  ///< sorted by their first number

  // The members below are not written to files:
  std::uint64_t last_cases = 0;         ///< the cases that were carried out last, up to 100,000...
  std::uint64_t cells_before_last = 0;  ///< ...and the coverage cells reached before them
  /// Why the sweep could not go on, as one sentence: mostly its state could not be saved, and the
  /// file that was there is as it was. Empty: nothing was in the way.
  std::string trouble;

  [[nodiscard]] const ShardProgress& own() const { return parts.front(); }
  [[nodiscard]] ShardProgress& own() { return parts.front(); }
};

/// Called every second, and at the end.
using SweepProgress = std::function<void(const SweepState& state, Duration left)>;

/// Generates, carries out and judges scenarios in processes of their own, and shrinks those that
/// fail. Goes on where an earlier sweep with the same seed and shard into the same folder stopped.
/// A crash, a broken promise of the code and a run without end are failures like any other; only a
/// sweep that does little but crash gives up (crash_allowance.hpp). A process that somebody else
/// killed is no failure: its cases are carried out once more, and only a case during which the
/// second process is killed, too, has failed. A state that can't be saved ends the sweep.
Expected<SweepState, SearchError> sweep(const SweepOptions& options, const SweepProgress& progress);

/// The seed that a number or a text (a commit hash) stands for.
std::uint64_t seed_of_text(std::string_view text);

}  // namespace poolproof::search
