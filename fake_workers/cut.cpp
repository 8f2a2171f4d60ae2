#include "fake_workers/cut.hpp"

#include <algorithm>

#include "harness/base/assert.hpp"

namespace poolproof::faults {

Cut cut_of(const PlannedFault& fault) {
  const auto* const word =
      std::find(kReadEndingNames.begin(), kReadEndingNames.end(), fault.text("then"));
  POOLPROOF_ASSERT(word != kReadEndingNames.end());
  return {static_cast<std::size_t>(fault.number("keep_bytes")),
          static_cast<Ending>(word - kReadEndingNames.begin()),
          static_cast<int>(fault.number("code"))};
}

}  // namespace poolproof::faults
