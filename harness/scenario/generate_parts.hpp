#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "harness/base/choices.hpp"
#include "harness/base/enumerators.hpp"
#include "harness/scenario/client_name.hpp"

/// The parts of a generated scenario, each from choices of its own.
namespace poolproof::scenario {

/// A feature of a generated storm: the theme that it is about. It bends pool, clients and faults in
/// the same direction, so that situations come up that take all three. A storm has up to three
/// features, or none.
enum class Feature : std::uint8_t {
  deaf_workers,         ///< calls that end in doubt, workers that ignore TERM
  open_breaker,         ///< one worker serves while the others' starts fail
  closing,              ///< somebody closes the pool in the midst of it
  queueing,             ///< many long calls on few workers, little room to wait
  slow_starts,          ///< start-up budgets hardly long enough, or too short
  tight_start_budgets,  ///< a start-up budget of about the time that a process needs to come up
  signals,              ///< TERM from outside, early in a worker's life
  farewells,            ///< clients ask workers to shut down
  idle_moments,         ///< pauses between leases, replies that come in pieces
  tight_deadlines,      ///< deadlines a few milliseconds away, with jitter about them
  bare_bytes,           ///< payloads are opaque bytes
  sessions,             ///< clients share sessions; some use executions instead of single steps
  large_frames,  ///< frames larger than a page of a pipe, now and then larger than a whole pipe
  recycling,     ///< sound workers are recycled; the pool is renewed, suspended, resumed
};
inline constexpr std::size_t kFeatures = enumerators<Feature>();

class Features {
 public:
  void add(Feature feature) { bits_ |= bit(feature); }
  [[nodiscard]] bool has(Feature feature) const { return (bits_ & bit(feature)) != 0; }
  [[nodiscard]] bool any() const { return bits_ != 0; }

 private:
  static std::uint32_t bit(Feature feature) { return 1U << static_cast<std::uint32_t>(feature); }
  std::uint32_t bits_ = 0;
};

Features generate_features(Choices& choices);
PoolSpec generate_pool(Choices& choices, Features features);
/// Adds the storm's clients to a scenario that has its pool.
void generate_clients(ChoiceBook& book, Features features, Scenario& scenario);
/// Generates faults that are aimed at the pool's slots and the clients' calls.
faults::Plan generate_faults(Choices& choices, Features features, const Scenario& scenario);

/// The tag of a scenario whose pool lives for a day.
inline constexpr std::string_view kLongLived = "long-lived";
/// Adds, to a few of the storms in which nobody closes the pool, a day of virtual time, and slows
/// down what the pool does by itself. Such a scenario is not for real machines.
void generate_life(Choices& choices, Scenario& scenario);

template <class T>
struct Weighted {
  T value;
  std::uint32_t weight;
};

/// Picks one value of a table; the first is the simplest.
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

/// Times for pauses and limits: few and coarse, so that a deadline often falls on the very
/// microsecond at which a delay ends.
inline constexpr std::array<std::int64_t, 9> kPaletteMs{10, 1, 50, 100, 200, 300, 500, 1000, 3000};

/// Picks an index below `size`. It always takes one choice, so that a stream keeps its meaning when
/// another stream yields fewer things. Sizes up to `bound` have all their indices.
inline std::uint32_t pick_index(Choices& choices, std::size_t size, std::uint32_t bound = 16) {
  return choices.below(bound) % static_cast<std::uint32_t>(size);
}

/// Picks one copy of a client with a count, such as `b.2`; of any other client, its name.
inline std::string pick_single(Choices& choices, const Client& client) {
  return single_name(client, 1 + pick_index(choices, client.count));
}

}  // namespace poolproof::scenario
