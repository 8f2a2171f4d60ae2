#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "harness/search/done_numbers.hpp"
#include "harness/search/sweep.hpp"

namespace poolproof::search {

/// What one process of a sweep leaves in the memory it shares with the one that watches it: when it
/// crashes, this is how it is known at which scenario, and whoever comes after it goes on from
/// here.
struct JobDesk {
  std::atomic<std::uint64_t> at;     ///< the number of the case under way
  std::atomic<std::uint64_t> begin;  ///< of the chunk under way
  std::atomic<std::uint64_t> end;
  Tally tally;  ///< of the chunk under way; its coverage: of all chunks of this process
};

/// What all of them share.
struct SweepDesk {
  static constexpr std::uint32_t kJobsMax = 64;

  std::atomic<std::uint64_t> next;  ///< the first case nobody has taken
  std::atomic<bool> stop;           ///< nobody shall begin another case
  std::array<JobDesk, kJobsMax> jobs;
};

/// How many cases a process takes at a time.
inline constexpr std::uint64_t kChunk = 64;

/// A whole chunk, or the part of one behind which nothing is done: what is said of it at its end,
/// so that no count is ever of half a chunk.
struct JobChunk {
  DoneNumbers::Stretch numbers;
  Tally tally;
};
std::string line_of(const JobChunk& chunk);
/// Nothing: the line is not of a chunk.
std::optional<JobChunk> chunk_of(std::string_view line);

/// One line a failure: number, times, signature, sentence; tabs in between.
struct JobFailure {
  std::uint64_t number = 0;
  std::uint64_t times = 0;
  std::string signature;
  std::string what;
};
std::string line_of(const JobFailure& failure);
JobFailure failure_of(std::string_view line);

/// Carries out chunk after chunk, but for what is `done`, until the count or `deadline` is reached
/// or the desk says stop; says failures and chunks as lines on `said`. First the rest of a chunk
/// that a process before it did not end.
void do_job(const SweepOptions& options, const DoneNumbers& done, SweepDesk& desk,
            std::uint32_t job, Time deadline, int said);

}  // namespace poolproof::search
