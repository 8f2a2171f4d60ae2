#pragma once

#include <array>
#include <cstdint>

#include "harness/base/clock.hpp"
#include "harness/sim/agenda.hpp"
#include "harness/sim/footprint.hpp"
#include "harness/sim/messages.hpp"
#include "harness/sim/schedule.hpp"
#include "harness/trace/record.hpp"

namespace poolproof::sim {

/// The simulated computer: its time, who goes on when, and what is written down.
struct Machine {
  Time now;
  Agenda agenda;
  Schedule* schedule = nullptr;
  Messages messages;
  trace::Trace trace;
  std::int64_t next_pid = 0;
  std::uint64_t core_events = 0;
  Moves* moves = nullptr;  ///< is told what each move touches; null: nobody is

  void reads(Shared what, std::uint32_t number = 0) const {
    if (moves != nullptr) moves->footprint.reads(what, number);
  }
  void writes(Shared what, std::uint32_t number = 0) const {
    if (moves != nullptr) moves->footprint.writes(what, number);
  }

  /// How much of `there` one read gives: the kernel may cut it anywhere. The place is drawn as a
  /// share of it, so that the same choices mean the same with shorter messages.
  std::size_t torn(std::size_t there) const {
    constexpr std::uint32_t kOneIn = 8;
    constexpr std::uint32_t kPlaces = 1U << 16U;
    if (there < 2 || schedule->cut(kOneIn) != 1) return there;
    return std::size_t{1} + std::size_t{schedule->below(kPlaces)} * (there - 1) / kPlaces;
  }

  /// How long a sound worker takes to answer a call, or to leave once it was told to: none, little,
  /// or more than a start takes, so that calls and leaving workers lie side by side with starts and
  /// with each other. No time comes as often as the others together, since many situations come
  /// about only if there is no wait.
  Duration worker_time() const {
    using namespace std::chrono_literals;
    constexpr std::array<Duration, 4> kTimes{0ms, 0ms, 1ms, 5ms};
    return kTimes[schedule->cut(kTimes.size())];
  }
};

}  // namespace poolproof::sim
