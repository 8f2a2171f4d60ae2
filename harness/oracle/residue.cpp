#include <algorithm>
#include <optional>
#include <vector>

#include <boost/algorithm/cxx11/any_of.hpp>

#include "harness/oracle/rules.hpp"

/// Bytes that nobody asked for: behind a reply, or while the worker is idle. Whether they are seen
/// at once or only later, a worker that wrote them serves no more.
namespace poolproof::oracle {
namespace {

/// Whether the fault left bytes behind a whole, sound reply.
bool leaves_bytes(const View& view, const JournalRecord& receipt) {
  return view.left_by(receipt) == faults::Leaves::surplus;
}

/// The first request of that worker behind whose reply a fault left bytes, without another fault at
/// the same request; nothing: there is none.
std::optional<std::uint64_t> first_left(const Case& given, const Incarnation& incarnation) {
  std::optional<std::uint64_t> left;
  std::optional<std::uint64_t> struck;
  for (const WorkerRecord& stamped : incarnation.records()) {
    const JournalRecord& record = stamped.record;
    if (record.kind != Kind::receipt || !record.request) continue;
    if (struck == record.request) return std::nullopt;
    struck = record.request;
    if (!left && leaves_bytes(given.view, record)) left = record.request;
  }
  return left;
}

/// What a worker wrote unasked may be a whole frame. A call that was under way then has taken it
/// for its reply, as nobody can tell, and every later call gets the reply to the one before it.
bool was_taken_for_a_reply(const View& view, std::uint32_t worker, const WorkerRecord& left) {
  if (left.record.request) return false;
  const auto calls = view.calls_on(worker);
  return boost::algorithm::any_of(calls, [&](const ClientStep& call) {
    return was_answered(call.outcome) && call.begun <= left.at + view.grain &&
           call.ended + view.grain >= left.at;
  });
}

/// Where calls have no nonces, only workers with one fault are judged, one that left bytes: none of
/// their later calls may be answered.
void judge_opaque_residue(const Case& given, Findings& findings) {
  const View& view = given.view;
  if (!given.evidence.trace.environment.empty()) return;
  Table<std::uint32_t> struck(view.workers.size(), 0, view.memory);
  for (const Receipt& receipt : view.receipts) ++struck[receipt.worker];
  for (const Receipt& receipt : view.receipts) {
    const WorkerRecord& left = *receipt.record;
    if (struck[receipt.worker] != 1 || !leaves_bytes(view, left.record)) continue;
    if (was_taken_for_a_reply(view, receipt.worker, left)) continue;
    for (const ClientStep& call : view.calls_on(receipt.worker)) {
      if (call.begun <= left.at + view.grain || !was_answered(call.outcome)) continue;
      tell(findings, "no_dirty_reuse", call,
           "was answered by worker {}, which had written more than its reply to request {}",
           dotted(left.worker), left.record.request.value_or(0));
      break;
    }
  }
}

}  // namespace

void judge_residue(const Case& given, Findings& findings) {
  if (given.view.receipts.empty()) return;
  const auto& scenario = given.evidence.scenario;
  if (scenario.pool.opaque) return judge_opaque_residue(given, findings);
  for (const Incarnation& incarnation : given.view.incarnations) {
    if (incarnation.signs().receipt == nullptr) continue;
    const auto left = first_left(given, incarnation);
    if (!left) continue;
    for (const WorkerRecord& read : incarnation.records()) {
      if (read.record.kind != Kind::read || !read.record.nonce) continue;
      if (!read.record.request || *read.record.request <= *left) continue;
      const ClientStep* call = given.view.call_of(*read.record.nonce);
      if (call == nullptr || !was_answered(call->outcome)) continue;
      tell(findings, "no_dirty_reuse", *call,
           "was answered by worker {}, which had written more than its reply to request {}",
           dotted(incarnation.worker), *left);
      break;
    }
  }
}

/// A reply that came before its request was whole leaves the rest of the request in the pipe or
/// unwritten. Judged by the client's own record and the scenario.
void judge_unread_answers(const Case& given, Findings& findings) {
  const auto& scenario = given.evidence.scenario;
  const bool any = std::ranges::any_of(scenario.faults, faults::answers_unread);
  if (!any || given.view.receipts.empty()) return;
  for (const ClientStep* call : given.view.calls) {
    if (!was_answered(call->outcome) || call->in_doubt) continue;
    const auto asked = asked_call(scenario, *call);
    if (!asked || call->written_bytes >= asked->pad_bytes) continue;
    tell(findings, "no_dirty_reuse", *call,
         "was answered when {} bytes of its request were written, and its worker was taken for "
         "sound",
         call->written_bytes);
  }
}

namespace {

/// How long the pool may take to see what an idle worker writes.
constexpr Duration kToNotice = 1s;

/// Walks through the self-report to see for how long a worker with unsolicited output stays idle.
class UnsolicitedOutputs {
 public:
  UnsolicitedOutputs(const Case& given, Findings& findings) : given_(given), findings_(findings) {
    for (const Receipt& receipt : given.view.receipts) {
      const WorkerRecord& record = *receipt.record;
      if (receipt.planned == nullptr || !faults::writes_unasked(*receipt.planned)) continue;
      const std::uint32_t number = numbers_.number(record.worker);
      if (number == workers_.size()) workers_.push_back({record.at, {}, false});
    }
    // A worker that was signalled may have stopped or ended before its text was out.
    for (const trace::EnvironmentRecord& strike : given.evidence.trace.environment) {
      const std::uint32_t number = numbers_.find(strike.worker);
      if (number != kNone) workers_[number].unsolicited = kNever;
    }
  }

  void judge() {
    if (workers_.empty()) return;
    for (const trace::PoolRecord& record : given_.evidence.trace.pool) {
      now_ = record.at;
      dispatch(record.event, [this](const auto& event) { happened(event); });
      for (const pool::Effect& effect : record.effects) {
        dispatch(effect, [this](const auto& order) { ordered(order); });
      }
    }
  }

 private:
  struct Worker {
    Time unsolicited;
    std::optional<Time> idle;
    bool gone = false;  ///< it was told to go, or has ended: a late check-in changes nothing
  };

  void happened(const pool::HandshakeEnded& event) {
    if (event.evidence.cause == StartCause::none) idles(numbers_.find(event.worker));
  }
  void happened(const pool::CheckedIn& event) {
    const std::uint32_t lease = leases_.find(event.lease);
    if (lease != kNone && event.clean) idles(holds_[lease]);
  }
  void happened(const pool::PingEnded& event) {
    if (event.good) idles(numbers_.find(event.worker));
  }
  void happened(const pool::Exited& event) { goes(event.worker); }
  template <class Other>
  void happened(const Other&) {}

  void ordered(const pool::Grant& effect) {
    leaves(effect.worker);
    const std::uint32_t number = numbers_.find(effect.worker);
    if (number == kNone) return;
    const std::uint32_t lease = leases_.number(effect.lease);
    if (lease == holds_.size()) holds_.push_back(number);
  }
  /// Output that comes during a ping may be the beginning of the reply.
  void ordered(const pool::BeginPing& effect) { leaves(effect.worker); }
  void ordered(const pool::Stop& effect) { goes(effect.worker); }
  template <class Other>
  void ordered(const Other&) {}

  void idles(std::uint32_t number) {
    if (number != kNone && !workers_[number].gone) workers_[number].idle = now_;
  }

  void goes(WorkerId worker) {
    leaves(worker);
    const std::uint32_t number = numbers_.find(worker);
    if (number != kNone) workers_[number].gone = true;
  }

  void leaves(WorkerId worker) {
    const std::uint32_t number = numbers_.find(worker);
    if (number == kNone || !workers_[number].idle) return;
    const Time since = std::max(*workers_[number].idle, workers_[number].unsolicited);
    workers_[number].idle.reset();
    const Duration lateness = std::max(kToNotice, given_.evidence.bounds.liveness);
    if (now_ <= after(since, lateness)) return;
    tell(findings_, "no_dirty_reuse", now_, "worker {} had written unasked, and was kept for {} ms",
         dotted(worker), milliseconds(now_ - since));
  }

  const Case& given_;
  Findings& findings_;
  Numbering<WorkerId> numbers_;
  std::vector<Worker> workers_;
  Numbering<LeaseId> leases_;
  std::vector<std::uint32_t> holds_;  ///< the worker's number, by the lease's number
  Time now_ = Time::min();
};

}  // namespace

void judge_unsolicited_output(const Case& given, Findings& findings) {
  if (given.self_report == nullptr || given.view.receipts.empty()) return;
  // Where any frame is a reply, the text may be the reply to a call that came meanwhile.
  if (given.evidence.scenario.pool.opaque) return;
  UnsolicitedOutputs(given, findings).judge();
}

}  // namespace poolproof::oracle
