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

/// A sequence of bounded choices, drawn at random or replayed. It records what was chosen. A
/// smaller choice means a simpler result: shrinking makes sequences shorter and their numbers
/// smaller.
class Choices final {
 public:
  /// An endless source. The same seed and purpose give the same choices with every compiler.
  static Choices random(std::uint64_t seed, std::string_view purpose);
  /// Repeats the choices of `sequence`. After its end every choice is 0.
  static Choices replayed(std::vector<std::uint32_t> sequence);

  /// A number in [0, bound), all equally likely up to an error of 1 in 2^32. `bound` must not be 0.
  /// A bound of 1 leaves no choice: nothing is drawn and nothing recorded. A replayed number that
  /// is too large counts modulo `bound`.
  std::uint32_t below(std::uint32_t bound);
  /// True with chance 1/n. The smallest choice is false, except that n = 1 is always true.
  bool one_in(std::uint32_t n);
  /// An index of `weights`, drawn with a chance in proportion to its weight. The smallest choice is
  /// the first weight that is not 0. If all weights are 0 the answer is 0 and nothing is drawn. The
  /// sum of the weights must fit 32 bits.
  std::uint32_t weighted(std::span<const std::uint32_t> weights);

  /// The choices made, in order. Replaying this sequence makes the same choices again.
  [[nodiscard]] const std::vector<std::uint32_t>& taken() const { return taken_; }

  /// Starts over, as a fresh random() or replayed() would, but reuses the memory it has.
  void restart(std::uint64_t seed, std::string_view purpose);
  void restart(std::span<const std::uint32_t> sequence);

 private:
  Choices(std::uint64_t seed, std::string_view purpose) : source_(seed, purpose) {}
  friend class ChoiceBook;

  bool random_ = true;
  Random source_;
  std::vector<std::uint32_t> sequence_;  ///< the choices to repeat; empty unless replayed
  std::size_t next_ = 0;                 ///< the next place in `sequence_`
  std::vector<std::uint32_t> taken_;
};

/// Named streams of choices. Each stream is a sequence of its own, so that shrinking one (a
/// client's) leaves the others as they are.
class ChoiceBook final {
 public:
  using Sequences = std::map<std::string, std::vector<std::uint32_t>>;

  static ChoiceBook random(std::uint64_t seed);
  /// Each stream repeats its sequence. A stream that `sequences` lacks makes only choices of 0.
  static ChoiceBook replayed(Sequences sequences);

  /// The same name always gives the same stream. A stream stays at its address until restart().
  Choices& stream(std::string_view name);

  /// The choices made, by stream. Streams without a choice are left out.
  [[nodiscard]] Sequences taken() const;

  /// Starts over, as a fresh random() would, but reuses the memory it has.
  void restart(std::uint64_t seed);

 private:
  struct Entry {
    std::string name;
    Choices choices;
    bool open = false;  ///< the stream has been asked for since the book began
  };
  void begin(Entry& entry);

  bool random_ = true;
  std::uint64_t seed_ = 0;
  Sequences sequences_;
  std::deque<Entry> entries_;
};

}  // namespace poolproof
