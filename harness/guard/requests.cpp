#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "fake_workers/leaves.hpp"
#include "fake_workers/plan.hpp"
#include "harness/base/text.hpp"
#include "harness/guard/rules.hpp"

/// Which requests came to a worker that should not have come?
namespace poolproof::guard {
namespace {

/// The fault as it was planned, or, of a worker's own, as it is without parameters.
std::optional<faults::PlannedFault> fault_of(const Facts& facts, const Receipt& receipt) {
  for (const faults::PlannedFault& planned : facts.plan) {
    if (planned.id == receipt.plan_id && planned.fault->name == receipt.fault) return planned;
  }
  const nlohmann::json bare{{"fault", receipt.fault}, {"at", nlohmann::json::object()}};
  auto fault = faults::read_fault(bare, "receipt");
  if (!fault) return std::nullopt;
  return std::move(*fault);
}

/// Why a worker must not be asked again after that request; empty: it may be.
std::string why_dirty(const Facts& facts, const Incarnation& one, const Asked& before) {
  for (const Receipt& receipt : one.receipts) {
    if (receipt.request != before.number) continue;
    const auto fault = fault_of(facts, receipt);
    if (fault && !faults::keeps_worker(*fault, {})) {
      return fmt::format("its stream was spoilt ({}) in its request {}", receipt.fault,
                         before.number);
    }
  }
  if (before.is_owed && !before.wrote) {
    return fmt::format("it owed the answer to its request {}", before.number);
  }
  return "";
}

}  // namespace

void judge_at_most_once(const Facts& facts, Judgement& judgement) {
  struct First {
    const Incarnation* by;
    const Asked* asked;
  };
  std::map<std::string, First> first;
  for (const Incarnation& one : facts.incarnations) {
    for (const Asked& asked : one.asked) {
      if (!asked.nonce) continue;
      const auto [place, fresh] = first.try_emplace(*asked.nonce, First{&one, &asked});
      if (fresh) continue;
      const Process now = process_of(facts, one);
      const Process before = process_of(facts, *place->second.by);
      judgement.findings.push_back(
          {"at_most_once",
           Blame::program,
           fmt::format("call {} (command {}) was read twice: at {} ms by {}; and at {} ms by {}",
                       printable(*asked.nonce), printable(asked.command.value_or("unknown")),
                       to_ms(place->second.asked->read), told(before.address), to_ms(asked.read),
                       told(now.address)),
           asked.read,
           {before.address, now.address}});
    }
  }
}

void judge_reuse(const Facts& facts, Judgement& judgement) {
  if (!facts.exclusive) return;
  for (const Incarnation& one : facts.incarnations) {
    for (std::size_t i = 1; i < one.asked.size(); ++i) {
      const std::string why = why_dirty(facts, one, one.asked[i - 1]);
      if (why.empty()) continue;
      const Process process = process_of(facts, one);
      judgement.findings.push_back({"no_dirty_reuse",
                                    Blame::program,
                                    fmt::format("{}, was asked again (request {}) although {}",
                                                told(process.address), one.asked[i].number, why),
                                    one.asked[i].read,
                                    {process.address}});
      break;  // all that comes after it has the same cause
    }
  }
}

}  // namespace poolproof::guard
