#include "fake_workers/cut.hpp"

#include <algorithm>

#include "harness/base/assert.hpp"

namespace poolproof::faults {

Cut cut_of(const PlannedFault& fault) {
  const auto* const word = std::find(kEndingNames.begin(), kEndingNames.end(), fault.text("then"));
  POOLPROOF_ASSERT(word != kEndingNames.end());
  return {static_cast<std::size_t>(fault.number("keep_bytes")),
          static_cast<Ending>(word - kEndingNames.begin()), static_cast<int>(fault.number("code"))};
}

}  // namespace poolproof::faults
