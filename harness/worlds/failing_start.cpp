#include "harness/worlds/failing_start.hpp"

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <utility>

#include "harness/host/system.hpp"

namespace poolproof::worlds {
namespace {

/// There, and executable or not, but no program.
void write_no_program(const std::string& path, bool executable) {
  namespace fs = std::filesystem;
  std::ofstream(path, std::ios::binary) << "this is no program\n";
  std::error_code ignored;
  const auto mode = fs::perms::owner_read | (executable ? fs::perms::owner_exec : fs::perms::none);
  fs::permissions(path, mode, ignored);
}

}  // namespace

FailingStarts::FailingStarts(const faults::Plan& plan, std::string folder, std::string journal)
    : plan_(plan), folder_(std::move(folder)), journal_(std::move(journal)) {
  // All before the first process is started: one that is just being started would hold them open
  // for writing, and exec would say so instead.
  for (const faults::PlannedFault& fault : plan_) {
    if (fault.fault->moment != faults::Moment::launch) continue;
    const int says = faults::errno_of(fault);
    if (says != ENOENT) write_no_program(no_program(fault), says == ENOEXEC);
  }
}

std::string FailingStarts::no_program(const faults::PlannedFault& fault) const {
  switch (faults::errno_of(fault)) {
    case EACCES:
      return folder_ + "/not_executable";
    case ENOEXEC:
      return folder_ + "/no_program";
    default:
      return folder_ + "/not_there";
  }
}

void FailingStarts::strike(WorkerId worker, host::Command& command) const {
  const faults::PlannedFault* const fault = faults::launch_fault(plan_, worker);
  if (fault == nullptr) return;
  command.argv = {no_program(*fault)};
  // In one write, as every worker writes its lines.
  std::ofstream(journal_, std::ios::binary | std::ios::app)
      << faults::journal_line(faults::launch_receipt(*fault),
                              host::sys::now().time_since_epoch().count(), worker, 0)
      << std::flush;
}

}  // namespace poolproof::worlds
