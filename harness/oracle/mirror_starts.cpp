#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "harness/oracle/mirror.hpp"
#include "harness/trace/fields.hpp"

/// When starts have to come.
namespace poolproof::oracle {

using trace::dotted;

void Mirror::cools(std::uint32_t slot) {
  if (slot >= slots_.size()) return;
  cooling_.push({after(now_, longest_pause(slots_[slot].failures)), slot});
}

/// However the jitter fell, these slots are vacant now.
void Mirror::judge_cooled() {
  for (; !cooling_.empty() && cooling_.top().until <= now_; cooling_.pop()) {
    const std::uint32_t slot = cooling_.top().slot;
    const Slot& one = slots_[slot];
    const Time until = after(one.cooled_from, longest_pause(one.failures));
    if (!one.may_cool || until > now_) continue;
    change(slots_[slot], [](Slot& cooled) { cooled.may_cool = false; });
  }
}

bool Mirror::lacks_a_probe() const {
  return !failed_now_ && under_way() == 0 && present() < config_.size &&
         after(last_failure_, config_.breaker_open) <= now_;
}

/// Nobody need ask for a start that is lacking.
void Mirror::judge_refill(bool lacks) {
  if (!newly(lacks, told_.refill)) return;
  report("full_size",
         breaker_open() ? std::string("the breaker is half open, and no start is tried")
                        : fmt::format("slot {} of an eager pool is vacant, and nothing is started",
                                      first_vacant()));
}

/// What may be the first sign of its death is no verdict before the post-mortem's time is over, nor
/// is silence after the end of its stdin. But no greeting takes longer than its budgets.
void Mirror::judge_patience(std::uint32_t worker, const pool::StartEvidence& evidence) {
  using enum StartCause;
  constexpr std::array kSuspected{text_on_stdout, reply_unframed, bad_frame,
                                  stdout_closed,  stdin_closed,   reply_incomplete};
  const Worker& one = workers_[worker];
  const Time budget_over = after(one.since, config_.startup_budget);
  const bool suspected =
      std::find(kSuspected.begin(), kSuspected.end(), evidence.cause) != kSuspected.end();
  const bool early =
      suspected && now_ < budget_over && now_ < after(one.greeted, config_.postmortem_budget);
  const bool impatient =
      evidence.outlived_stdin && now_ < after(budget_over, config_.postmortem_budget);
  const bool good = evidence.cause == none;
  const Time end = good ? budget_over : after(budget_over, config_.postmortem_budget);
  if (now_ > after(end, lateness_)) {
    report("deadlines", fmt::format("the greeting of worker {} ended {} ms after its {} was over",
                                    dotted(ids_.key(worker)), trace::milliseconds(now_ - end),
                                    good ? "start-up budget" : "post-mortem"));
  }
  if (!early && !impatient) return;
  report("diagnosis", fmt::format("the start of worker {} was told to have failed by {} before the "
                                  "post-mortem was over",
                                  dotted(ids_.key(worker)), poolproof::name(evidence.cause)));
}

/// The start-up budget runs from the order to start.
void Mirror::judge_handshake(std::uint32_t worker, const pool::Handshake& order) {
  if (workers_[worker].state != State::greeting) {
    report("accounting", fmt::format("worker {} was greeted, but not because it had started",
                                     dotted(order.worker)));
  } else if (order.deadline != after(workers_[worker].since, config_.startup_budget)) {
    report("deadlines",
           fmt::format("worker {} was given till {} ms for its start, its budget ends "
                       "at {} ms",
                       dotted(order.worker), trace::milliseconds(order.deadline - Time{}),
                       trace::milliseconds(after(workers_[worker].since, config_.startup_budget) -
                                           Time{})));
  }
}

}  // namespace poolproof::oracle
