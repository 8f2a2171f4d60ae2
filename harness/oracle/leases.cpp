#include <algorithm>
#include <vector>

#include <boost/algorithm/cxx11/any_of.hpp>
#include <boost/range/algorithm/count_if.hpp>

#include "harness/oracle/rules.hpp"

namespace poolproof::oracle {
namespace {

/// A moment after which nobody may use that incarnation.
struct Doubt {
  WorkerId worker;
  LeaseId lease;
  Time at;
  const ClientStep* why;
};

std::pair<std::uint32_t, std::uint32_t> place_of(const ClientStep& step) {
  return {step.repetition, step.step};
}

/// In virtual time several leases may begin and end in one moment; their numbers tell the order.
bool comes_after(const Doubt& doubt, Time at, LeaseId lease) {
  return at > doubt.at || (at == doubt.at && lease > doubt.lease);
}

Table<Doubt> doubts(const Evidence& evidence, const View& view) {
  Table<Doubt> found(view.memory);
  for (const std::uint32_t i : view.troubled) {
    const ClientStep* call = view.calls[i];
    if (!call->worker || !leaves_doubt(*call, view.read_of(i) != nullptr)) continue;
    found.push_back({*call->worker, call->lease, call->ended, call});
  }
  if (evidence.scenario.pool.on_exception != pool::OnException::discard) return found;
  if (!view.any_thrown) return found;
  for (const ClientStep& step : evidence.trace.clients) {
    if (step.kind != StepKind::thrown || step.skipped || !step.worker) continue;
    found.push_back({*step.worker, step.lease, step.begun, &step});
  }
  return found;
}

/// Whether the request read was a ping of the pool itself, not a client's.
bool is_own_ping(const JournalRecord& read) {
  return !read.nonce && read.command && *read.command == "ping";
}

/// Whether the fault delays the worker's reply, or keeps the worker busy when the reply is out.
bool holds_up(const faults::PlannedFault& planned) {
  if (planned.fault->shows == faults::Shows::pauses_in_reply) return true;
  return aimed_by_call(*planned.fault) && faults::pause_of(planned) > Duration::zero();
}

/// Whether the fault may keep the worker busy after its reply, when the next request comes.
bool goes_on_after(const faults::PlannedFault& planned) {
  return holds_up(planned) && planned.fault->shows != faults::Shows::pause_before_reply;
}

bool is_aimed_at(const faults::PlannedFault& planned, WorkerId worker, const JournalRecord& read) {
  const faults::Aim& at = planned.at;
  if (!at.client.empty()) return read.nonce == fmt::format("{}:{}", at.client, at.call);
  return at.fits(worker) && (!at.request || at.request == read.request);
}

class Overkill {
 public:
  explicit Overkill(const Case& given)
      : evidence_(given.evidence), view_(given.view), excused_(view_.memory) {}

  /// Goes from the last incarnation of a slot to the first: that a next one started shows that this
  /// one was lost.
  void judge(Findings& findings) {
    Time successor = kNever;
    const auto& all = view_.incarnations;
    for (std::size_t i = all.size(); i > 0; --i) {
      const Incarnation& incarnation = all[i - 1];
      const bool last_of_slot = i == all.size() || all[i].worker.slot != incarnation.worker.slot;
      if (last_of_slot) successor = kNever;
      judge(incarnation, successor, findings);
      const auto* started = incarnation.signs().started;
      if (started != nullptr) successor = std::min(successor, started->at);
    }
  }

 private:
  void judge(const Incarnation& incarnation, Time successor, Findings& findings) {
    // A real program may have given the pool a reason by what it did by itself.
    if (!view_.is_ours(incarnation.worker)) return;
    // The incarnation was lost when it was told to go or when the next one in its slot started.
    const WorkerRecord* farewell = incarnation.signs().farewell;
    const Time lost = std::min(successor, farewell == nullptr ? kNever : farewell->at);
    if (lost == kNever || lost + view_.grain >= view_.close_begun) return;
    if (excused(incarnation, farewell, lost)) return;
    tell(findings, "no_overkill", lost,
         "worker {} was put away before the pool was closed, though no fault, no signal and no "
         "call had given a reason",
         dotted(incarnation.worker));
  }

  /// Notes the workers that a client's call or a signal gave the pool a reason to put away.
  void gather_excused() {
    excused_.resize(view_.workers.size());
    for (const Doubt& doubt : doubts(evidence_, view_)) excuse(doubt.worker);
    for (const auto& strike : evidence_.trace.environment) {
      if (strike.delivered) excuse(strike.worker);
    }
  }

  void excuse(WorkerId worker) {
    const std::uint32_t number = view_.workers.find(worker);
    if (number != kNone) excused_[number] = true;
  }

  [[nodiscard]] bool excused(const Incarnation& incarnation, const WorkerRecord* farewell,
                             Time lost) {
    // A worker that never served may have exceeded its start-up budget. That is ruled out only if
    // the budget, counted from before there was a pool, was not over.
    const Duration budget = evidence_.scenario.pool.core.startup_budget;
    const bool served = !view_.holds_of_worker[incarnation.number].empty();
    if (!served && lost + view_.grain >= after(view_.begun, budget)) return true;
    const Signs& signs = incarnation.signs();
    if (signs.may_be_lost || (signs.exits && farewell == nullptr)) return true;
    if (may_be_recycled(incarnation, lost)) return true;
    const bool pings = evidence_.scenario.pool.core.idle_ping_interval > Duration::zero();
    if (pings && ping_may_fail(incarnation, lost)) return true;
    if (excused_.empty()) gather_excused();
    return excused_[incarnation.number];
  }

  /// Whether an idle ping may have failed: a fault struck at it, or may have delayed its answer
  /// before there was a receipt, or the answer took longer than it may.
  [[nodiscard]] bool ping_may_fail(const Incarnation& incarnation, Time lost) const {
    const Duration budget = evidence_.scenario.pool.core.idle_ping_budget;
    Time asked = kNever;  // when the ping was read that is not answered yet
    const auto is_late = [&](Time at) {
      return asked != kNever && after(at, view_.grain) >= after(asked, budget);
    };
    for (const WorkerRecord& one : incarnation.records()) {
      const JournalRecord& record = one.record;
      if (record.kind == JournalRecord::Kind::receipt && asked != kNever) {
        const faults::Fault* const fault = fault_of(record);
        if (fault == nullptr || !fault->harmless) return true;
      } else if (record.kind == JournalRecord::Kind::wrote) {
        if (is_late(one.at)) return true;
        asked = kNever;
      } else if (record.kind == JournalRecord::Kind::read) {
        asked = record.request > 0U && is_own_ping(record) ? one.at : kNever;
        if (may_hold_up(incarnation.worker, record, asked != kNever)) return true;
      }
    }
    return is_late(lost);
  }

  [[nodiscard]] bool may_hold_up(WorkerId worker, const JournalRecord& read, bool at_ping) const {
    return std::ranges::any_of(evidence_.scenario.faults, [&](const auto& planned) {
      return (at_ping ? holds_up(planned) : goes_on_after(planned)) &&
             is_aimed_at(planned, worker, read);
    });
  }

  /// Whether the config allows its recycling, as far as clients and journals can tell.
  [[nodiscard]] bool may_be_recycled(const Incarnation& incarnation, Time lost) const {
    const pool::Config& core = evidence_.scenario.pool.core;
    const Time by = after(lost, view_.grain);
    const auto* started = incarnation.signs().started;
    // Without a greeting the pool counts from the spawn, before the worker can tell anything.
    const bool tells = started != nullptr && evidence_.scenario.pool.greets();
    const Time begun = tells ? started->at : view_.begun;
    if (core.max_lifetime > Duration::zero()) {
      const Duration cut = core.max_lifetime * core.lifetime_jitter_percent / 100;
      if (after(begun, core.max_lifetime - cut) <= by) return true;
    }
    if (core.max_calls > 0) {
      const auto calls = view_.calls_on(incarnation.number);
      const auto sent = boost::count_if(calls, [by](const ClientStep& call) {
        return call.written_bytes > 0 && call.begun <= by;
      });
      if (sent >= core.max_calls) return true;
    }
    if (core.max_rss_bytes > 0 && may_be_large(incarnation, by)) return true;
    if (core.idle_timeout > Duration::zero()) {
      Time idle_since = begun;
      for (const std::uint32_t place : view_.holds_of_worker[incarnation.number]) {
        const Hold& hold = view_.holds[place];
        if (hold.from <= by) idle_since = std::max(idle_since, hold.to);
      }
      if (after(idle_since, core.idle_timeout) <= by) return true;
    }
    // A worker that was ordered before the renewal may have come up after it.
    return std::ranges::any_of(evidence_.trace.clients, [&](const ClientStep& step) {
      return step.kind == StepKind::renew && step.begun <= by &&
             begun <= after(step.ended, core.startup_budget);
    });
  }

  /// Whether the worker may have exceeded its memory limit: it was asked to grow, or the limit is
  /// below what any worker needs. For real programs nobody knows.
  [[nodiscard]] bool may_be_large(const Incarnation& incarnation, Time by) const {
    constexpr std::uint64_t kBeforeAnyCall = 50'000'000;
    const scenario::Scenario& scenario = evidence_.scenario;
    if (!view_.all_are_ours() || scenario.pool.core.max_rss_bytes < kBeforeAnyCall) return true;
    return boost::algorithm::any_of(
        view_.calls_on(incarnation.number), [by](const ClientStep& call) {
          return call.command == "grow" && call.written_bytes > 0 && call.begun <= by;
        });
  }

  const Evidence& evidence_;
  const View& view_;
  Table<bool> excused_;  ///< indexed by the worker's number; gathered when needed
};

using Holds = Table<const Hold*>;

/// The holds of one worker in the order in which they begin.
void gather_holds(const View& view, std::uint32_t worker, Holds& holds) {
  holds.clear();
  for (const std::uint32_t place : view.holds_of_worker[worker]) {
    holds.push_back(&view.holds[place]);
  }
  put_in_order(holds, [](const Hold* a, const Hold* b) { return a->from < b->from; });
}

void judge_holds(const Holds& holds, Findings& findings) {
  const Hold* longest = nullptr;
  for (const Hold* hold : holds) {
    // Both comparisons are strict: in virtual time a whole hold may take no time at all.
    if (longest != nullptr && hold->from < longest->to && longest->from < hold->to) {
      tell(findings, "exclusive_lease", hold->from,
           "worker {} was leased to client {} while client {} held it", dotted(hold->worker),
           hold->checkout->client, longest->checkout->client);
    }
    if (longest == nullptr || hold->to > longest->to) longest = hold;
  }
}

/// Finds requests of other clients that were read while one client held the worker. Where holds
/// overlap (judge_holds reports that), only the last one and the longest one are looked at.
class Strangers {
 public:
  Strangers(const View& view, const Holds& holds, Findings& findings)
      : view_(view), holds_(holds), longest_(view.memory), findings_(findings) {}

  /// Prepares for the holds of another worker.
  void restart() {
    longest_.clear();
    longest_.reserve(view_.holds.size());
    for (const Hold* hold : holds_) {
      const bool longer = longest_.empty() || hold->to > longest_.back()->to;
      longest_.push_back(longer ? hold : longest_.back());
    }
  }

  void judge(const WorkerRecord& read) {
    const auto behind = std::ranges::partition_point(
        holds_, [&](const Hold* hold) { return hold->from + view_.grain < read.at; });
    if (behind == holds_.begin()) return;
    const auto last = static_cast<std::size_t>(behind - holds_.begin()) - 1;
    judge(read, *holds_[last]);
    if (longest_[last] != holds_[last]) judge(read, *longest_[last]);
  }

 private:
  void judge(const WorkerRecord& read, const Hold& hold) {
    if (read.at + view_.grain >= hold.to) return;
    const ClientStep* call = view_.call_of(*read.record.nonce);
    if (call == nullptr || call->client == hold.checkout->client) return;
    tell(findings_, "exclusive_lease", read.at, "worker {} read {} while client {} held it",
         dotted(hold.worker), *read.record.nonce, hold.checkout->client);
  }

  const View& view_;
  const Holds& holds_;
  Holds longest_;  ///< for each hold: of all holds up to it, the one that ends last
  Findings& findings_;
};

}  // namespace

void judge_exclusive_lease(const Case& given, Findings& findings) {
  const View& view = given.view;
  Holds holds(view.memory);
  holds.reserve(view.holds.size());
  Strangers strangers(view, holds, findings);
  for (std::uint32_t worker = 0; worker < view.workers.size(); ++worker) {
    if (view.holds_of_worker[worker].empty()) continue;
    gather_holds(view, worker, holds);
    judge_holds(holds, findings);
    strangers.restart();
    for (const WorkerRecord& record : view.journal(worker)) {
      if (record.record.kind == Kind::read && record.record.nonce) strangers.judge(record);
    }
  }
}

namespace {

/// Reports every use of a worker after a call or a throw had left its stream in doubt.
class DirtyReuse {
 public:
  DirtyReuse(const Case& given, Findings& findings) : view_(given.view), findings_(findings) {}

  void judge(const Doubt& doubt) {
    const std::uint32_t worker = view_.workers.find(doubt.worker);
    for (const std::uint32_t place : view_.holds_of_worker[worker]) {
      const Hold& hold = view_.holds[place];
      if (!comes_after(doubt, hold.from, hold.checkout->lease)) continue;
      report(doubt, "was leased to client " + hold.checkout->client, hold.from);
    }
    for (const WorkerRecord& record : view_.journal(worker)) {
      if (record.record.kind != Kind::read || !record.record.nonce) continue;
      const ClientStep* call = view_.call_of(*record.record.nonce);
      if (call == nullptr || call->begun < doubt.at || call == doubt.why) continue;
      // Within one lease the client's steps tell the order.
      const bool later =
          comes_after(doubt, record.at, call->lease) ||
          (record.at == doubt.at && call->lease == doubt.lease &&
           call->client == doubt.why->client && place_of(*call) > place_of(*doubt.why));
      if (later) report(doubt, "read " + *record.record.nonce, record.at);
    }
  }

 private:
  void report(const Doubt& doubt, const std::string& what, Time at) {
    tell(findings_, "no_dirty_reuse", at, "worker {} {} after {} had left its stream in doubt ({})",
         dotted(doubt.worker), what, who(*doubt.why), name(doubt.why->outcome));
  }

  const View& view_;
  Findings& findings_;
};

}  // namespace

void judge_no_dirty_reuse(const Case& given, Findings& findings) {
  judge_residue(given, findings);
  judge_unread_answers(given, findings);
  judge_unsolicited_output(given, findings);
  auto found = doubts(given.evidence, given.view);
  if (found.empty()) return;
  // Only a worker's first doubt is judged: after it, any use of the worker is wrong.
  DirtyReuse reuse(given, findings);
  Table<bool> judged(given.view.workers.size(), false, given.view.memory);
  put_in_order(found, [](const Doubt& a, const Doubt& b) {
    return std::pair(a.at, a.lease) < std::pair(b.at, b.lease);
  });
  for (const Doubt& doubt : found) {
    const std::uint32_t worker = given.view.workers.find(doubt.worker);
    if (judged[worker]) continue;
    judged[worker] = true;
    reuse.judge(doubt);
  }
}

void judge_no_overkill(const Case& given, Findings& findings) {
  Overkill(given).judge(findings);
}

}  // namespace poolproof::oracle
