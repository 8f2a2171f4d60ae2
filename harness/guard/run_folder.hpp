#pragma once

#include <string>
#include <vector>

#include "harness/base/result.hpp"
#include "harness/guard/incarnations.hpp"
#include "harness/host/descriptor.hpp"

namespace poolproof::guard {

/// The folder of one guarded run: its workers journal there, and the program leaves its marks.
/// Nobody else's run writes there as long as it lives.
class RunFolder {
 public:
  /// Makes the folder, holds it, and removes what an older run has left. Error: one sentence.
  static Expected<RunFolder, std::string> make(const std::string& path, const std::string& plan);

  /// The variables that tell the program's workers of this folder, as `NAME=value`.
  [[nodiscard]] std::vector<std::string> environment() const;
  [[nodiscard]] std::string marks() const { return path_ + "/marks"; }
  [[nodiscard]] std::string journals() const { return path_ + "/journals"; }

  /// The lines of all journals. What is no such line is left out and counted in `spoilt`: a worker
  /// that is killed while it writes leaves part of a line.
  [[nodiscard]] std::vector<std::vector<JournalLine>> read_journals(std::size_t& spoilt) const;

 private:
  std::string path_;  ///< the folder's absolute path
  bool has_plan_ = false;
  host::Descriptor held_;
};

}  // namespace poolproof::guard
