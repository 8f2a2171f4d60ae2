#pragma once

#include <cstddef>
#include <memory_resource>
#include <vector>

#include "harness/oracle/coverage.hpp"
#include "harness/oracle/oracle.hpp"

namespace poolproof::oracle {

/// Judges one run after another in the same memory: for those who judge millions of small ones.
class Judge {
 public:
  Judge() = default;
  Judge(const Judge&) = delete;
  Judge& operator=(const Judge&) = delete;

  /// Judges every invariant over that run: the same findings as those of oracle::judge().
  std::vector<Finding> judge(const Evidence& evidence);
  /// The coverage of the run that was judged last, found while it was judged.
  [[nodiscard]] const Coverage& coverage() const { return coverage_; }

 private:
  std::vector<std::byte> usual_ = std::vector<std::byte>(std::size_t{64} * 1024);
  /// Uses a block of the usual size first, and asks for more when that is used up.
  std::pmr::monotonic_buffer_resource memory_{usual_.data(), usual_.size()};
  Coverage coverage_;
};

}  // namespace poolproof::oracle
