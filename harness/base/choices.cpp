#include "harness/base/choices.hpp"

#include <utility>

#include "harness/base/assert.hpp"

namespace poolproof {

Choices Choices::random(std::uint64_t seed, std::string_view purpose) {
  return Choices(seed, purpose);
}

Choices Choices::replayed(std::vector<std::uint32_t> sequence) {
  Choices choices(0, {});
  choices.random_ = false;
  choices.sequence_ = std::move(sequence);
  return choices;
}

void Choices::restart(std::uint64_t seed, std::string_view purpose) {
  random_ = true;
  source_ = Random(seed, purpose);
  taken_.clear();
}

void Choices::restart(std::span<const std::uint32_t> sequence) {
  random_ = false;
  sequence_.assign(sequence.begin(), sequence.end());
  next_ = 0;
  taken_.clear();
}

std::uint32_t Choices::below(std::uint32_t bound) {
  POOLPROOF_ASSERT(bound > 0);
  if (bound == 1) return 0;
  std::uint32_t chosen = 0;
  if (random_) {
    // The upper half of a product replaces a division: this function runs millions of times a
    // second.
    chosen = static_cast<std::uint32_t>(((source_.next() >> 32U) * bound) >> 32U);
  } else if (next_ < sequence_.size()) {
    chosen = sequence_[next_++] % bound;
  }
  taken_.push_back(chosen);
  return chosen;
}

bool Choices::one_in(std::uint32_t n) {
  return below(n) == n - 1;
}

std::uint32_t Choices::weighted(std::span<const std::uint32_t> weights) {
  std::uint32_t sum = 0;
  for (const std::uint32_t weight : weights) sum += weight;
  if (sum == 0) return 0;
  std::uint32_t left = below(sum);
  std::uint32_t index = 0;
  while (left >= weights[index]) left -= weights[index++];
  return index;
}

ChoiceBook ChoiceBook::random(std::uint64_t seed) {
  ChoiceBook book;
  book.seed_ = seed;
  return book;
}

ChoiceBook ChoiceBook::replayed(Sequences sequences) {
  ChoiceBook book;
  book.random_ = false;
  book.sequences_ = std::move(sequences);
  return book;
}

void ChoiceBook::restart(std::uint64_t seed) {
  random_ = true;
  seed_ = seed;
  for (Entry& entry : entries_) entry.open = false;
}

void ChoiceBook::begin(Entry& entry) {
  entry.open = true;
  if (random_) {
    entry.choices.restart(seed_, entry.name);
    return;
  }
  const auto found = sequences_.find(entry.name);
  entry.choices.restart(found == sequences_.end() ? std::span<const std::uint32_t>{}
                                                  : std::span<const std::uint32_t>{found->second});
}

// A book has about ten streams, so a linear search is the fastest.
Choices& ChoiceBook::stream(std::string_view name) {
  for (Entry& entry : entries_) {
    if (entry.name != name) continue;
    if (!entry.open) begin(entry);
    return entry.choices;
  }
  Entry& entry = entries_.emplace_back(Entry{std::string(name), Choices(0, {})});
  begin(entry);
  return entry.choices;
}

ChoiceBook::Sequences ChoiceBook::taken() const {
  Sequences taken;
  for (const Entry& entry : entries_) {
    if (entry.open && !entry.choices.taken().empty()) taken[entry.name] = entry.choices.taken();
  }
  return taken;
}

}  // namespace poolproof
