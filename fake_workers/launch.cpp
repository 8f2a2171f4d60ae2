#include "fake_workers/launch.hpp"

#include <algorithm>
#include <cerrno>

#include "harness/base/assert.hpp"

namespace poolproof::faults {
namespace {

constexpr std::array<int, kLaunchErrors.size()> kErrnos{ENOENT, EACCES, ENOEXEC};

}  // namespace

const PlannedFault* launch_fault(const Plan& plan, WorkerId worker) {
  const auto found = std::ranges::find_if(plan, [worker](const PlannedFault& planned) {
    return planned.fault->moment == Moment::launch && planned.at.fits(worker);
  });
  return found == plan.end() ? nullptr : &*found;
}

int errno_of(const PlannedFault& fault) {
  const auto word = std::ranges::find(kLaunchErrors, fault.text("errno"));
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
