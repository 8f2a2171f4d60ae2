#include "fake_workers/launch.hpp"

#include <algorithm>
#include <cerrno>

#include "harness/base/assert.hpp"

namespace poolproof::faults {
namespace {

constexpr std::array<int, kLaunchErrors.size()> kErrnos{ENOENT, EACCES, ENOEXEC};

bool keeps_from_starting(const PlannedFault& planned, WorkerId worker) {
  return planned.fault->moment == Moment::launch &&
         planned.at.slot.value_or(worker.slot) == worker.slot &&
         planned.at.generation.value_or(worker.generation) == worker.generation;
}

}  // namespace

const PlannedFault* launch_fault(const Plan& plan, WorkerId worker) {
  const auto found = std::find_if(plan.begin(), plan.end(), [worker](const PlannedFault& planned) {
    return keeps_from_starting(planned, worker);
  });
  return found == plan.end() ? nullptr : &*found;
}

int errno_of(const PlannedFault& fault) {
  const auto word = std::find(kLaunchErrors.begin(), kLaunchErrors.end(), fault.text("errno"));
  POOLPROOF_ASSERT(word != kLaunchErrors.end());
  return kErrnos[static_cast<std::size_t>(word - kLaunchErrors.begin())];
}

JournalRecord launch_receipt(const PlannedFault& fault) {
  JournalRecord record = record_of(JournalRecord::Kind::receipt);
  record.fault = fault.fault->name;
  record.plan_id = fault.id;
  return record;
}

}  // namespace poolproof::faults
