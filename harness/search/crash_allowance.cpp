#include "harness/search/crash_allowance.hpp"

#include <cstddef>

namespace poolproof::search {
namespace {

/// The price of one kind of crash.
struct Terms {
  std::uint64_t for_nothing;  ///< the number of crashes without a price
  std::uint64_t price;        ///< the price of each further crash, in cases carried out
};
constexpr Terms kCrash{100, 5};
/// The wait for each run without end costs as much time as thousands of cases.
constexpr Terms kStuck{20, 20'000};
/// After this many kinds a new kind has no free crashes. So a pool whose every crash has a
/// signature of its own ends the sweep, too.
constexpr std::size_t kKindsForNothing = 20;

}  // namespace

bool CrashAllowance::grant(const std::string& signature, std::uint64_t done) {
  const auto known = times_.find(signature);
  const Terms& terms = signature == kStuckSignature ? kStuck : kCrash;
  if (known == times_.end() && times_.size() >= kKindsForNothing) {
    owed_ += terms.price;
  } else if (++times_[signature] > terms.for_nothing) {
    owed_ += terms.price;
  }
  return owed_ <= done;
}

}  // namespace poolproof::search
