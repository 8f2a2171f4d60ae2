#include "harness/scenario/scenario.hpp"

#include <algorithm>

namespace poolproof::scenario {
namespace {

constexpr std::array<std::string_view, std::variant_size_v<Step>> kStepNames{
    "checkout", "call",  "call_bytes", "checkin", "throw",         "await",
    "await",    "await", "pause",      "cancel",  "signal_worker", "close"};

/// Whether a step is a fault of the environment, or waits for what a run without faults may never
/// see.
bool needs_a_fault(const Step& step) {
  if (std::holds_alternative<AwaitFault>(step)) return true;
  if (std::holds_alternative<SignalWorker>(step)) return true;
  const auto* await = std::get_if<AwaitWorker>(&step);
  return await != nullptr &&
         (await->moment == WorkerMoment::exited || await->worker.generation > 0);
}

}  // namespace

std::string_view name(const Step& step) {
  return kStepNames[step.index()];
}

bool has_outcome(const Step& step) {
  return std::holds_alternative<Checkout>(step) || std::holds_alternative<Call>(step) ||
         std::holds_alternative<CallBytes>(step) || std::holds_alternative<Checkin>(step) ||
         std::holds_alternative<Throw>(step) || std::holds_alternative<Close>(step);
}

std::string_view good_word(const Step& step) {
  if (std::holds_alternative<Checkout>(step)) return "granted";
  if (std::holds_alternative<Checkin>(step)) return "returned";
  if (std::holds_alternative<Throw>(step)) return "thrown";
  return std::holds_alternative<Close>(step) ? "closed" : "ok";
}

bool Scenario::tagged(std::string_view tag) const {
  return std::find(tags.begin(), tags.end(), tag) != tags.end();
}

bool Scenario::runs_in(WorldKind world) const {
  return std::find(worlds.begin(), worlds.end(), world) != worlds.end();
}

Scenario control_of(const Scenario& scenario) {
  Scenario control = scenario;
  control.faults.clear();
  control.expect = {};
  control.schedule.reset();
  for (Client& client : control.clients) {
    for (Step& step : client.steps) {
      if (needs_a_fault(step)) step = Pause{};
    }
  }
  return control;
}

}  // namespace poolproof::scenario
