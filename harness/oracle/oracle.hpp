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
  Time at;                ///< the time in the trace to look at
};

/// How much lateness counts as late: 0 in the simulator, generous on the host.
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

/// What an invariant may look at. `trace.pool` is what the pool under test says of itself: all
/// invariants without `needs_self_report()` can be judged without it.
struct Evidence {
  const scenario::Scenario& scenario;
  const trace::Trace& trace;
  Bounds bounds;
};

struct Case;

struct Invariant {
  std::string_view name;     ///< such as `exclusive_lease`
  std::string_view code;     ///< its code in harness/FIELD_BUGS.md, such as S1
  std::string_view summary;  ///< one sentence: what must hold
  /// Null: only the self-report can show a violation, and `Promises` judges it there.
  void (*judge)(const Case& given, std::vector<Finding>& findings);

  [[nodiscard]] constexpr bool needs_self_report() const { return judge == nullptr; }
};

/// All invariants, in the order of the documentation.
std::span<const Invariant> invariants();

/// Judges every invariant over one run. Those that need a self-report are skipped without one.
std::vector<Finding> judge(const Evidence& evidence);

/// The key that groups the findings of one cause over many scenarios: the invariant's name and the
/// sentence without numbers, ids, clients, workers, bytes and quotations, such as
/// `exclusive_lease: worker # was leased to client # while client # held it`.
/// Limits: printable ASCII, at most 160 bytes.
std::string signature(const Finding& finding);

/// Judges the scenario's own expectations: steps' outcomes, workers' fates, and that some call
/// succeeds.
std::vector<Finding> judge_expectations(const Evidence& evidence);

/// Why the run proves nothing about its faults; empty: all struck and had an effect. Reasons: a
/// planned fault left no receipt, or changed nothing against the control. (A harmless fault:
/// nothing in the reads and times of its own worker's journal.) Signals from outside count as
/// faults; one that reached nobody is not told of here.
std::vector<std::string> ineffective_faults(const scenario::Scenario& scenario,
                                            const trace::Trace& run, const trace::Trace& control);

/// How many receipts each fault of the plan has, in the plan's order.
std::vector<std::size_t> strikes(const scenario::Scenario& scenario, const trace::Trace& run);

}  // namespace poolproof::oracle
