#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "harness/base/choices.hpp"
#include "harness/scenario/scenario.hpp"

/// The parts of a generated scenario, each from choices of its own.
namespace poolproof::scenario {

PoolSpec generate_pool(Choices& choices);
/// Adds the storm's clients to a scenario that has its pool.
void generate_clients(ChoiceBook& book, Scenario& scenario);
/// Aimed at the pool's slots and the clients' calls.
faults::Plan generate_faults(Choices& choices, const Scenario& scenario);

template <class T>
struct Weighted {
  T value;
  std::uint32_t weight;
};

/// One value of a table; the first is the simplest.
template <class T, std::size_t size>
const T& pick(Choices& choices, const std::array<Weighted<T>, size>& table) {
  std::array<std::uint32_t, size> weights;
  for (std::size_t i = 0; i < size; ++i) weights[i] = table[i].weight;
  return table[choices.weighted(weights)].value;
}

template <class T, std::size_t size>
const T& pick(Choices& choices, const std::array<T, size>& table) {
  return table[choices.below(size)];
}

/// Few and coarse, so that a deadline often falls on the very microsecond at which a delay ends.
inline constexpr std::array<std::int64_t, 9> kPaletteMs{10, 1, 50, 100, 200, 300, 500, 1000, 3000};

/// An index below `size`. It takes one choice whatever the size is, so that a stream means the same
/// when what another stream made gets smaller. Sizes up to `bound` have all their indices.
inline std::uint32_t pick_index(Choices& choices, std::size_t size, std::uint32_t bound = 16) {
  return choices.below(bound) % static_cast<std::uint32_t>(size);
}

/// One client of a counted one, drawn: `b.2`; otherwise its name.
inline std::string pick_single(Choices& choices, const Client& client) {
  const std::uint32_t number = 1 + pick_index(choices, client.count);
  return client.count == 1 ? client.name : client.name + "." + std::to_string(number);
}

}  // namespace poolproof::scenario
