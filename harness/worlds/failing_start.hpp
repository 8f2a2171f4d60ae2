#pragma once

#include <string>

#include "fake_workers/launch.hpp"
#include "harness/host/child.hpp"

namespace poolproof::worlds {

/// Starts that really fail: a fault of the moment `launch` is carried out by giving the pool a
/// program that exec refuses, so that the pool meets a true error in the place where it would meet
/// it, and knows nothing of faults.
class FailingStarts {
 public:
  /// `folder` must exist; files of its own go there.
  FailingStarts(const faults::Plan& plan, std::string folder, std::string journal);

  /// Makes the command of an incarnation one that exec refuses, and writes the receipt, if a fault
  /// is aimed at it.
  void strike(WorkerId worker, host::Command& command) const;

 private:
  [[nodiscard]] std::string no_program(const faults::PlannedFault& fault) const;

  const faults::Plan& plan_;
  std::string folder_;
  std::string journal_;
};

}  // namespace poolproof::worlds
