#include "harness/agreement/spans.hpp"

#include <algorithm>
#include <cstdint>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "harness/base/signals.hpp"

namespace poolproof::agreement {
namespace {

/// The approximate size of an echo's reply, for faults that write it byte by byte.
constexpr std::int64_t kReplyBytes = 100;

bool suspends(const scenario::Step& step) {
  return std::holds_alternative<scenario::Suspend>(step);
}

/// Whether this client itself has suspended the pool before that step, and not resumed it.
bool is_suspended_before(const scenario::Client& client, std::size_t place) {
  bool suspended = false;
  for (std::size_t i = 0; i < place; ++i) {
    if (suspends(client.steps[i])) suspended = true;
    if (std::holds_alternative<scenario::Resume>(client.steps[i])) suspended = false;
  }
  return suspended;
}

/// How many workers all clients together may take out of service.
std::uint64_t uses(const scenario::Scenario& scenario) {
  std::uint64_t uses = 0;
  for (const auto& client : scenario.clients) {
    const auto asks = std::ranges::count_if(client.steps, [](const scenario::Step& step) {
      return std::holds_alternative<scenario::Checkout>(step) ||
             std::holds_alternative<scenario::Execute>(step);
    });
    uses += static_cast<std::uint64_t>(asks) * client.count * client.repeat;
  }
  return uses;
}

/// Whether a worker may stay until a grace is over: it ignores a step of the ladder, or is stopped.
bool may_outlast_a_grace(const scenario::Scenario& scenario) {
  return stops_a_worker(scenario) ||
         std::ranges::any_of(scenario.faults, [](const faults::PlannedFault& fault) {
           const bool signals = std::ranges::any_of(
               fault.fault->params, [](const faults::Param& one) { return one.name == "signal"; });
           const bool ignores =
               fault.fault->moment == faults::Moment::shutdown && fault.fault->params.empty();
           return ignores || (signals && is_stopping(static_cast<int>(fault.number("signal"))));
         });
}

}  // namespace

std::string name_of(const faults::PlannedFault& fault) {
  return fmt::format("{} ({})", fault.fault->name, fault.id);
}

Duration span_of(const faults::PlannedFault& fault, const scenario::Scenario& scenario) {
  const auto payload = scenario.pool.opaque ? wire::Payload::opaque : wire::Payload::envelope;
  if (faults::leaves_waiting(fault, {scenario.pool.framing, payload, scenario.pool.speech}))
    return kEndless;
  switch (fault.fault->shows) {
    case faults::Shows::pause_before_reading:
    case faults::Shows::pause_before_reply:
      return faults::pause_of(fault);
    case faults::Shows::pauses_in_reply: {
      const std::int64_t chunk = fault.number("chunk_bytes");
      return std::chrono::milliseconds((kReplyBytes + chunk - 1) / chunk * fault.number("gap_ms"));
    }
    default:
      return kNone;
  }
}

Aims slow_exits(const scenario::Scenario& scenario) {
  Aims aims;
  for (const auto& fault : scenario.faults) {
    if (fault.fault->shows == faults::Shows::pause_before_exit)
      aims.push_back({name_of(fault), faults::pause_of(fault)});
  }
  return aims;
}

bool stops_a_worker(const scenario::Scenario& scenario) {
  return scenario::any_step(scenario, [](const scenario::Step& step) {
    const auto* signal = std::get_if<scenario::SignalWorker>(&step);
    return signal != nullptr && is_stopping(signal->signal);
  });
}

Aims leavings(const scenario::Scenario& scenario) {
  const auto& core = scenario.pool.core;
  if (core.overlap && uses(scenario) < core.leaving_max) return {};
  Aims aims = slow_exits(scenario);
  if (!may_outlast_a_grace(scenario)) return aims;
  // Which step of the ladder is the first depends on why the worker leaves.
  aims.push_back({"a worker that ignores TERM", core.term_grace});
  aims.push_back(
      {"a worker that ignores the end of its input and TERM", core.stdin_grace + core.term_grace});
  aims.push_back({"a worker that ignores all but KILL",
                  core.shutdown_grace + core.stdin_grace + core.term_grace});
  return aims;
}

Aims busy(std::string_view command, const nlohmann::json& args) {
  if (command == "compute") return {{"the command compute", kEndless}};
  const bool sleeps = command == "sleep" && args.contains("ms") && args["ms"].is_number_unsigned();
  if (!sleeps) return {};
  const auto ms = std::min(args["ms"].get<std::uint64_t>(), std::uint64_t{86'400'000});
  return {{"the command sleep", std::chrono::milliseconds(ms)}};
}

Aims suspensions(const scenario::Scenario& scenario, const scenario::Client& client,
                 std::size_t place) {
  Aims aims;
  for (const auto& other : scenario.clients) {
    const bool itself = &other == &client && client.count == 1;
    if (itself ? is_suspended_before(client, place) : std::ranges::any_of(other.steps, suspends))
      aims.push_back({"the pool, which client " + other.name + " suspends", kEndless});
  }
  return aims;
}

}  // namespace poolproof::agreement
