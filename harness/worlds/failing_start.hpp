#pragma once

#include <string>
#include <utility>

#include "fake_workers/launch.hpp"
#include "harness/base/result.hpp"
#include "harness/host/child.hpp"

namespace poolproof::worlds {

/// Makes starts really fail: a fault of the moment `launch` is carried out by giving the pool a
/// program that exec refuses. So the pool meets a true error in the place where it would meet it,
/// and knows nothing of faults.
class FailingStarts {
 public:
  /// `folder` must exist; files of its own go there.
  FailingStarts(const faults::Plan& plan, std::string folder, std::string journal)
      : plan_(plan), folder_(std::move(folder)), journal_(std::move(journal)) {}

  /// Writes those files. To be called before the first process is started: one that is just being
  /// started would hold them open for writing, and exec would say so instead. Error: one sentence
  /// with the path.
  Expected<void, std::string> prepare() const;

  /// If a fault is aimed at the start of an incarnation: makes its command one that exec refuses,
  /// and writes the receipt. Without its receipt a fault does not strike: see trouble(). One call
  /// at a time.
  void strike(WorkerId worker, host::Command& command);

  /// Why a receipt could not be written, one sentence with the path; empty: all were.
  [[nodiscard]] const std::string& trouble() const { return trouble_; }

 private:
  [[nodiscard]] std::string no_program(const faults::PlannedFault& fault) const;

  const faults::Plan& plan_;
  std::string folder_;
  std::string journal_;
  std::string trouble_;
};

}  // namespace poolproof::worlds
