#include "harness/oracle/coverage.hpp"

#include <algorithm>
#include <bit>

#include "harness/base/assert.hpp"
#include "harness/oracle/coverage_marks.hpp"

namespace poolproof::oracle {
namespace {

using faults::Moment;

constexpr int kTerm = 15;

using State = ReferenceModel::State;

/// What each struck worker was doing when it wrote its receipt. Its journal tells what it had in
/// hand, the self-report tells whether the pool had told it to go.
class Strikes {
 public:
  Strikes(const Evidence& evidence, const View& view, PoolMarks& pool, Coverage& found)
      : evidence_(evidence), view_(view), pool_(pool), found_(found), receipts_(view.memory) {
    if (view.receipts.empty()) return;
    read_journal();
    put_in_order(receipts_,
                 [](const Struck& a, const Struck& b) { return a.record->at < b.record->at; });
  }

  void look() {
    for (const Struck& struck : receipts_) {
      if (struck.fault != nullptr) look_at(struck, *struck.fault);
    }
    pool_.take_rest();
  }

 private:
  [[nodiscard]] bool was_termed_from_outside(const WorkerRecord& receipt) const {
    return was_struck(evidence_.trace, receipt.worker, [&receipt](const auto& strike) {
      return strike.delivered && strike.signal == kTerm && strike.at <= receipt.at;
    });
  }

  /// What a worker had last read and not answered, or had been told. A client's shutdown request
  /// stays in hand even when it is answered, because the worker then goes.
  enum class InHand : std::uint8_t { nothing, call, clients_farewell, farewell, stdin_end };
  struct Struck {
    const WorkerRecord* record = nullptr;
    const faults::Fault* fault = nullptr;
    InHand in_hand = InHand::nothing;
    bool has_read = false;  ///< it has read its init ping, or another first request
    bool termed = false;    ///< it has received a TERM that it obeys
  };

  void read_journal() {
    Table<Struck> told(view_.workers.size(), view_.memory);
    receipts_.reserve(view_.receipts.size());
    for (std::size_t i = 0; receipts_.size() < view_.receipts.size(); ++i) {
      const WorkerRecord& record = evidence_.trace.workers[i];
      Struck& now = told[view_.worker_of_record[i]];
      if (record.record.kind == Kind::receipt) {
        now.record = &record;
        now.fault = view_.receipts[receipts_.size()].fault;
        receipts_.push_back(now);
      } else {
        take_up(record.record, now);
      }
    }
  }

  static void take_up(const JournalRecord& record, Struck& now) {
    if (record.kind == Kind::term) now.termed = true;
    if (record.kind == Kind::read) now.has_read = true;
    if (record.kind == Kind::stdin_end) now.in_hand = InHand::stdin_end;
    if (now.in_hand == InHand::stdin_end || now.in_hand == InHand::farewell) return;
    if (record.kind == Kind::wrote && now.in_hand == InHand::call) now.in_hand = InHand::nothing;
    if (record.kind == Kind::read) now.in_hand = hand_of(record);
  }

  static InHand hand_of(const JournalRecord& read) {
    if (read.command == "shutdown") {
      return read.nonce ? InHand::clients_farewell : InHand::farewell;
    }
    return read.nonce ? InHand::call : InHand::nothing;
  }

  void look_at(const Struck& given, const faults::Fault& fault) {
    const WorkerRecord& receipt = *given.record;
    pool_.take_before(receipt.at);
    const WorkerPhase phase = phase_of(given, fault);
    const auto row = static_cast<std::size_t>(&fault - faults::catalogue().data());
    found_.strike({row, phase, pool_.mood()});
  }

  WorkerPhase phase_of(const Struck& given, const faults::Fault& fault) {
    const WorkerRecord& receipt = *given.record;
    const WorkerId worker = receipt.worker;
    pool_.take_at(receipt.at, [&] { return pool_.was_started(worker); });
    if (is_told(worker)) return WorkerPhase::leaving;
    const bool told_now = given.in_hand == InHand::farewell ||
                          (given.in_hand == InHand::stdin_end && !in_post_mortem(worker));
    if (told_now) return take_farewell(receipt);
    const auto greeted = [&] {
      const State state = pool_.state(worker);
      return state != State::starting && (state != State::over || !pool_.was_started(worker));
    };
    switch (fault.moment) {
      case Moment::start:
        return start_phase(receipt);
      case Moment::launch:
        return WorkerPhase::starting;
      case Moment::reading:
        break;
      case Moment::request:
      case Moment::reply:
        if (receipt.record.request.value_or(0) == 0 && evidence_.scenario.pool.greets()) {
          pool_.take_at(receipt.at, greeted);
          return WorkerPhase::handshake;
        }
        pool_.take_at(receipt.at, [&] {
          const State state = pool_.state(worker);
          return state == State::leased || state == State::pinging;
        });
        // A worker that the pool pings may still be busy with a call that its client has given up.
        if (pool_.state(worker) == State::pinging && given.in_hand != InHand::call)
          return WorkerPhase::handshake;
        return WorkerPhase::in_call;
      case Moment::shutdown:
        return shutdown_phase(given, fault);
      case Moment::idle:
        pool_.take_at(receipt.at, greeted);
        break;
    }
    return phase_by_state(given);
  }

  /// A worker may be told to go by a client, by the post-mortem of its start (which closes its
  /// stdin), or by TERM, from the pool or from outside.
  WorkerPhase shutdown_phase(const Struck& given, const faults::Fault& fault) {
    const bool by_client = given.in_hand == InHand::clients_farewell;
    const bool by_word = by_client || given.in_hand == InHand::stdin_end;
    const bool only_by_term = fault.strikes_at == faults::Reasons{.term = true};
    const bool by_term = given.termed || only_by_term || !by_word;
    if (by_term && !was_termed_from_outside(*given.record)) return take_farewell(*given.record);
    return by_client || given.in_hand == InHand::call ? WorkerPhase::in_call
                                                      : phase_by_state(given);
  }

  /// Whether its stdin was closed in the post-mortem of its start, before it was told to go.
  [[nodiscard]] bool in_post_mortem(WorkerId worker) const {
    const State state = pool_.state(worker);
    return state == State::starting || state == State::handshake;
  }

  /// In a pool that sends no init ping, a worker is leased before it has read anything.
  [[nodiscard]] WorkerPhase start_phase(const WorkerRecord& receipt) const {
    const bool leased =
        !evidence_.scenario.pool.greets() && pool_.state(receipt.worker) == State::leased;
    return leased ? WorkerPhase::in_call : WorkerPhase::starting;
  }

  WorkerPhase take_farewell(const WorkerRecord& receipt) {
    pool_.take_at(receipt.at, [&] { return is_told(receipt.worker); });
    return WorkerPhase::leaving;
  }

  [[nodiscard]] WorkerPhase phase_by_state(const Struck& given) const {
    switch (pool_.state(given.record->worker)) {
      case State::pinging:
        return WorkerPhase::handshake;
      case State::starting:
      case State::handshake:
        return given.has_read ? WorkerPhase::handshake : WorkerPhase::starting;
      case State::idle:
        return WorkerPhase::idle;
      case State::leased:
        return WorkerPhase::in_call;
      default:
        return WorkerPhase::leaving;
    }
  }

  [[nodiscard]] bool is_told(WorkerId worker) const {
    const State state = pool_.state(worker);
    return pool_.was_started(worker) && (state == State::leaving || state == State::over);
  }

  const Evidence& evidence_;
  const View& view_;
  PoolMarks& pool_;
  Coverage& found_;
  Table<Struck> receipts_;
};

void look_at_call(const ClientStep& call, Duration otherwise, Coverage& found) {
  const bool untouched = call.written_bytes == 0;
  const bool in_reply = call.phase == Phase::reading_reply;
  const Time deadline = after(call.begun, call.limit.value_or(otherwise));
  switch (call.outcome) {
    case Outcome::stale_worker:
      return found.see(Mark::stale_before_the_call);
    case Outcome::worker_error:
    case Outcome::protocol_error:
      if (call.phase == Phase::writing_request) {
        found.see(Mark::error_before_the_request_was_written);
      }
      return;
    case Outcome::call_timeout:
      if (untouched) found.see(Mark::timeout_before_the_first_byte);
      if (in_reply) found.see(Mark::timeout_in_the_middle_of_a_reply);
      return;
    case Outcome::cancelled:
      if (untouched) found.see(Mark::cancel_before_the_first_byte);
      if (in_reply) found.see(Mark::cancel_in_the_middle_of_a_reply);
      return;
    case Outcome::ok:
      if (call.ended == deadline) found.see(Mark::reply_at_the_deadline);
      return;
    default:
      return;
  }
}

/// Looks in the journals for calls whose callers had given up.
void look_at_abandoned(const View& view, Coverage& found) {
  for (const Read& read : view.reads) {
    const ClientStep* const call = view.nonces[read.nonce].call;
    if (call == nullptr) continue;
    const bool late = call->outcome == Outcome::call_timeout;
    if (!late && call->outcome != Outcome::cancelled) continue;
    if (read.record->at > call->ended) found.see(Mark::read_after_its_caller_had_gone);
    for (const WorkerRecord& record : view.behind(*read.record)) {
      const bool met = record.record.kind == Kind::wrote && record.at == call->ended;
      if (late && met) found.see(Mark::timeout_met_the_reply);
    }
  }
}

void look_at_cancels(const Evidence& evidence, const View& view, Coverage& found) {
  const auto& steps = evidence.trace.clients;
  for (const std::uint32_t place : view.cancels) {
    const ClientStep& step = steps[place];
    const auto* cancel = asked_as<scenario::Cancel>(evidence.scenario, step);
    const std::uint32_t client = cancel == nullptr ? kNone : view.clients.find(cancel->client);
    if (client == kNone) continue;
    const auto history = view.steps_of(client);
    const bool met = std::any_of(history.begin(), history.end(), [&](std::uint32_t other) {
      const ClientStep& checkout = steps[other];
      return checkout.kind == StepKind::checkout && checkout.outcome == Outcome::ok &&
             checkout.ended == step.begun && checkout.begun < checkout.ended;
    });
    if (met) found.see(Mark::grant_met_cancel);
  }
}

void look_at_slow_leavers(const View& view, const Noted& noted, Coverage& found) {
  for (const auto& [worker, at] : noted.deaf) {
    const auto known = view.find(worker);
    if (!known || !is_unharmed(*known)) continue;
    const WorkerRecord* heard = known->signs().farewell;
    if (heard != nullptr && heard->at < at) found.see(Mark::sound_worker_outlasted_grace);
  }
}

/// Looks for a process that a worker left behind and that ended earlier than it was meant to.
void look_at_grandchildren(const Evidence& evidence, Coverage& found) {
  const auto planned =
      std::find_if(evidence.scenario.faults.begin(), evidence.scenario.faults.end(),
                   [](const auto& fault) { return fault.fault->shows == faults::Shows::process; });
  if (planned == evidence.scenario.faults.end()) return;
  const auto lifetime = std::chrono::milliseconds(planned->number("lifetime_ms"));
  for (const trace::OsRecord& census : evidence.trace.os) {
    if (census.when != "after" || !census.survivors.empty()) continue;
    for (const WorkerRecord& record : evidence.trace.workers) {
      if (record.record.kind != Kind::grandchild) continue;
      const bool cut_short = after(record.at, lifetime) > census.at;
      if (cut_short) found.see(Mark::grandchild_killed_with_its_group);
    }
  }
}

}  // namespace

std::size_t Coverage::add(const Coverage& other) {
  std::size_t fresh = 0;
  for (std::size_t i = 0; i < words_.size(); ++i) {
    const std::uint64_t unseen = other.words_[i] & ~words_[i];
    if (unseen == 0) continue;
    fresh += static_cast<std::size_t>(std::popcount(unseen));
    words_[i] |= unseen;
  }
  return fresh;
}

std::size_t Coverage::count() const {
  std::size_t bits = 0;
  for (const std::uint64_t word : words_) {
    if (word != 0) bits += static_cast<std::size_t>(std::popcount(word));
  }
  return bits;
}

void look_for_coverage(const Evidence& evidence, const View& view, PoolMarks* self_report,
                       Coverage& found) {
  POOLPROOF_ASSERT(faults::catalogue().size() <= Coverage::kFaultsMax);
  if (self_report != nullptr) {
    Strikes(evidence, view, *self_report, found).look();
    look_at_slow_leavers(view, self_report->noted(), found);
  }
  for (const ClientStep* call : view.calls) {
    look_at_call(*call, evidence.scenario.pool.call_timeout, found);
  }
  for (const std::uint32_t place : view.failed) {
    const ClientStep& step = evidence.trace.clients[place];
    const bool again = step.kind == StepKind::checkin && step.outcome == Outcome::lease_over;
    if (again) found.see(Mark::returned_twice);
  }
  look_at_abandoned(view, found);
  look_at_cancels(evidence, view, found);
  look_at_grandchildren(evidence, found);
  for (const trace::EnvironmentRecord& strike : evidence.trace.environment) {
    if (!strike.delivered) found.see(Mark::signal_reached_nobody);
  }
}

}  // namespace poolproof::oracle
