#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "harness/base/result.hpp"

namespace poolproof::reports {

/// When a benchmark counts as slower.
struct Limits {
  double slower_by = 0.25;  ///< as a share of the median: 0.25 is a quarter
};

/// The times of one benchmark's repetitions, in nanoseconds: the median, and the range of the
/// times, without those that are further than three median deviations from it.
struct Spread {
  double median_ns = 0;
  double low_ns = 0;
  double high_ns = 0;
  std::size_t repetitions = 0;
};

enum class Change : std::uint8_t {
  same,
  better,      ///< beyond the limit, and the spreads are apart
  noisy,       ///< beyond the limit, but the spreads overlap: repeat it more often
  changed,     ///< a scenario that did not pass before and has another verdict now
  regression,  ///< a benchmark beyond the limit with spreads apart; a scenario that passed before
};

/// One benchmark or scenario that both files have.
struct ComparedRow {
  std::string name;
  Change change = Change::same;
  std::string before;  ///< `102.1 ns [100.0..104.0]`, or the verdict
  std::string after;
  std::optional<double> ratio;  ///< new median / base median; benchmarks only
};

struct Comparison {
  std::string base_name;
  std::string new_name;
  std::vector<ComparedRow> rows;     ///< in the order of the new file
  std::vector<std::string> added;    ///< only in the new file, or without a usable time in the base
  std::vector<std::string> removed;  ///< benchmarks or scenarios only in the base
  std::vector<std::string> errors;   ///< rows of the new file that ended in an error, and why

  /// Some row is a regression, or a row of the new file is an error: exit code 3.
  [[nodiscard]] bool regressed() const;
};

/// Compares two outputs of Google Benchmark (`--benchmark_format=json`; the rows of single
/// repetitions are read, not the aggregates) or two files report.json of Poolproof. The content
/// tells which. Refused are anything else, one file of each kind, files that have nothing in
/// common, because that comparison would prove nothing, and benchmarks of another machine or of
/// one that had another speed (rows `echo/raw/`). The names are those of the files, for messages.
Parsed<Comparison> compare(std::string_view base_json, const std::string& base_name,
                           std::string_view new_json, const std::string& new_name,
                           Limits limits = {});

/// The comparison for people: one line a row, then what was added, removed and went wrong, then the
/// judgement.
std::string text(const Comparison& comparison);

/// Requires: `times_ns` is not empty.
Spread spread_of(const std::vector<double>& times_ns);

}  // namespace poolproof::reports
