#pragma once

#include <array>
#include <string_view>

#include "fake_workers/journal.hpp"
#include "fake_workers/plan.hpp"

/// Faults of a start: no worker runs that could carry them out and write their receipt, so whoever
/// starts workers does both.
namespace poolproof::faults {

/// What exec can be made to say of a program, on any machine and of a real one: it is not there, it
/// is not executable, it is no program.
inline constexpr std::array<std::string_view, 3> kLaunchErrors{"ENOENT", "EACCES", "ENOEXEC"};

/// The fault that keeps this incarnation from being started: the first one in plan order that is
/// aimed at it; null: it starts.
const PlannedFault* launch_fault(const Plan& plan, WorkerId worker);

/// The errno of its exec. `fault` is one of the moment `launch`.
int errno_of(const PlannedFault& fault);

/// What goes into the journal of the incarnation that never was; the pid of that line is 0.
JournalRecord launch_receipt(const PlannedFault& fault);

}  // namespace poolproof::faults
