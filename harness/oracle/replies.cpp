#include <map>
#include <vector>

#include <nlohmann/json.hpp>

#include "harness/oracle/rules.hpp"

/// Replies judged by what is in them: is it the answer to this call, or another caller's?
namespace poolproof::oracle {
namespace {

/// The workers and calls at which a fault spoilt a reply or wrote what nobody asked for.
class Spoilt {
 public:
  explicit Spoilt(const View& view) : view_(view), workers_(view.workers.size(), false) {
    for (const Receipt& receipt : view.receipts) {
      if (spoils(receipt)) workers_[receipt.worker] = true;
    }
  }

  /// Whether what this call got may be a fault's doing: at its own request, or anywhere at its
  /// worker.
  [[nodiscard]] bool is(std::size_t call) const {
    const std::uint32_t worker = view_.call_workers[call];
    if (worker == kNone || worker >= workers_.size()) return false;
    if (workers_[worker]) return true;
    const WorkerRecord* const read = view_.read_of(call);
    if (read == nullptr) return false;
    for (const WorkerRecord& one : view_.behind(*read)) {
      const bool same_request = one.record.request == read->record.request;
      if (one.record.kind == Kind::receipt && same_request) return true;
    }
    return false;
  }

 private:
  [[nodiscard]] bool spoils(const Receipt& receipt) const {
    const faults::PlannedFault* const planned = receipt.planned;
    if (planned == nullptr || faults::writes_unasked(*planned)) return true;
    if (faults::answers_unread(*planned)) return true;
    switch (view_.left_by(receipt.record->record)) {
      case faults::Leaves::sound:
      case faults::Leaves::late:
      case faults::Leaves::held_back:
      case faults::Leaves::error:
        return false;
      default:
        return true;
    }
  }

  const View& view_;
  std::vector<bool> workers_;  ///< indexed by the worker's number
};

std::string dump(const nlohmann::json& value) {
  return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

/// By the hash of a text, the first `call_bytes` step that sent this text.
std::map<std::uint64_t, const ClientStep*> calls_by_text(const Case& given) {
  std::map<std::uint64_t, const ClientStep*> calls;
  for (const ClientStep* call : given.view.calls) {
    const auto* asked = asked_as<scenario::CallBytes>(given.evidence.scenario, *call);
    if (asked == nullptr) continue;
    const ClientStep*& first = calls[trace::hash_of_reply(asked->text)];
    if (first == nullptr || call->begun < first->begun) first = call;
  }
  return calls;
}

}  // namespace

/// Where replies are bytes without a nonce: a reply that equals what another call had sent is that
/// call's answer, unless the scenario says that it is right.
void judge_foreign_replies(const Case& given, Findings& findings) {
  const View& view = given.view;
  if (!given.evidence.scenario.pool.opaque) return;
  const auto is_other = [](const ClientStep* call) {
    return call->outcome == Outcome::ok && call->reply_hash != 0;
  };
  if (std::ranges::none_of(view.calls, is_other)) return;
  const auto calls = calls_by_text(given);
  const Spoilt spoilt(view);
  for (std::size_t place = 0; place < view.calls.size(); ++place) {
    const ClientStep& call = *view.calls[place];
    if (!is_other(&call) || spoilt.is(place)) continue;
    const auto* asked = asked_as<scenario::CallBytes>(given.evidence.scenario, call);
    const auto sent = calls.find(call.reply_hash);
    if (asked == nullptr || sent == calls.end() || sent->second->begun > call.ended) continue;
    if (asked->reply && !call.reply_differs) continue;
    tell(findings, "pairing", call, "got \"{}\", which {} had sent: another caller's answer",
         call.reply_shown, who(*sent->second));
  }
}

/// An echo must bring back what was sent, where the scenario does not say what the reply must be.
void judge_changed_echoes(const Case& given, Findings& findings) {
  const View& view = given.view;
  const auto is_changed = [](const ClientStep* call) {
    return call->outcome == Outcome::ok && call->reply_differs && call->kind == StepKind::call;
  };
  if (std::ranges::none_of(view.calls, is_changed)) return;
  const Spoilt spoilt(view);
  for (std::size_t place = 0; place < view.calls.size(); ++place) {
    const ClientStep& call = *view.calls[place];
    if (!is_changed(&call) || spoilt.is(place)) continue;
    const auto asked = asked_call(given.evidence.scenario, call);
    if (!asked || asked->reply) continue;
    tell(findings, "sound_reply", call, "ended with ok, though of the echo of {} came {}",
         dump(*asked->args), call.reply_shown);
  }
}

/// Judges replies by what the scenario itself says of them.
void judge_said_replies(const Case& given, Findings& findings) {
  for (const ClientStep* call : given.view.calls) {
    if (call->outcome != Outcome::ok || !call->reply_differs) continue;
    const scenario::Scenario& scenario = given.evidence.scenario;
    std::optional<std::string> wanted;
    if (const auto one = asked_call(scenario, *call); one && one->reply) {
      wanted = dump(**one->reply);
    } else if (const auto* bytes = asked_as<scenario::CallBytes>(scenario, *call)) {
      wanted = bytes->reply;
    }
    if (!wanted) continue;
    tell(findings, "expectation", *call, "got the reply {}; expected {}", call->reply_shown,
         *wanted);
  }
}

}  // namespace poolproof::oracle
