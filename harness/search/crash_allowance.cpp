#include "harness/search/crash_allowance.hpp"

#include <cstddef>

namespace poolproof::search {
namespace {

/// What one kind costs.
struct Terms {
  std::uint64_t for_nothing;  ///< so many times
  std::uint64_t price;        ///< cases, from then on
};
constexpr Terms kCrash{100, 5};
/// Each is waited for as long as thousands of cases take.
constexpr Terms kStuck{20, 20'000};
/// Who tells every crash by another name gets nothing for the later ones.
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
