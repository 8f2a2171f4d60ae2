#include "harness/worlds/client.hpp"

#include <thread>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "harness/host/system.hpp"

namespace poolproof::worlds {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

/// So long an `await` may take before the harness gives the scenario up.
constexpr Duration kAwaitLimit = 30s;
/// A receipt is looked for in the journal so often.
constexpr Duration kReceiptGap = 2ms;

/// A client that throws while it holds a lease.
struct HolderFailed {};

}  // namespace

ClientRun::ClientRun(Stage& stage, const scenario::Client& client, std::string name)
    : stage_(stage), client_(client), name_(std::move(name)) {}

void ClientRun::run() {
  if (!client_.after.empty() && !stage_.milestones.await_done(client_.after, 2 * kAwaitLimit)) {
    trouble_ =
        fmt::format("client {} waited in vain for client {} to be done", name_, client_.after);
  }
  for (repetition_ = 0; repetition_ < client_.repeat && trouble_.empty(); ++repetition_) once();
  lease_.reset();
  stage_.milestones.client_done(name_);
}

void ClientRun::cancel() {
  const std::lock_guard lock(stop_mutex_);
  stop_.request_stop();
}

void ClientRun::once() {
  had_lease_ = false;
  for (std::uint32_t step = 0; step < client_.steps.size() && trouble_.empty(); ++step) {
    trace::ClientStep record;
    record.client = name_;
    record.repetition = repetition_;
    record.step = step;
    record.kind = scenario::kind(client_.steps[step]);
    record.begun = host::sys::now();
    stop_now_ = fresh_stop();
    stage_.milestones.step_begun(name_, step);
    std::visit([&](const auto& what) { carry(what, record); }, client_.steps[step]);
    record.ended = host::sys::now();
    history_.push_back(std::move(record));
    stage_.milestones.step_ended(name_, step);
  }
}

std::stop_token ClientRun::fresh_stop() {
  const std::lock_guard lock(stop_mutex_);
  stop_ = std::stop_source();
  return stop_.get_token();
}

void ClientRun::note_lease(trace::ClientStep& record) const {
  if (!had_lease_) return;
  record.lease = lease_id_;
  record.worker = leased_;
}

void ClientRun::note_error(trace::ClientStep& record, const host::Error& error) {
  record.outcome = error.kind;
  record.phase = error.phase;
  record.cause = error.cause;
  record.retryable = error.retryable;
  record.message = error.message;
}

// ---- steps with an outcome
// -----------------------------------------------------------------------

void ClientRun::carry(const scenario::Checkout& step, trace::ClientStep& record) {
  record.limit = step.timeout.value_or(stage_.scenario.pool.checkout_timeout);
  lease_.reset();
  had_lease_ = false;
  auto lease = stage_.pool.checkout(record.limit, stop_now_);
  if (!lease) return note_error(record, lease.error());
  lease_.emplace(std::move(*lease));
  lease_id_ = lease_->id();
  leased_ = lease_->worker();
  had_lease_ = true;
  checked_in_ = false;
  note_lease(record);
}

void ClientRun::carry(const scenario::Call& step, trace::ClientStep& record) {
  record.command = step.command;
  record.limit = step.timeout.value_or(stage_.scenario.pool.call_timeout);
  if (!had_lease_) {
    record.skipped = true;
    return;
  }
  note_lease(record);
  record.nonce = fmt::format("{}:{}", name_, ++calls_);
  json args = *step.args;
  args["nonce"] = record.nonce;
  if (step.pad_bytes > 0) args["pad"] = std::string(step.pad_bytes, 'x');
  const auto reply = lease_->call(step.command, args, record.limit, stop_now_);
  record.written_bytes = lease_->written_bytes();
  record.in_doubt = lease_->in_doubt();
  if (!reply) return note_error(record, reply.error());
  record.reply_nonce = reply->nonce;
}

void ClientRun::carry(const scenario::CallBytes& step, trace::ClientStep& record) {
  record.command = "bytes";
  record.limit = step.timeout.value_or(stage_.scenario.pool.call_timeout);
  if (!had_lease_) {
    record.skipped = true;
    return;
  }
  note_lease(record);
  ++calls_;
  const auto reply = lease_->call_bytes(step.text, record.limit, stop_now_);
  record.written_bytes = lease_->written_bytes();
  record.in_doubt = lease_->in_doubt();
  if (!reply) note_error(record, reply.error());
}

void ClientRun::carry(const scenario::Checkin&, trace::ClientStep& record) {
  if (!had_lease_) {
    record.skipped = true;
    return;
  }
  note_lease(record);
  const bool given_back_before = std::exchange(checked_in_, true);
  lease_->checkin();
  if (!given_back_before) return;
  record.outcome = Outcome::lease_over;
  record.message = "lease_over: the lease was given back before; nothing was done";
}

void ClientRun::carry(const scenario::Throw&, trace::ClientStep& record) {
  if (!had_lease_) {
    record.skipped = true;
    return;
  }
  note_lease(record);
  try {
    const host::Lease held = std::move(*lease_);
    throw HolderFailed{};
  } catch (const HolderFailed&) {
    checked_in_ = true;
  }
}

void ClientRun::carry(const scenario::Close& step, trace::ClientStep& record) {
  record.limit = step.timeout.value_or(stage_.scenario.pool.close_timeout);
  if (stage_.pool.close(*record.limit)) return;
  record.outcome = Outcome::call_timeout;
  record.message = "close did not get rid of all workers";
}

// ---- steps that arrange
// --------------------------------------------------------------------------

void ClientRun::carry(const scenario::AwaitClient& step, trace::ClientStep&) {
  if (stage_.milestones.await_step(step.client, step.step, step.ended, kAwaitLimit)) return;
  trouble_ = fmt::format("client {} waited in vain for step {} of client {}", name_, step.step,
                         step.client);
}

void ClientRun::carry(const scenario::AwaitWorker& step, trace::ClientStep&) {
  if (stage_.milestones.await_worker(step.worker, step.moment, kAwaitLimit)) return;
  trouble_ = fmt::format("client {} waited in vain for worker {}.{} to be {}", name_,
                         step.worker.slot, step.worker.generation,
                         scenario::kWorkerMomentNames[static_cast<std::size_t>(step.moment)]);
}

void ClientRun::carry(const scenario::AwaitFault& step, trace::ClientStep&) {
  const Time give_up = after(host::sys::now(), kAwaitLimit);
  while (!stage_.fault_struck(step.fault)) {
    if (host::sys::now() >= give_up) {
      trouble_ = fmt::format("client {} waited in vain for fault {} to strike", name_, step.fault);
      return;
    }
    std::this_thread::sleep_for(kReceiptGap);
  }
}

void ClientRun::carry(const scenario::Pause& step, trace::ClientStep&) {
  std::this_thread::sleep_for(step.span);
}

void ClientRun::carry(const scenario::Cancel& step, trace::ClientStep&) {
  stage_.cancel(step.client);
}

void ClientRun::carry(const scenario::SignalWorker& step, trace::ClientStep& record) {
  record.worker = step.worker;
  const Time at = host::sys::now();
  const bool delivered = stage_.pool.signal(step.worker, step.signal);
  stage_.environment({at, step.worker, step.signal, delivered});
}

}  // namespace poolproof::worlds
