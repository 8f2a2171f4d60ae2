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

/// How late is late: 0 in the simulator, generous on the host.
///
/// With 0 every witness has the same clock and nothing takes time but what is meant to. Then:
///  * exact to the microsecond: deadlines (a grant at the deadline is late, a refusal before it is
///    early), pairing, prompt_death (also of a call that finds its worker dead), bounded_close,
///    isolation's timeouts, and the order of reads in no_dirty_reuse;
///  * what happens at one moment is in doubt only across witnesses: there, cause and effect may
///    share a moment, and neither order is a finding. Within one witness its order counts;
///  * what only the self-report tells (order, accounting, bounds, bounded_starts,
///    no_waiter_beside_idle) is exact in both worlds;
///  * a start, and a sound worker's answer to a command that asks for no work, still take time: up
///    to 1 s is no finding of recovery and isolation.
struct Bounds {
  Duration liveness = 5s;
};

/// What an invariant may look at. `trace.pool` is the accused's own word: all invariants but those
/// that `needs_self_report()` can be judged without it.
struct Evidence {
  const scenario::Scenario& scenario;
  const trace::Trace& trace;
  Bounds bounds;
};

struct Case;

struct Invariant {
  std::string_view name;     ///< `exclusive_lease`
  std::string_view code;     ///< of harness/FIELD_BUGS.md: S1
  std::string_view summary;  ///< one sentence
  /// Null: only the self-report can show it, and `Promises` judges it there.
  void (*judge)(const Case& given, std::vector<Finding>& findings);

  [[nodiscard]] constexpr bool needs_self_report() const { return judge == nullptr; }
};

/// All of them, in the order of the documentation.
std::span<const Invariant> invariants();

/// Every invariant over one run. Those that need a self-report are skipped when there is none.
std::vector<Finding> judge(const Evidence& evidence);

/// Under which findings of one cause are grouped over many scenarios: the invariant's name and the
/// sentence without numbers, ids, clients, workers, bytes and quotations:
/// `exclusive_lease: worker # was leased to client # while client # held it`.
/// Limits: printable ASCII, at most 160 bytes.
std::string signature(const Finding& finding);

/// The scenario's own expectations: steps' outcomes, workers' fates, and that some call succeeds.
std::vector<Finding> judge_expectations(const Evidence& evidence);

/// Why the run proves nothing, if so: planned faults without a receipt, or a run whose faults
/// changed nothing against the control (a harmless fault: nothing in its own receipts' reads or
/// latency). Empty: all struck and had an effect.
std::vector<std::string> ineffective_faults(const scenario::Scenario& scenario,
                                            const trace::Trace& run, const trace::Trace& control);

/// Receipts per fault of the plan, in the plan's order.
std::vector<std::size_t> strikes(const scenario::Scenario& scenario, const trace::Trace& run);

}  // namespace poolproof::oracle
