#include "harness/agreement/spans.hpp"

#include <algorithm>
#include <cstdint>

#include <nlohmann/json.hpp>

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

}  // namespace

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
