#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "harness/base/clock.hpp"
#include "harness/base/result.hpp"
#include "harness/oracle/coverage.hpp"
#include "harness/search/done_numbers.hpp"
#include "harness/search/host_trial.hpp"
#include "harness/search/shown_by.hpp"

namespace poolproof::search {

/// Which generated scenarios are carried out, and where the findings go.
struct SweepOptions {
  std::uint64_t seed = 0;
  std::uint64_t count = 0;  ///< scenarios of all shards together; 0: until the time is over
  Duration time{};          ///< zero: until the count is reached
  std::uint32_t jobs = 1;   ///< processes side by side
  std::uint32_t shard = 0;  ///< from 0; this sweep does every `shards`th scenario
  std::uint32_t shards = 1;
  std::string out;                                  ///< folder; made if need be
  bool shrink = true;                               ///< make the first failure of each kind small
  bool stop_at_failure = false;                     ///< one failure is enough
  Duration shrink_time = std::chrono::seconds(20);  ///< for each kind of failure
  std::string self;  ///< our own program, for real processes; empty: they are not tried
  Duration host_time = std::chrono::seconds(20);  ///< on real processes, for each kind of failure
  /// Called before a kind of failure is made small, which takes up to shrink_time and host_time.
  std::function<void(const std::string& signature)> before_shrinking;
  /// For tests: called before each case, in the process that carries it out.
  std::function<void(std::uint64_t number)> before_each;
  Duration save_every = std::chrono::seconds(5);  ///< how far it has got: what a kill may cost
};

/// Failures of one kind: they have the same signature.
struct Failure {
  std::string signature;
  std::string what;          ///< the finding of the first one: one sentence
  std::uint64_t number = 0;  ///< of the first one in the sweep
  std::uint64_t seed = 0;    ///< of that case: it fails again alone
  std::uint64_t times = 0;
  std::vector<std::uint64_t> others;  ///< numbers of some more of them; not kept in files
  std::string file;                   ///< of the shrunk scenario, in the folder; empty: not shrunk
  ShownBy shown_by = ShownBy::file;   ///< tried, if there is a file
  OnHost on_host;                     ///< how often the file failed on real processes
  std::size_t size = 0;               ///< its steps and faults
  std::size_t shrink_attempts = 0;
};

/// What the runs in one codec came to. Their rate is that of one process.
struct Spoken {
  std::uint64_t runs = 0;
  std::uint64_t core_events = 0;
  Duration busy{};
};

/// What some scenarios came to, beside their failures.
struct Tally {
  std::uint64_t done = 0;            ///< scenarios carried out and judged
  Spoken terse;                      ///< every scenario; its time is with the generator's
  Spoken json;                       ///< one in twenty, and each whose faults touch payloads
  std::uint64_t repeated = 0;        ///< runs made a second time to compare the traces
  std::uint64_t traces = 0;          ///< sum of their hashes: the same for every build
  std::uint64_t proved_nothing = 0;  ///< an await never came true
  oracle::Coverage coverage;

  void add(const Tally& other);
};

/// How far a sweep has got.
struct SweepState : Tally {
  std::uint64_t seed = 0;
  std::uint32_t shard = 0;
  std::uint32_t shards = 1;
  DoneNumbers numbers;                  ///< the tally is of these, and of no other
  Duration elapsed{};                   ///< all runs of it together
  std::uint64_t cells_before_last = 0;  ///< cells that were reached before the last 100,000
  std::vector<Failure> failures;        ///< by their first number
  bool gave_up = false;                 ///< it crashed so often that the rest was left
  bool stopped_early = false;           ///< before its count: what it did not reach says nothing
};

/// Called now and then, and at the end.
using SweepProgress = std::function<void(const SweepState& state, Duration left)>;

/// Generates, carries out and judges scenarios in processes of their own, goes on where an earlier
/// sweep with the same seed and shard into the same folder stopped, and shrinks what fails. A
/// crash, a broken promise of the code or a run without end is a failure like any other; only when
/// little else comes of the cases the rest of them is left (crash_allowance.hpp). Error: one
/// sentence, when the harness can't do it.
Expected<SweepState, std::string> sweep(const SweepOptions& options, const SweepProgress& progress);

/// A number or a text (a commit hash): the seed it stands for.
std::uint64_t seed_of_text(std::string_view text);

}  // namespace poolproof::search
