#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "harness/base/random.hpp"

namespace poolproof {

/// A sequence of bounded choices, random or replayed; whichever it is, what was chosen is kept.
/// The smaller a choice, the simpler what is made of it: shrinking makes sequences shorter and
/// their numbers smaller.
class Choices final {
 public:
  /// Endless. The same seed and purpose give the same choices with every compiler.
  static Choices random(std::uint64_t seed, std::string_view purpose);
  /// After the end of `sequence` every choice is 0.
  static Choices replayed(std::vector<std::uint32_t> sequence);

  /// One of [0, bound), every one equally likely but for 1 in 2^32. `bound` must not be 0; a bound
  /// of 1 is no choice, takes nothing and is not kept. A replayed number that is too large counts
  /// modulo `bound`.
  std::uint32_t below(std::uint32_t bound);
  /// True with chance 1/n; the smallest choice is false (but for n = 1, which is always true).
  bool one_in(std::uint32_t n);
  /// An index of `weights`, as likely as its weight says; the smallest choice is the first that is
  /// not 0. If all are 0 it is 0 without a choice. Their sum must fit 32 bits.
  std::uint32_t weighted(std::span<const std::uint32_t> weights);

  /// What was chosen, in order. Replayed, it makes the same choices again.
  [[nodiscard]] const std::vector<std::uint32_t>& taken() const { return taken_; }

  /// Begins anew, as random() and replayed() do, in the memory it has.
  void restart(std::uint64_t seed, std::string_view purpose);
  void restart(std::span<const std::uint32_t> sequence);

 private:
  Choices(std::uint64_t seed, std::string_view purpose) : source_(seed, purpose) {}
  friend class ChoiceBook;

  bool random_ = true;
  Random source_;
  std::vector<std::uint32_t> sequence_;  ///< replayed only
  std::size_t next_ = 0;                 ///< the place in it
  std::vector<std::uint32_t> taken_;
};

/// Streams of choices by name, each a sequence of its own, so that shrinking one (a client's)
/// leaves the others as they are.
class ChoiceBook final {
 public:
  using Sequences = std::map<std::string, std::vector<std::uint32_t>>;

  static ChoiceBook random(std::uint64_t seed);
  /// A stream that is not in `sequences` has an empty one.
  static ChoiceBook replayed(Sequences sequences);

  /// The same one for the same name. It stays where it is until restart().
  Choices& stream(std::string_view name);

  /// What was chosen, by stream; streams without a choice are left out.
  [[nodiscard]] Sequences taken() const;

  /// Begins anew as random() does, in the memory it has.
  void restart(std::uint64_t seed);

 private:
  struct Entry {
    std::string name;
    Choices choices;
    bool open = false;  ///< asked for since the book began
  };
  void begin(Entry& entry);

  bool random_ = true;
  std::uint64_t seed_ = 0;
  Sequences sequences_;
  std::deque<Entry> entries_;
};

}  // namespace poolproof
