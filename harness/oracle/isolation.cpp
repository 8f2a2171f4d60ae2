#include <algorithm>
#include <array>

#include "harness/oracle/rules.hpp"

/// A call may fail by what its own worker or its own client did, or by the pool's closing. What
/// befell other workers and other clients is no reason.
namespace poolproof::oracle {
namespace {

/// Within this time, a sound worker reads a request and answers one that asks for no work.
constexpr Duration kSoundAnswer = 1s;

/// Reasons for failed calls that a worker's own journal and the environment give, and since when.
struct WorkersOwn {
  bool known = false;
  /// Since a fault ended or spoilt it, a signal came, or it exited by itself
  Time harmed = kNever;
  Time delayed = kNever;            ///< since a fault made it slow
  std::vector<std::uint64_t> errs;  ///< requests to which a fault made it answer with an error
};

class Isolation {
 public:
  explicit Isolation(const Case& given)
      : evidence_(given.evidence), view_(given.view), own_(view_.memory) {
    const auto& pool = evidence_.scenario.pool;
    for (const std::uint32_t place : view_.closes) {
      const ClientStep& step = evidence_.trace.clients[place];
      const Duration limit = step.limit.value_or(pool.close_timeout);
      const Duration last = std::min(pool.core.term_grace, limit / 2);
      revoked_from_ = std::min(revoked_from_, after(step.begun, limit - last));
    }
  }

  void judge(Findings& findings) {
    for (const std::uint32_t place : view_.troubled) {
      const ClientStep* call = view_.calls[place];
      if (call->outcome == Outcome::ok || !call->worker) continue;
      const std::string_view how = without_reason(*call);
      if (how.empty()) continue;
      tell(findings, "isolation", *call, "on worker {} ended with {}, though {}",
           dotted(*call->worker), name(call->outcome), how);
    }
  }

 private:
  /// Why that outcome has no good reason; empty: it has one, or nobody can tell.
  [[nodiscard]] std::string_view without_reason(const ClientStep& call) {
    // A closing pool takes all workers back when it has drained for long enough.
    if (call.ended + view_.grain >= revoked_from_) return "";
    switch (call.outcome) {
      case Outcome::request_too_large:
        return "";  // a request that is too large is its client's own doing
      case Outcome::cancelled:
        return was_cancelled(call) ? "" : "nobody cancelled it";
      case Outcome::lease_over:
        return gave_up_lease(call) || is_since(own_of(call).harmed, call)
                   ? ""
                   : "its client had not given the lease up and its worker had not ended";
      case Outcome::worker_error:
      case Outcome::call_timeout:
      case Outcome::worker_died:
      case Outcome::stdout_closed:
      case Outcome::stdin_closed:
      case Outcome::protocol_error:
      case Outcome::stale_worker:
        break;
      default:
        return "";  // not an outcome of a call: the invariant one_outcome reports it
    }
    if (!view_.is_ours(*call.worker)) return "";
    if (call.outcome == Outcome::worker_error && asks_for_errors(call)) return "";
    const WorkersOwn& own = own_of(call);
    if (is_since(own.harmed, call)) return "";
    if (call.outcome == Outcome::call_timeout) return late_without_reason(call, own);
    if (call.outcome == Outcome::worker_error) {
      return was_made_to_err(call, own) ? "" : "neither its request nor its worker erred";
    }
    return "no fault and no signal had struck its worker";
  }

  /// Whether somebody cancelled the call's client before the call ended. Who cancels an execution
  /// between two of its parts cancels the next part.
  [[nodiscard]] bool was_cancelled(const ClientStep& call) const {
    const auto& cancels = view_.cancels;
    const Time begun = view_.whole_of(call).begun;
    return std::ranges::any_of(cancels, [&](std::uint32_t place) {
      const ClientStep& step = evidence_.trace.clients[place];
      if (step.skipped || step.begun > call.ended + view_.grain) return false;
      if (step.ended + view_.grain < begun) return false;
      const auto* cancel = asked_as<scenario::Cancel>(evidence_.scenario, step);
      return cancel != nullptr && cancel->client == call.client;
    });
  }

  [[nodiscard]] bool is_since(Time reason, const ClientStep& call) const {
    return reason <= call.ended + view_.grain;
  }

  /// Whether the client had returned its lease before, or an earlier call of its own had ended it.
  [[nodiscard]] bool gave_up_lease(const ClientStep& call) const {
    const auto steps = view_.steps_of(view_.clients.find(call.client));
    const auto& all = evidence_.trace.clients;
    const auto place = static_cast<std::uint32_t>(&call - all.data());
    for (auto at = std::ranges::lower_bound(steps, place); at != steps.begin();) {
      const ClientStep& before = all[*--at];
      if (before.skipped || !has_outcome(before.kind)) continue;
      if (before.kind == StepKind::checkout) return false;
      if (!is_call(before.kind)) return true;
      if (before.outcome != Outcome::ok || before.in_doubt) return true;
    }
    return false;
  }

  const WorkersOwn& own_of(const ClientStep& call) {
    if (own_.empty()) {
      own_.resize(view_.workers.size());
      for (const trace::EnvironmentRecord& strike : evidence_.trace.environment) {
        const std::uint32_t worker = view_.workers.find(strike.worker);
        if (!strike.delivered || worker == kNone) continue;
        own_[worker].harmed = std::min(own_[worker].harmed, strike.at);
      }
    }
    const std::uint32_t worker = view_.workers.find(*call.worker);
    if (!std::exchange(own_[worker].known, true)) look_into_journal(worker);
    return own_[worker];
  }

  /// Whether a fault may hold up this worker without a receipt: an idle fault pauses before it
  /// leaves one.
  [[nodiscard]] bool may_dawdle(WorkerId worker) const {
    const auto& plan = evidence_.scenario.faults;
    return std::ranges::any_of(plan, [worker](const faults::PlannedFault& planned) {
      return planned.fault->moment == faults::Moment::idle &&
             faults::pause_of(planned) > Duration::zero() && planned.at.fits(worker);
    });
  }

  void look_into_journal(std::uint32_t worker) {
    WorkersOwn& own = own_[worker];
    const Signs& signs = view_.signs[worker];
    bool struck = false;
    if (may_dawdle(view_.workers.key(worker))) own.delayed = Time::min();
    // Without a receipt there is no harm: a sound worker does not exit unasked.
    if (signs.receipt == nullptr) return;
    for (const WorkerRecord& stamped : view_.journal(worker)) {
      const JournalRecord& record = stamped.record;
      const bool farewell = signs.farewell != nullptr && signs.farewell <= &stamped;
      struck = struck || record.kind == Kind::receipt;
      const bool harm = (record.kind == Kind::exiting && !farewell && struck) ||
                        (record.kind == Kind::receipt && view_.excuses_loss(record));
      if (harm) own.harmed = std::min(own.harmed, stamped.at);
      if (record.kind != Kind::receipt) continue;
      const faults::Fault* fault = fault_of(record);
      // Output to stderr alone delays no reply: the pool reads it meanwhile.
      const bool delays = fault != nullptr && fault->family == faults::Family::delay &&
                          fault->shows != faults::Shows::by_receipt;
      if (delays) own.delayed = std::min(own.delayed, stamped.at);
      if (view_.left_by(record) == faults::Leaves::error) {
        own.errs.push_back(record.request.value_or(0));
      }
    }
  }

  [[nodiscard]] bool was_made_to_err(const ClientStep& call, const WorkersOwn& own) const {
    const WorkerRecord* read = read_of(call);
    return read != nullptr && read->record.request &&
           std::binary_search(own.errs.begin(), own.errs.end(), *read->record.request);
  }

  /// Why a timeout is not the worker's own doing: the worker had answered in time, or had nothing
  /// to do that takes so long. Empty: it may be.
  [[nodiscard]] std::string_view late_without_reason(const ClientStep& call,
                                                     const WorkersOwn& own) const {
    if (is_since(own.delayed, call) || call.nonce.empty()) return "";
    const Duration lateness = evidence_.bounds.liveness;
    const Duration sound = std::max(lateness, kSoundAnswer);
    const WorkerRecord* read = read_of(call);
    if (read == nullptr) {
      return after(call.begun, sound) < call.ended ? "its sound worker never got the request" : "";
    }
    const Time answered = answered_at(call, *read);
    if (after(answered, lateness) < call.ended) return "its worker had answered before";
    const bool no_work = call.command == "echo" || call.command == "ping" ||
                         call.command == "stats" || call.command.starts_with("session_");
    const bool idled = no_work && answered == kNever && after(read->at, sound) < call.ended;
    return idled ? "its sound worker had nothing to do that takes so long" : "";
  }

  [[nodiscard]] const WorkerRecord* read_of(const ClientStep& call) const {
    const std::uint32_t nonce = view_.nonce_numbers.find(call.nonce);
    return nonce == kNone ? nullptr : view_.nonces[nonce].read;
  }

  /// When the last byte of the reply was written; kNever: not before the call ended.
  [[nodiscard]] Time answered_at(const ClientStep& call, const WorkerRecord& read) const {
    for (const WorkerRecord& record : view_.behind(read)) {
      if (record.at > call.ended) break;
      const bool of_call = record.record.request == read.record.request;
      if (of_call && record.record.kind == Kind::wrote) return record.at;
    }
    return kNever;
  }

  /// Whether an error is a proper answer to what the request asks for.
  [[nodiscard]] bool asks_for_errors(const ClientStep& call) const {
    constexpr std::array<std::string_view, 3> kNeverErr{"echo", "ping", "stats"};
    const bool harmless = std::ranges::find(kNeverErr, call.command) != kNeverErr.end();
    // The reply to an echo may be too long for a frame.
    const auto& pool = evidence_.scenario.pool;
    return !harmless || pool.echo_bytes_max(call.written_bytes) > pool.framing.payload_limit();
  }

  const Evidence& evidence_;
  const View& view_;
  Table<WorkersOwn> own_;       ///< indexed by the worker's number
  Time revoked_from_ = kNever;  ///< from then on the closing pool may take leased workers back
};

}  // namespace

void judge_isolation(const Case& given, Findings& findings) {
  Isolation(given).judge(findings);
}

}  // namespace poolproof::oracle
