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

/// A feature of a generated storm: what it is about. It bends pool, clients and faults the same
/// way, so that situations come up that take all three. A storm has up to three features, or none.
enum class Feature : std::uint8_t {
  deaf_workers,  ///< calls in doubt, workers that take no notice of TERM
  open_breaker,  ///< one worker serves while the others' starts fail
  closing,       ///< somebody closes the pool in the midst of it
  queueing,      ///< many long calls on few workers, little room to wait
  slow_starts,   ///< start-up budgets hardly long enough, or too short
  hasty_starts,  ///< a start-up budget of about what a process needs to come up
  signals,       ///< TERM from outside, early
  farewells,     ///< clients ask workers to shut down
  idle_moments,  ///< pauses between leases, replies that come in pieces
  photo_finish,  ///< deadlines a few milliseconds away, with jitter about them
  bare_bytes,    ///< payloads are opaque
  sessions,      ///< clients share sessions, and execute in one what others do step by step
  large_frames,  ///< more than a pipe's page, now and then more than a pipe
  recycling,     ///< workers go that did nothing wrong; the pool is renewed, suspended, resumed
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
/// Aimed at the pool's slots and the clients' calls.
faults::Plan generate_faults(Choices& choices, Features features, const Scenario& scenario);

/// The tag of a scenario whose pool lives for a day.
inline constexpr std::string_view kLongLived = "long-lived";
/// Seldom adds a day of virtual time to a storm in which nobody closes the pool, and slows down
/// what the pool does by itself. Real machines have no such time.
void generate_life(Choices& choices, Scenario& scenario);

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
  return single_name(client, 1 + pick_index(choices, client.count));
}

}  // namespace poolproof::scenario
