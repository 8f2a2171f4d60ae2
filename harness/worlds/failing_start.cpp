#include "harness/worlds/failing_start.hpp"

#include <cerrno>
#include <filesystem>
#include <fstream>

#include <fmt/format.h>

#include "harness/base/write_file.hpp"
#include "harness/host/system.hpp"

namespace poolproof::worlds {
namespace {

/// Writes a file that is no program, and executable or not.
Expected<void, std::string> write_no_program(const std::string& path, bool executable) {
  namespace fs = std::filesystem;
  auto written = write_file_whole(path, "this is no program\n", Durable::no);
  if (!written) return written;
  std::error_code error;
  const auto mode = fs::perms::owner_read | (executable ? fs::perms::owner_exec : fs::perms::none);
  fs::permissions(path, mode, error);
  if (error)
    return unexpected(fmt::format("can't set the permissions of {}: {}", path, error.message()));
  return {};
}

}  // namespace

Expected<void, std::string> FailingStarts::prepare() const {
  for (const faults::PlannedFault& fault : plan_) {
    if (fault.fault->moment != faults::Moment::launch) continue;
    const int says = faults::errno_of(fault);
    if (says == ENOENT) continue;
    auto written = write_no_program(no_program(fault), says == ENOEXEC);
    if (!written) return written;
  }
  return {};
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

void FailingStarts::strike(WorkerId worker, host::Command& command) {
  const faults::PlannedFault* const fault = faults::launch_fault(plan_, worker);
  if (fault == nullptr) return;
  // The line is written at once, as every worker writes its lines.
  std::ofstream journal(journal_, std::ios::binary | std::ios::app);
  journal << faults::journal_line(faults::launch_receipt(*fault),
                                  host::sys::now().time_since_epoch().count(), worker, 0);
  journal.close();
  if (journal) {
    command.argv = {no_program(*fault)};
  } else {
    trouble_ = fmt::format("can't write {}: the receipt of a start that was to fail", journal_);
  }
}

}  // namespace poolproof::worlds
