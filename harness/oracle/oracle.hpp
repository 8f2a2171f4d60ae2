#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "harness/scenario/scenario.hpp"
#include "harness/trace/record.hpp"

namespace poolproof::oracle {

using namespace std::chrono_literals;

/// One broken invariant, or one expectation that was not met.
struct Finding {
  std::string invariant;  ///< its name; "expectation" for the scenario's own, "witnesses" when they
                          ///< disagree
  std::string what;       ///< one sentence with who, when and what: safe on a terminal
  Time at;                ///< where to look in the trace
};

/// How late is late: exact in the simulator, generous on the host.
struct Bounds {
  Duration liveness = 5s;
};

/// What an invariant may look at. `trace.pool` is the accused's own word: only invariants marked
/// `needs_testimony` read it.
struct Evidence {
  const scenario::Scenario& scenario;
  const trace::Trace& trace;
  Bounds bounds;
};

struct Invariant {
  std::string_view name;     ///< `exclusive_lease`
  std::string_view code;     ///< of the catalogue: S1
  std::string_view summary;  ///< one sentence
  bool needs_testimony;
  void (*judge)(const Evidence& evidence, std::vector<Finding>& findings);
};

/// All of them, in the order of the documentation.
std::span<const Invariant> invariants();

/// Every invariant over one run. Testimony-only ones are skipped when there is no testimony.
std::vector<Finding> judge(const Evidence& evidence);

/// The scenario's own expectations: steps' outcomes, workers' fates, and that some call succeeds.
std::vector<Finding> judge_expectations(const Evidence& evidence);

/// Why the run proves nothing, if so: planned faults without a receipt, or a run whose faults
/// changed nothing against the control (a harmless fault: nothing in its own receipts' reads or
/// latency). Empty: all struck and had an effect.
std::vector<std::string> vain(const scenario::Scenario& scenario, const trace::Trace& run,
                              const trace::Trace& control);

/// Receipts per fault of the plan, in the plan's order.
std::vector<std::size_t> strikes(const scenario::Scenario& scenario, const trace::Trace& run);

}  // namespace poolproof::oracle
