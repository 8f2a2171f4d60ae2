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

  /// Every invariant over that run, as the function of this name.
  std::vector<Finding> judge(const Evidence& evidence);
  /// What the run that was judged last reached: seen in the same walk.
  [[nodiscard]] const Coverage& coverage() const { return coverage_; }

 private:
  std::vector<std::byte> usual_ = std::vector<std::byte>(std::size_t{64} * 1024);
  /// Takes from that block what is usual, and asks for more when it is used up.
  std::pmr::monotonic_buffer_resource memory_{usual_.data(), usual_.size()};
  Coverage coverage_;
};

}  // namespace poolproof::oracle
