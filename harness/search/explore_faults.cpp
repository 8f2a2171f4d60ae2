#include <algorithm>

#include <fmt/format.h>

#include "fake_workers/needs.hpp"
#include "harness/search/explore_space.hpp"

/// All combinations of up to three faults on up to two workers.
namespace poolproof::search {
namespace {

using faults::Fault;
using faults::JournalRecord;
using faults::PlannedFault;
using scenario::Scenario;

/// Calm clients follow when the storm is over. Two calls use up the faults that two workers can
/// still have in store.
constexpr const char* kScenario = R"({
  "schema_version": 1, "name": "faults", "why": "whatever befalls two workers, it passes",
  "pool": {"size": 2, "call_timeout_ms": 100, "checkout_timeout_ms": 20000,
           "startup_budget_ms": 1500},
  "workers": [{"kind": "fake"}],
  "clients": [
    {"name": "a", "repeat": 2, "steps": [
      {"checkout": {}}, {"call": {"command": "echo"}}, {"checkin": {}}]},
    {"name": "b", "repeat": 2, "steps": [
      {"checkout": {}}, {"call": {"command": "echo"}}, {"checkin": {}}]},
    {"name": "calm-a", "after": "a", "repeat": 3, "steps": [
      {"checkout": {}}, {"call": {"command": "echo"}}, {"checkin": {}}]},
    {"name": "calm-b", "after": "b", "repeat": 3, "steps": [
      {"checkout": {}}, {"call": {"command": "echo"}}, {"checkin": {}}]}],
  "faults": [],
  "expect": {"any_success": true}
})";
constexpr std::uint32_t kLastRepetition = 2;

constexpr std::uint32_t kWorkers = 2;

/// The same place for every fault: the first process in its slot, and the first call that this
/// process gets.
PlannedFault placed(const Fault& fault, std::uint32_t slot) {
  PlannedFault planned;
  planned.fault = &fault;
  planned.at.slot = slot;
  planned.at.generation = 0;
  if (!faults::aimed_by_incarnation(fault)) planned.at.request = 1;
  for (const faults::Param& param : fault.params) {
    if (param.is_text) planned.texts.emplace(param.name, param.default_text);
    if (!param.is_text)
      planned.numbers.emplace(param.name, param.quick.value_or(param.default_number));
  }
  return planned;
}

class Combinations final : public ExploredSpace {
 public:
  Combinations()
      : ExploredSpace({"no fault", "one fault", "two faults", "three faults"}),
        scenario_(own_scenario(kScenario)) {
    for (const Fault& fault : faults::catalogue()) {
      if (!faults::can_strike_on(fault, scenario_.pool.framing.wire)) continue;
      for (std::uint32_t slot = 0; slot < kWorkers; ++slot) all_.push_back(placed(fault, slot));
    }
    scenario_.schedule.emplace();
  }

  /// Part n has n faults; walk.choices are their indices in all_, rising.
  const Scenario& at(const Walk& walk) override {
    scenario_.faults.clear();
    for (std::uint32_t i = 0; i < walk.part; ++i) {
      scenario_.faults.push_back(all_[chosen(walk, i)]);
      scenario_.faults.back().id = fmt::format("f{}", i);
    }
    return scenario_;
  }

  void judge(const Walk&, const CaseRunner& runner,
             std::vector<oracle::Finding>& findings) override {
    const auto* const step = first_unserved(runner.trace(), [&](const auto& one) {
      return one.client.starts_with("calm") && one.repetition == kLastRepetition &&
             !struck_since(runner.trace(), one.begun);
    });
    if (step == nullptr) return;
    findings.push_back({"calm",
                        fmt::format("client {} came after the storm and was not served: {} {}",
                                    step->client, name(step->kind), name(step->outcome)),
                        step->ended});
  }

  void go_on(Walk& walk, const CaseRunner*) override {
    ++walk.tallies[walk.part].different;
    if (walk.depth == 0) {
      for (std::uint32_t i = 0; i < walk.part; ++i) walk.choices[i] = i;
    }
    walk.depth = walk.part;
    const auto count = static_cast<std::uint32_t>(all_.size());
    std::uint32_t i = walk.part;
    while (i > 0 && chosen(walk, i - 1) + 1 + (walk.part - i) >= count) --i;
    if (i == 0) {
      walk.next_part();
      return;
    }
    const std::uint32_t from = chosen(walk, i - 1) + 1;
    for (std::uint32_t k = i - 1; k < walk.part; ++k) walk.choices[k] = from + (k - (i - 1));
  }

 private:
  /// The place in all_ of the run's fault `i`; at the beginning of a part, the first ones in order.
  static std::uint32_t chosen(const Walk& walk, std::uint32_t i) {
    return walk.depth == 0 ? i : walk.choices[i];
  }

  static bool struck_since(const trace::Trace& trace, Time since) {
    return std::ranges::any_of(trace.workers, [since](const auto& record) {
      return record.record.kind == JournalRecord::Kind::receipt && record.at >= since;
    });
  }

  Scenario scenario_;
  std::vector<PlannedFault> all_;
};

}  // namespace

std::unique_ptr<ExploredSpace> explored_faults() {
  return std::make_unique<Combinations>();
}

}  // namespace poolproof::search
