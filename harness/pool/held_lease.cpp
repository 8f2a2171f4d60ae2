#include "harness/pool/held_lease.hpp"

#include "harness/base/text.hpp"
#include "harness/pool/dispatcher.hpp"
#include "harness/pool/explain.hpp"
#include "harness/pool/worker.hpp"

namespace poolproof::pool {

std::string printable_command(const CallSpec& call) {
  constexpr std::size_t kShown = 60;
  return printable(call.command, kShown);
}

HeldLease& HeldLease::operator=(HeldLease&& other) noexcept {
  worker_ = std::move(other.worker_);
  id_ = other.id_;
  open_ = std::exchange(other.open_, false);
  return *this;
}

std::int64_t HeldLease::next_request() const {
  return worker_->next_request;
}

void HeldLease::begin_call(const CallSpec& call) {
  if (call.payload == wire::Payload::envelope) ++worker_->next_request;
}

std::optional<Error> HeldLease::end_call(Dispatcher& dispatcher, const wire::CallResult& result,
                                         const CallSpec& call) {
  // Not a byte reached the worker: its next request is still this one.
  if (result.written_bytes == 0 && call.payload == wire::Payload::envelope) --worker_->next_request;
  if (result.outcome == Outcome::ok) {
    if (result.in_doubt) end(dispatcher, false);
    return std::nullopt;
  }
  CallFacts facts;
  facts.worker = worker_->id();
  facts.pid = worker_->pid();
  facts.command = printable_command(call);
  facts.limit = call.limit;
  {
    const Entered entered(dispatcher);
    facts.stderr_tail = worker_->stderr_tail.text();
    facts.pool_closing = result.in_doubt && worker_->told_to_go == RemovalReason::closing;
  }
  if (result.in_doubt) end(dispatcher, false);
  return explain_call(result, facts);
}

bool HeldLease::end(Dispatcher& dispatcher, bool clean) {
  if (!std::exchange(open_, false)) return false;
  const Entered entered(dispatcher);
  return dispatcher.end_lease(id_, worker_, clean);
}

}  // namespace poolproof::pool
