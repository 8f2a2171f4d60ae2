#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "harness/base/random.hpp"
#include "harness/sim/footprint.hpp"

namespace poolproof::sim {

/// Which of the things that could happen now happens next, and how the kernel cuts reads: every
/// choice of a simulated run that its scenario leaves open (design, law 2). The choices are kept,
/// so that a run can be repeated choice by choice.
class Schedule {
 public:
  /// The seed also decides how choices are drawn: evenly, or by priorities with few changes (PCT:
  /// Burckhardt et al., "A randomized scheduler with probabilistic guarantees of finding bugs",
  /// 2010).
  static Schedule random(std::uint64_t seed);
  /// Repeats `choices`. After their end it always takes the first task, which has waited longest,
  /// and cuts no read.
  static Schedule replayed(std::vector<std::uint32_t> choices);

  /// An index of `tasks`, which are in the order in which they became ready.
  std::uint32_t pick(std::span<const std::uint32_t> tasks) {
    return tasks.size() == 1 && moves_ == nullptr ? 0 : pick_one_of(tasks);
  }
  /// A choice from [0, bound); 0 is the plainest.
  std::uint32_t below(std::uint32_t bound);
  /// A choice of how a read is cut; always 0, not at all, as long as reads are not to be cut.
  std::uint32_t cut(std::uint32_t bound) { return cuts_reads_ ? below(bound) : keep(0, 1); }
  /// Whether reads are cut. A search for orders leaves the cuts out; a run that repeats its choices
  /// cuts no read either.
  void cut_reads(bool whether) { cuts_reads_ = whether; }

  /// From now on `moves` chooses, which must outlive the schedule. Null: the schedule's own source.
  void follow(Moves* moves) { moves_ = moves; }
  [[nodiscard]] Moves* moves() const { return moves_; }

  [[nodiscard]] const std::vector<std::uint32_t>& taken() const { return taken_; }
  /// How many possibilities each choice of taken() had. Only in a run that repeats choices.
  [[nodiscard]] const std::vector<std::uint32_t>& bounds() const { return bounds_; }

  /// Starts over, in the memory it has.
  void restart(std::uint64_t seed);
  void restart(std::span<const std::uint32_t> choices);

 private:
  enum class Source : std::uint8_t { evenly, by_priority, replay };

  Schedule() : random_(0, "schedule") {}
  std::uint32_t pick_one_of(std::span<const std::uint32_t> tasks);
  std::uint32_t drawn(std::uint32_t bound);
  std::uint32_t most_urgent(std::span<const std::uint32_t> tasks);
  std::uint32_t keep(std::uint32_t choice, std::uint32_t bound);

  Source source_ = Source::replay;
  Moves* moves_ = nullptr;
  bool cuts_reads_ = true;
  Random random_;
  std::vector<std::uint32_t> replay_;
  std::vector<std::uint32_t> taken_;
  std::vector<std::uint32_t> bounds_;
  std::vector<std::uint64_t> priority_;      ///< of each task; 0: none drawn yet
  std::vector<std::uint32_t> change_after_;  ///< picks after which the one just picked comes last
  std::uint32_t picks_ = 0;
  std::uint64_t lowest_ = 0;
};

}  // namespace poolproof::sim
