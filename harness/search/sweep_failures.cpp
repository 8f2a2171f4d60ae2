#include "harness/search/sweep_failures.hpp"

#include <algorithm>

#include "harness/search/case.hpp"

namespace poolproof::search {
namespace {

/// The number of examples of each kind of failure, besides the first, from which the one to be
/// shrunk is chosen.
constexpr std::size_t kExamplesMost = 12;

}  // namespace

void SweepFailures::go_on_from(const std::vector<Failure>& before) {
  for (const Failure& failure : before) found_.emplace(failure.signature, failure);
}

void SweepFailures::note(const JobFailure& failure) {
  const auto [known, fresh] = found_.try_emplace(failure.signature);
  Failure& kept = known->second;
  std::uint64_t other = failure.number;
  if (fresh || failure.number < kept.number) {
    other = fresh ? failure.number : kept.number;
    kept.signature = failure.signature;
    kept.what = failure.what;
    kept.number = failure.number;
    kept.seed = case_seed(sweep_seed_, failure.number);
  }
  const bool is_new = other != kept.number &&
                      std::find(kept.others.begin(), kept.others.end(), other) == kept.others.end();
  if (is_new && kept.others.size() < kExamplesMost) kept.others.push_back(other);
}

void SweepFailures::count(const std::map<std::string, std::uint64_t>& times) {
  for (const auto& [signature, more] : times) found_.at(signature).times += more;
}

std::vector<Failure> SweepFailures::list() const {
  std::vector<Failure> all;
  for (const auto& [signature, failure] : found_) all.push_back(failure);
  std::sort(all.begin(), all.end(),
            [](const Failure& a, const Failure& b) { return a.number < b.number; });
  return all;
}

std::vector<Failure*> SweepFailures::to_shrink() {
  std::vector<Failure*> all;
  for (const Failure& failure : list()) all.push_back(&found_.at(failure.signature));
  return all;
}

}  // namespace poolproof::search
