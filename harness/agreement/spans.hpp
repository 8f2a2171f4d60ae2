#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "harness/base/clock.hpp"
#include "harness/scenario/scenario.hpp"

/// How long the things last that a timer of a scenario competes with.
namespace poolproof::agreement {

inline constexpr Duration kNone = Duration::zero();
/// The length of what never ends by itself. The timer around it is meant to run out.
inline constexpr Duration kEndless = Duration::max();
/// The length of what takes no time of its own: a busy machine decides how long it lasts.
inline constexpr Duration kBrief = std::chrono::microseconds(1);

/// An event that happens `span` after a timer has begun.
struct Aim {
  std::string what;
  Duration span;
};
using Aims = std::vector<Aim>;

/// A planned fault by its name and id, for people.
[[nodiscard]] std::string name_of(const faults::PlannedFault& fault);

/// How long a fault keeps those waiting who wait for its worker; none: their wait ends, well or
/// badly, at once.
[[nodiscard]] Duration span_of(const faults::PlannedFault& fault,
                               const scenario::Scenario& scenario);

/// The pauses of workers that are slow to exit.
[[nodiscard]] Aims slow_exits(const scenario::Scenario& scenario);

/// Whether some client tells a worker's process to stop (SIGSTOP and its kind).
[[nodiscard]] bool stops_a_worker(const scenario::Scenario& scenario);

/// How long a start may wait until workers have left: the one before it in its slot where `overlap`
/// is false, or any of them where as many may leave at a time as the pool allows.
[[nodiscard]] Aims leavings(const scenario::Scenario& scenario);

/// How long a sound worker is busy with that command, where that is longer than an echo.
[[nodiscard]] Aims busy(std::string_view command, const nlohmann::json& args);

/// The suspensions in which that step may wait: nobody is served before somebody resumes the pool.
[[nodiscard]] Aims suspensions(const scenario::Scenario& scenario, const scenario::Client& client,
                               std::size_t place);

}  // namespace poolproof::agreement
