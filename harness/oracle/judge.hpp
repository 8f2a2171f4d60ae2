#pragma once

#include <optional>
#include <vector>

#include "harness/oracle/arena.hpp"
#include "harness/oracle/coverage.hpp"
#include "harness/oracle/oracle.hpp"
#include "harness/oracle/view.hpp"

namespace poolproof::oracle {

/// Judges one run after another in the same memory: for those who judge millions of small ones.
class Judge {
 public:
  Judge();
  Judge(const Judge&) = delete;
  Judge& operator=(const Judge&) = delete;

  /// Turns to that run. It is not to change as long as it is asked about.
  void look_at(const Evidence& evidence);
  /// As the functions of these names, of the run that was looked at last.
  [[nodiscard]] std::vector<Finding> judge() const;
  [[nodiscard]] Coverage coverage() const;

 private:
  struct Looked {
    Looked(const Evidence& given, Memory* memory) : evidence(given), view(evidence, memory) {}

    Evidence evidence;
    View view;
  };

  Arena memory_;
  std::optional<Looked> looked_;
};

}  // namespace poolproof::oracle
