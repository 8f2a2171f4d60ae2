#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include "harness/oracle/coverage.hpp"
#include "harness/run/sweep.hpp"

namespace poolproof::run {

/// What one process of a sweep leaves in the memory it shares with the one that watches it: when it
/// crashes, this is how it is known at which scenario.
struct JobDesk {
  std::atomic<std::uint64_t> at;   ///< the number of the case under way
  std::atomic<std::uint64_t> end;  ///< of the chunk under way
  std::atomic<std::uint64_t> done;
  /// Runs in one codec.
  struct Spoken {
    std::atomic<std::uint64_t> runs;
    std::atomic<std::uint64_t> core_events;
    std::atomic<std::uint64_t> busy_us;  ///< with all that belongs to a run; terse: the generator
  };
  Spoken terse;
  Spoken json;
  std::atomic<std::uint64_t> repeated;
  std::atomic<std::uint64_t> proved_nothing;
  std::atomic<std::uint64_t> traces;  ///< sum of the hashes of the repeated ones
  std::array<std::atomic<std::uint64_t>, oracle::Coverage::kWords> coverage;
};

/// What all of them share.
struct SweepDesk {
  static constexpr std::uint32_t kJobsMax = 64;

  std::atomic<std::uint64_t> next;  ///< the first case nobody has taken
  std::array<JobDesk, kJobsMax> jobs;
};

/// How many cases a process takes at a time.
inline constexpr std::uint64_t kChunk = 64;

/// One line a failure: number, times, signature, sentence; tabs in between.
struct JobFailure {
  std::uint64_t number = 0;
  std::uint64_t times = 0;
  std::string signature;
  std::string what;
};
std::string line_of(const JobFailure& failure);
JobFailure failure_of(std::string_view line);

/// Carries out chunk after chunk until the count or `deadline` is reached; says failures as lines
/// on `said`. First the rest of a chunk that a process before it did not end. 0, or 1 when stopped.
int do_job(const SweepOptions& options, SweepDesk& desk, std::uint32_t job, Time deadline,
           int said);

}  // namespace poolproof::run
