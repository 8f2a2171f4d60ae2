#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "fake_workers/leaves.hpp"
#include "fake_workers/plan.hpp"
#include "harness/base/text.hpp"
#include "harness/guard/rules.hpp"

/// Which requests came to a worker that should not have got them?
namespace poolproof::guard {
namespace {

/// The fault of a receipt, as it was planned; a worker's own fault without its parameters.
std::optional<faults::PlannedFault> fault_of(const Facts& facts, const Receipt& receipt) {
  for (const faults::PlannedFault& planned : facts.plan) {
    if (planned.id == receipt.plan_id && planned.fault->name == receipt.fault) return planned;
  }
  const nlohmann::json bare{{"fault", receipt.fault}, {"at", nlohmann::json::object()}};
  auto fault = faults::read_fault(bare, "receipt");
  if (!fault) return std::nullopt;
  return std::move(*fault);
}

/// Why a worker must not be asked `again` after the request `before`; empty: it may be asked.
std::string why_dirty(const Facts& facts, const Incarnation& one, const WorkerRequest& before,
                      const WorkerRequest& again) {
  // Whoever gives a worker up tells it to leave, and waits for nothing.
  if (again.says_goodbye()) return "";
  for (const Receipt& receipt : one.receipts) {
    if (receipt.request != before.number) continue;
    const auto fault = fault_of(facts, receipt);
    // A reply that comes late is owed until it is there, and sound then.
    if (fault && fault->fault->family == faults::Family::delay) continue;
    // Nobody knows the worker's speech: assume one in which a worker may say more than replies.
    faults::Reader most;
    most.speech = wire::Speech::json_rpc;
    if (fault && !faults::keeps_worker(*fault, most)) {
      return fmt::format("its stream was spoilt ({}) in its request {}", receipt.fault,
                         before.number);
    }
  }
  // Even if it answered later, it was asked again before that.
  const bool is_late = again.early || before.wrote.value_or(Duration::max()) > again.read;
  if (before.is_owed && is_late) {
    return fmt::format("it owed the answer to its request {}", before.number);
  }
  return "";
}

struct Reading {
  const Incarnation* by;
  const WorkerRequest* asked;
};

/// All readings, by their times.
std::vector<Reading> in_order(const Facts& facts) {
  std::vector<Reading> all;
  for (const Incarnation& one : facts.incarnations) {
    for (const WorkerRequest& asked : one.asked) all.push_back({&one, &asked});
  }
  std::ranges::stable_sort(all, {}, [](const Reading& one) { return one.asked->read; });
  return all;
}

/// What tells one call with a nonce from others: two pools may give out the same nonces.
using Call = std::tuple<std::string, std::string, std::string>;
Call call_of(const WorkerRequest& asked) {
  return {asked.nonce.value_or(""), asked.command.value_or(""), asked.digest};
}

/// Whether two readings may be those of two pools, such as two tests of a suite make one after the
/// other: the second worker began after the first one's end, with a journal of its own.
bool may_be_apart(const Reading& before, const Reading& now, const Process& process_before) {
  const Duration end = process_before.gone.value_or(before.by->last);
  return before.by->journal != now.by->journal && end <= now.by->started;
}

/// Whether a request is one that every pool sends when it starts and ends a worker.
bool is_of_the_pool(const WorkerRequest& asked) {
  constexpr std::array<std::string_view, 3> kOwn{"initialize", "ping", "shutdown"};
  return std::ranges::find(kOwn, asked.command.value_or("")) != kOwn.end();
}

/// Reports calls without a nonce that differ in their ids alone. Nobody can tell whether the pool
/// or the program repeats a call, unless the program is said to make no call twice.
void judge_repeats(const Facts& facts, Judgement& judgement) {
  std::map<std::string, Reading> last;
  for (const Reading& now : in_order(facts)) {
    const WorkerRequest& asked = *now.asked;
    if (!asked.is_owed || asked.nonce || asked.digest.empty() || is_of_the_pool(asked)) continue;
    const auto [place, fresh] = last.try_emplace(now.asked->digest, now);
    const Reading before = std::exchange(place->second, now);
    const bool answered = before.asked->wrote.has_value();
    if (fresh || (!facts.distinct && (answered || before.by == now.by))) continue;
    const Process first = process_of(facts, *before.by);
    const Process second = process_of(facts, *now.by);
    (facts.distinct ? judgement.findings : judgement.remarks)
        .push_back({"at_most_once",
                    Blame::program,
                    fmt::format("a call (command {}) was read twice, the same but for its id: at "
                                "{} ms by {}{}; and at {} ms by {}",
                                printable(now.asked->command.value_or("unknown")),
                                to_ms(before.asked->read), told(first.address),
                                answered ? "" : ", which never answered it", to_ms(now.asked->read),
                                told(second.address)),
                    now.asked->read,
                    {first.address, second.address}});
  }
}

}  // namespace

void judge_at_most_once(const Facts& facts, Judgement& judgement) {
  judge_repeats(facts, judgement);
  std::map<Call, Reading> first;
  for (const Reading& now : in_order(facts)) {
    if (!now.asked->nonce) continue;
    const auto [place, fresh] = first.try_emplace(call_of(*now.asked), now);
    if (fresh) continue;
    const Reading& before = place->second;
    const Process process = process_of(facts, *now.by);
    const Process process_before = process_of(facts, *before.by);
    const bool apart = may_be_apart(before, now, process_before);
    (apart ? judgement.remarks : judgement.findings)
        .push_back(
            {"at_most_once",
             Blame::program,
             fmt::format("call {} (command {}) was read twice: at {} ms by {}; and at {} ms "
                         "by {}{}",
                         printable(*now.asked->nonce),
                         printable(now.asked->command.value_or("unknown")),
                         to_ms(before.asked->read), told(process_before.address),
                         to_ms(now.asked->read), told(process.address),
                         apart ? ", which has another journal and began after that one's end" : ""),
             now.asked->read,
             {process_before.address, process.address}});
  }
}

void judge_reuse(const Facts& facts, Judgement& judgement) {
  if (!facts.exclusive) return;
  for (const Incarnation& one : facts.incarnations) {
    for (std::size_t i = 1; i < one.asked.size(); ++i) {
      const std::string why = why_dirty(facts, one, one.asked[i - 1], one.asked[i]);
      if (why.empty()) continue;
      const Process process = process_of(facts, one);
      judgement.findings.push_back({"no_dirty_reuse",
                                    Blame::program,
                                    fmt::format("{}, was asked again (request {}) although {}",
                                                told(process.address), one.asked[i].number, why),
                                    one.asked[i].read,
                                    {process.address}});
      break;  // whatever comes after it has the same cause
    }
  }
}

}  // namespace poolproof::guard
