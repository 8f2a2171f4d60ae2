#include "harness/pool/held_lease.hpp"

#include "harness/base/text.hpp"
#include "harness/pool/dispatcher.hpp"
#include "harness/pool/explain.hpp"
#include "harness/pool/worker.hpp"

namespace poolproof::pool {
namespace {

std::string printable_command(const CallSpec& call) {
  constexpr std::size_t kShown = 60;
  return printable(call.command, kShown);
}

}  // namespace

HeldLease::HeldLease(WorkerRef worker, LeaseId id)
    : worker_(std::move(worker)), worker_id_(worker_->id()), id_(id), open_(true) {}

std::int64_t HeldLease::next_request() const {
  return worker_->next_request;
}

Expected<wire::Exchange, Error> HeldLease::begin_call(const CallSpec& call, const WireOptions& wire,
                                                      Expected<std::string, std::string> frame,
                                                      Time now, bool stop_asked) {
  if (!open()) return unexpected(explain_lease_over(printable_command(call)));
  if ((call.payload == wire::Payload::opaque) != wire.opaque) {
    const char* instead = wire.opaque ? "the pool's payloads are opaque, and take call_bytes"
                                      : "the pool's payloads are envelopes, and take call";
    return unexpected(explain_wrong_request(printable_command(call), instead));
  }
  if (!frame) return unexpected(explain_too_large(printable_command(call), frame.error()));
  wire::Exchange exchange(*worker_, wire.framing, call.payload, next_request(), std::move(*frame),
                          after(now, call.limit), wire.codec, wire.speech);
  if (call.payload == wire::Payload::envelope) ++worker_->next_request;
  exchange.look_before(std::exchange(worker_->carried, {}));
  // A call that is over before its first byte costs no worker.
  if (stop_asked) exchange.cancel();
  exchange.tick(now);
  return exchange;
}

std::optional<Error> HeldLease::end_call(Dispatcher& dispatcher, const wire::CallResult& result,
                                         const CallSpec& call) {
  // Not a byte reached the worker: its next request is still this one.
  if (result.written_bytes == 0 && call.payload == wire::Payload::envelope) --worker_->next_request;
  if (result.written_bytes > 0) ++worker_->calls;
  worker_->carried = result.carried;
  // The worker asked in mid-call, and still waits for the answer. Such answers are short.
  const bool told = result.owed.empty() || worker_->write(result.owed) == result.owed.size();
  if (!told) end(dispatcher, false);
  if (result.outcome == Outcome::ok) {
    if (result.in_doubt) end(dispatcher, false);
    return std::nullopt;
  }
  CallFacts facts;
  facts.worker = worker_->id();
  facts.pid = worker_->pid();
  facts.command = printable_command(call);
  facts.limit = call.limit;
  if (result.outcome == Outcome::call_timeout && result.written_bytes > 0) {
    facts.unread_bytes = worker_->unread().value_or(0);
    facts.activity = worker_->activity();
  }
  {
    const Entered entered(dispatcher);
    facts.stderr_tail = worker_->stderr_tail.text();
    facts.pool_closing = result.in_doubt && worker_->told_to_go == RemovalReason::closing;
  }
  if (result.in_doubt) end(dispatcher, false);
  if (facts.pool_closing && result.written_bytes == 0) {
    return explain_lease_over(facts.command, "the pool closed and put its worker away");
  }
  return explain_call(result, facts);
}

bool HeldLease::end(Dispatcher& dispatcher, bool clean) {
  if (!open()) return false;
  open_ = false;
  const std::uint64_t rss_bytes = clean && dispatcher.wants_memory() ? worker_->rss_bytes() : 0;
  const Entered entered(dispatcher);
  return dispatcher.end_lease(id_, worker_, clean, rss_bytes);
}

}  // namespace poolproof::pool
