#include "harness/scenario/scenario.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

namespace poolproof::scenario {
namespace {

constexpr std::array<StepKind, std::variant_size_v<Step>> kKinds{
    StepKind::checkout, StepKind::call,        StepKind::call_bytes,    StepKind::checkin,
    StepKind::thrown,   StepKind::await,       StepKind::await,         StepKind::await,
    StepKind::pause,    StepKind::cancel,      StepKind::signal_worker, StepKind::close,
    StepKind::execute,  StepKind::end_session, StepKind::renew,         StepKind::suspend,
    StepKind::resume};

/// Whether a step is itself a fault of the environment, or waits for what may never happen in a run
/// without faults.
bool needs_a_fault(const Step& step) {
  if (std::holds_alternative<AwaitFault>(step)) return true;
  if (std::holds_alternative<SignalWorker>(step)) return true;
  const auto* await = std::get_if<AwaitWorker>(&step);
  return await != nullptr &&
         (await->moment == WorkerMoment::exited || await->worker.generation > 0);
}

}  // namespace

const Args& no_args() {
  static const Args none = std::make_shared<const nlohmann::json>(nlohmann::json::object());
  return none;
}

StepKind kind(const Step& step) {
  return kKinds[step.index()];
}

std::string_view good_word(const Step& step) {
  if (std::holds_alternative<Checkout>(step)) return "granted";
  if (std::holds_alternative<Checkin>(step)) return "returned";
  if (std::holds_alternative<Throw>(step)) return "thrown";
  return std::holds_alternative<Close>(step) ? "closed" : "ok";
}

bool Scenario::tagged(std::string_view tag) const {
  return std::ranges::find(tags, tag) != tags.end();
}

bool Scenario::runs_in(WorldKind world) const {
  return std::ranges::find(worlds, world) != worlds.end();
}

bool harms(const Scenario& scenario) {
  return !scenario.faults.empty() || any_step(scenario, [](const Step& step) {
    return std::holds_alternative<SignalWorker>(step);
  });
}

Scenario control_of(const Scenario& scenario) {
  Scenario control = scenario;
  control.faults.clear();
  control.expect = {};
  control.expect.any_success = true;  // nobody asks whether a call succeeds in it
  control.schedule.reset();
  for_each_step(control, [](Step& step) {
    if (needs_a_fault(step)) step = Pause{};
  });
  return control;
}

}  // namespace poolproof::scenario
