#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "harness/search/completed_ranges.hpp"
#include "harness/search/sweep.hpp"

namespace poolproof::search {

/// The memory that one process of a sweep shares with its parent. After a crash the parent reads
/// there which case crashed, and the next process goes on from there. After a kill from outside,
/// which may come while the tally is written, the next process begins the chunk again.
struct JobShared {
  std::atomic<std::uint64_t> at;     ///< the number of the case under way, or of the last one
  std::atomic<bool> in_case;         ///< a case is under way
  std::atomic<std::uint64_t> begin;  ///< the first case of the chunk under way
  std::atomic<std::uint64_t> end;
  /// The tally of the chunk under way; its coverage is that of all chunks of this process
  Tally tally;
};

/// The memory that all processes of a sweep share.
struct SweepShared {
  std::atomic<std::uint64_t> next;  ///< the first case that no process has taken
  std::atomic<bool> stop;           ///< no process may begin another case
  std::array<JobShared, kJobsMax> jobs;
};

/// How many cases of its own shard a process takes at a time.
inline constexpr std::uint64_t kChunk = 64;

/// A chunk of cases that are done: whole, or up to the case at which the process ended. It is
/// reported at its end, so that no total ever includes half a chunk.
struct JobChunk {
  CompletedRanges::Range numbers;
  Tally tally;
};
std::string line_of(const JobChunk& chunk);
/// Reads a chunk's line; nothing: the line is not a chunk's.
std::optional<JobChunk> chunk_of(std::string_view line);

/// One failure as a line: number, times, signature, sentence, with tabs in between. A sweep's job
/// writes one for each failure, before the line of its chunk.
struct JobFailure {
  std::uint64_t number = 0;
  std::uint64_t times = 0;
  std::string signature;
  std::string what;
};
std::string line_of(const JobFailure& failure);
JobFailure failure_of(std::string_view line);

/// Carries out one chunk after another, except for the cases in `done`, until the count or
/// `deadline` is reached or they are told to stop. Begins with the rest of a chunk that an earlier
/// process left. Writes failures and chunks as lines to `said`.
///
/// Each 509th case is carried out twice and its traces are compared: a prime, so that the shards
/// share these cases, however many shards there are.
void do_job(const SweepOptions& options, const CompletedRanges& done, SweepShared& shared,
            std::uint32_t job, Time deadline, int said);

}  // namespace poolproof::search
