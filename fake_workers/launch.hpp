#pragma once

#include <array>
#include <string_view>

#include "fake_workers/journal.hpp"
#include "fake_workers/plan.hpp"

/// Faults of a start. No worker runs that could carry them out and write their receipts, so whoever
/// starts workers does both.
namespace poolproof::faults {

/// The errors of exec that a fault can cause for any program on any machine: it is not there, it is
/// not executable, it is no program.
inline constexpr std::array<std::string_view, 3> kLaunchErrors{"ENOENT", "EACCES", "ENOEXEC"};

/// The fault that keeps this incarnation from being started: the first one in plan order that is
/// aimed at it; null: it starts.
const PlannedFault* launch_fault(const Plan& plan, WorkerId worker);

/// The errno of the exec that the fault makes fail. Requires: the fault's moment is `launch`.
int errno_of(const PlannedFault& fault);

/// The receipt in the journal of the incarnation that never was; the pid in its line is 0.
JournalRecord launch_receipt(const PlannedFault& fault);

}  // namespace poolproof::faults
