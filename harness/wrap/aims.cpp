#include "harness/wrap/aims.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "harness/base/signals.hpp"

namespace poolproof::wrap {
namespace {

constexpr std::size_t kWaitingMost = 65'536;

}  // namespace

void strike_one(const Aimed& aimed, const faults::Scene& scene) {
  if (aimed.behaviour->receipt == faults::Behaviour::Receipt::first) scene.receipt();
  aimed.behaviour->strike(scene);
}

bool end_process(const faults::Actions& actions) {
  return std::ranges::any_of(actions, [](const faults::Action& action) {
    const auto* const raised = std::get_if<faults::Raise>(&action);
    return raised != nullptr && is_deadly(raised->signal);
  });
}

Aims::Aims(std::span<const faults::PlannedFault> plan, WorkerId self) {
  for (const faults::PlannedFault& planned : plan) {
    if (!planned.at.fits(self)) continue;
    aimed_.push_back({&planned, &faults::behaviour_of(*planned.fault)});
    repeats_reply_ = repeats_reply_ || faults::repeats_reply(planned);
  }
}

bool Aims::fits(Aimed& aimed, const Message& request, std::uint64_t number,
                std::string_view payload) {
  const faults::Aim& at = aimed.planned->at;
  if (!at.client.empty()) return request.nonce == fmt::format("{}:{}", at.client, at.call);
  if (at.method.empty() && at.contains.empty()) return at.request.value_or(number) == number;
  if (!at.method.empty() && request.method != at.method) return false;
  if (payload.find(at.contains) == std::string_view::npos) return false;
  ++aimed.fitted;
  return at.nth == 0 || at.nth == aimed.fitted;
}

PendingRequest Aims::ask(const Message& request, std::string_view payload) {
  PendingRequest asked{asked_++, request.id, {}};
  for (Aimed& aimed : aimed_) {
    if (faults::aimed_by_call(*aimed.planned->fault) && fits(aimed, request, asked.number, payload))
      asked.faults.push_back(&aimed);
  }
  return asked;
}

void Aims::expect(PendingRequest request) {
  if (waiting_.size() == kWaitingMost) waiting_.pop_front();
  waiting_.push_back(std::move(request));
}

std::optional<PendingRequest> Aims::answered(const Message& reply) {
  const auto found = std::ranges::find(waiting_, reply.id, &PendingRequest::id);
  if (found == waiting_.end()) return std::nullopt;
  PendingRequest request = std::move(*found);
  waiting_.erase(found);
  return request;
}

void Aims::asks(const std::string& id, std::uint64_t times) {
  if (times > 0 && owed_to_us_.size() < kWaitingMost) owed_to_us_[id] += times;
}

bool Aims::answers_us(const Message& message) {
  if (message.id.empty() || !message.method.empty()) return false;
  if (message.id.starts_with(fmt::format("\"{}", faults::kOwnIdPrefix))) return true;
  const auto owed = owed_to_us_.find(message.id);
  if (owed == owed_to_us_.end()) return false;
  if (--owed->second == 0) owed_to_us_.erase(owed);
  return true;
}

bool Aims::strikes_before_next(const Aimed& aimed) const {
  return aimed.behaviour->stage == faults::Stage::before_read &&
         aimed.planned->at.request.value_or(asked_) == asked_;
}

bool Aims::stops_before_next() const {
  return std::ranges::any_of(aimed_, [this](const Aimed& one) { return strikes_before_next(one); });
}

bool Aims::stops_reading() const {
  return std::ranges::any_of(aimed_, [](const Aimed& aimed) {
    return aimed.behaviour->stage == faults::Stage::before_read;
  });
}

}  // namespace poolproof::wrap
