#include <algorithm>

#include <fmt/format.h>

#include "harness/guard/rules.hpp"

/// Did every planned fault strike?
namespace poolproof::guard {

void judge_strikes(const Facts& facts, Judgement& judgement) {
  for (const faults::PlannedFault& planned : facts.plan) {
    judgement.strikes.push_back({planned.id, std::string(planned.fault->name), 0});
  }
  const std::size_t planned = judgement.strikes.size();
  for (const Incarnation& one : facts.incarnations) {
    for (const Receipt& receipt : one.receipts) {
      const auto is_it = [&](const Strikes& strikes) {
        return strikes.id == receipt.plan_id && strikes.fault == receipt.fault;
      };
      auto found = std::ranges::find_if(judgement.strikes, is_it);
      if (found == judgement.strikes.end()) {
        found = judgement.strikes.insert(found, {receipt.plan_id, receipt.fault, 0});
      }
      ++found->count;
    }
  }
  for (std::size_t i = 0; i < planned; ++i) {
    const Strikes& strikes = judgement.strikes[i];
    if (strikes.count > 0) continue;
    judgement.reasons.push_back(
        fmt::format("the planned fault {} ({}) never struck", strikes.fault, strikes.id));
  }
}

}  // namespace poolproof::guard
