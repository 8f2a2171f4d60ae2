#include <algorithm>

#include "harness/oracle/rules.hpp"

/// The parts of an execution: a checkout, a call and a check-in, again where a retry is allowed.
namespace poolproof::oracle {
namespace {

/// Follows one execution through its parts.
class Parts {
 public:
  Parts(const scenario::Execute& asked, const ClientStep& whole, Findings& findings)
      : asked_(asked), whole_(whole), findings_(findings) {}

  void take(const ClientStep& part) {
    if (part.kind != next_) return wrong(part, "out of turn");
    switch (part.kind) {
      case StepKind::checkout:
        return take_checkout(part);
      case StepKind::call:
        return take_call(part);
      default:
        next_ = StepKind::checkout;
    }
  }

  void end() {
    const bool cut_short = last_ == nullptr || (next_ != StepKind::checkout && !refused_);
    if (cut_short) return wrong(whole_, "before all of it was done");
    if (last_->outcome == whole_.outcome) return;
    tell(findings_, "one_outcome", whole_, "came to {}, its last part to {}", name(whole_.outcome),
         name(last_->outcome));
  }

 private:
  void take_checkout(const ClientStep& part) {
    if (refused_) return wrong(part, "though it had been refused");
    if (last_ != nullptr) judge_retry(part);
    refused_ = part.outcome != Outcome::ok;
    if (refused_) last_ = &part;
    next_ = StepKind::call;
  }

  void take_call(const ClientStep& part) {
    if (refused_) return wrong(part, "without a worker");
    ++tries_;
    last_ = &part;
    const bool lost = part.in_doubt || part.outcome == Outcome::lease_over;
    next_ = lost ? StepKind::checkout : StepKind::checkin;
  }

  /// Judges whether the previous call allowed another try.
  void judge_retry(const ClientStep& part) {
    const bool bound =
        !asked_.session.name.empty() && asked_.session.affinity == pool::Affinity::strict;
    if (was_answered(last_->outcome) || last_->outcome == Outcome::cancelled) {
      return wrong(part, "though it was over");
    }
    if (asked_.retry == pool::Retry::never || bound) return wrong(part, "and was not to be");
    if (asked_.retry == pool::Retry::if_unread && !last_->retryable) {
      return wrong(part, "though a worker may have read it");
    }
    if (tries_ > asked_.retries_max) wrong(part, "more often than it may be");
  }

  void wrong(const ClientStep& part, std::string_view what) {
    if (std::exchange(told_, true)) return;
    tell(findings_, "one_outcome", part, "of an execution was done {}", what);
  }

  const scenario::Execute& asked_;
  const ClientStep& whole_;
  Findings& findings_;
  StepKind next_ = StepKind::checkout;
  const ClientStep* last_ = nullptr;  ///< the last call, or the checkout that was refused
  bool refused_ = false;
  std::uint32_t tries_ = 0;
  bool told_ = false;
};

}  // namespace

void judge_executions(const Case& given, Findings& findings) {
  const View& view = given.view;
  const auto& all = given.evidence.trace.clients;
  for (const std::uint32_t place : view.executions) {
    const ClientStep& whole = all[place];
    const auto* asked = asked_as<scenario::Execute>(given.evidence.scenario, whole);
    if (asked == nullptr) continue;
    const auto steps = view.steps_of(view.client_of_step[place]);
    const auto end = std::ranges::lower_bound(steps, place);
    auto begin = end;
    const auto is_part = [&](std::uint32_t one) {
      return all[one].part && all[one].step == whole.step &&
             all[one].repetition == whole.repetition;
    };
    while (begin != steps.begin() && is_part(*std::prev(begin))) --begin;
    Parts parts(*asked, whole, findings);
    for (auto part = begin; part != end; ++part) parts.take(all[*part]);
    parts.end();
  }
}

}  // namespace poolproof::oracle
