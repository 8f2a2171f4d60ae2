#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "harness/base/clock.hpp"
#include "harness/base/result.hpp"
#include "harness/search/sweep.hpp"

namespace poolproof::search {

struct ShrinkOptions {
  std::uint64_t seed = 0;  ///< of the sweep that found the failures
  std::string out;         ///< folder; the files go to its folder `failures`, which must exist
  std::string self;        ///< our own program, for real processes; empty: they are not tried
  Duration shrink_time = std::chrono::seconds(20);  ///< how long each kind of failure is shrunk
  Duration host_time = std::chrono::seconds(20);  ///< how long each kind is tried on real processes
  std::function<void(const std::string& signature)> before_shrinking;
  std::function<bool()> asked_to_stop;
  /// Called in each process that shrinks, before it does.
  std::function<void()> in_copy;
  /// Called after each one. False: no more of them.
  std::function<bool()> after_shrinking;
};

/// How the shrinking of some failures ended.
struct ShrinkEnd {
  bool asked = false;   ///< it was asked to stop and left some as they are
  std::string trouble;  ///< why a file could not be written; empty: all could be
};

/// The signature of a run that was not the same when it was repeated: no scenario shows that.
inline constexpr std::string_view kNondeterminism = "nondeterminism";
/// How many failures are shrunk at once.
inline constexpr std::size_t kShrunkMost = 8;

/// Forgets the files of failures that are not there any more: such a failure is not shrunk.
void forget_lost_files(const std::string& out, std::vector<Failure>& failures);

/// Shrinks each failure that has no file yet, kShrunkMost at most, and writes what it comes to as a
/// scenario file. Each is shrunk in a process of its own, which ends at once when it is asked to; a
/// failure whose process dies stays as it is.
ShrinkEnd shrink_failures(const ShrinkOptions& options, const std::vector<Failure*>& failures);

}  // namespace poolproof::search
