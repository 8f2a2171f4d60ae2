#include <fmt/format.h>

#include "harness/guard/origin.hpp"
#include "harness/guard/rules.hpp"

/// How much does the program use while it says that it has nothing to do?
namespace poolproof::guard {

void judge_idle(const Facts& facts, Judgement& judgement) {
  constexpr Duration kLeastSpan = std::chrono::seconds(1);
  /// On a busy machine, a process that always wants a whole processor gets only part of one, so
  /// what it wanted counts, too. A process that wants one once or briefly waits long for it,
  /// without its fault.
  constexpr int kUsedMost = 20;
  constexpr int kUsedMostOfBusy = 5;
  constexpr int kWantedOfBusy = 90;
  constexpr std::uint64_t kGrowthMost = std::uint64_t{16} << 20U;
  for (const IdleStretch& stretch : facts.idle) {
    const Duration span = stretch.to - stretch.from;
    if (span < kLeastSpan) continue;
    const Blame blame = doer_of(facts, stretch.address);
    const bool is_burning =
        stretch.used_percent > kUsedMost ||
        (stretch.used_percent > kUsedMostOfBusy && stretch.wanted_percent > kWantedOfBusy);
    if (is_burning) {
      judgement.findings.push_back(
          {"idle_cpu",
           blame,
           fmt::format("{}, used {} % of a processor (and wanted {} %) for {} in which the program "
                       "was idle",
                       told(stretch.address), stretch.used_percent, stretch.wanted_percent,
                       seconds(span)),
           stretch.from,
           {stretch.address}});
    }
    if (stretch.resident_after > stretch.resident_before + kGrowthMost) {
      judgement.findings.push_back(
          {"bounded_memory",
           blame,
           fmt::format("{}, took {} MiB more in {} in which the program was idle",
                       told(stretch.address),
                       (stretch.resident_after - stretch.resident_before) >> 20U, seconds(span)),
           stretch.from,
           {stretch.address}});
    }
  }
}

}  // namespace poolproof::guard
