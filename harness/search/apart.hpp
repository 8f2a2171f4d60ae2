#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "harness/base/clock.hpp"
#include "harness/host/offshoot.hpp"
#include "harness/oracle/judge.hpp"
#include "harness/scenario/scenario.hpp"
#include "harness/wire/terse.hpp"

namespace poolproof::search {

/// The result of a simulated run in a process of its own, in which it may crash, break a promise of
/// the code or never end.
struct Apart {
  std::vector<std::string> signatures;  ///< of its findings, in their order; empty: the run held
  std::vector<std::string> sentences;   ///< of the same findings

  [[nodiscard]] bool failed_with(const std::string& signature) const;
  /// The sentence of the finding with this signature; empty if there is none.
  [[nodiscard]] std::string sentence_of(const std::string& signature) const;
};
Apart run_apart(const scenario::Scenario& scenario, Duration limit,
                wire::Codec codec = wire::Codec::json);
/// The same from the result of a run in this process.
Apart find_apart(const std::function<std::vector<oracle::Finding>()>& run, Duration limit);

/// Reads everything that `offshoot` writes until it has ended. After `limit` it is killed.
struct LastWords {
  std::string said;
  std::string errors;
  ExitStatus exit;
  bool overran = false;
};
LastWords hear(host::Offshoot& offshoot, Duration limit);

}  // namespace poolproof::search
