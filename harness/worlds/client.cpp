#include "harness/worlds/client.hpp"

#include <thread>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "harness/host/arguments.hpp"
#include "harness/host/system.hpp"

namespace poolproof::worlds {
namespace {

using namespace std::chrono_literals;

/// How long an `await` may take before the harness gives the scenario up.
constexpr Duration kAwaitLimit = 30s;
/// How often a receipt is looked for in the journal.
constexpr Duration kReceiptGap = 2ms;

/// A client that throws while it holds a lease.
struct HolderFailed {};

/// The reply as the wire's decoder gives it, which is what the script of both worlds takes.
wire::Reply as_decoded(wire::Speech speech, const host::Reply& reply) {
  wire::Reply decoded;
  decoded.id = reply.id;
  decoded.success = true;
  decoded.result = reply.result;
  decoded.result_is_object = reply.result->is_object();
  decoded.nonce = wire::nonce_of(*wire::content_of(speech, reply.result));
  return decoded;
}

}  // namespace

ClientRun::ClientRun(Stage& stage, const scenario::Client& client, std::string name)
    : stage_(stage) {
  script_.begin(stage.scenario, client, std::move(name));
}

void ClientRun::run() {
  const std::string& awaited = script_.client().after;
  if (!awaited.empty() && !stage_.milestones.await(Progress::done, awaited, 0, 2 * kAwaitLimit)) {
    trouble_ = fmt::format("client {} waited in vain for client {} to be done", name(), awaited);
  }
  while (trouble_.empty() && script_.begin_step(host::sys::now())) {
    const std::uint32_t step = script_.record.step;
    if (script_.begins_whole()) {
      stop_now_ = fresh_stop();
      stage_.milestones.note(Progress::begun, name(), step);
    }
    if (script_.prepare()) {
      std::visit([this](const auto& what) { carry(what); }, script_.step());
    }
    const bool whole = script_.ends_whole();
    script_.end_step(host::sys::now(), history_.emplace_back());
    if (whole) stage_.milestones.note(Progress::ended, name(), step);
  }
  lease_.reset();
  stage_.milestones.note(Progress::done, name(), 0);
}

void ClientRun::cancel() {
  const std::lock_guard lock(stop_mutex_);
  stop_.request_stop();
}

std::stop_token ClientRun::fresh_stop() {
  const std::lock_guard lock(stop_mutex_);
  stop_ = std::stop_source();
  return stop_.get_token();
}

// ---- steps with an outcome ---------------------------------------------------------------------

void ClientRun::carry(const scenario::Checkout&) {
  lease_.reset();
  auto lease = stage_.pool.checkout_in(script_.session(), script_.record.limit, stop_now_);
  if (!lease) return script_.failed(std::move(lease.error()));
  lease_.emplace(std::move(*lease));
  script_.granted(lease_->id(), lease_->worker());
}

void ClientRun::carry(const scenario::Call& step) {
  auto reply = lease_->call(step.command, sim::call_args(step, script_.record.nonce),
                            script_.record.limit, stop_now_);
  if (reply) script_.answered(as_decoded(stage_.scenario.pool.speech, *reply));
  note_call(reply);
}

void ClientRun::carry(const scenario::CallBytes& step) {
  auto reply = lease_->call_bytes(step.text, script_.record.limit, stop_now_);
  if (reply) script_.answered(*reply);
  note_call(reply);
}

void ClientRun::carry(const scenario::Checkin&) {
  lease_->checkin();
}

void ClientRun::carry(const scenario::Throw&) {
  try {
    const host::Lease held = std::move(*lease_);
    throw HolderFailed{};
  } catch (const HolderFailed&) {
  }
}

void ClientRun::carry(const scenario::Close&) {
  if (!stage_.pool.close(*script_.record.limit)) script_.close_failed();
}

// ---- steps that arrange what happens when -------------------------------------------------------

void ClientRun::carry(const scenario::AwaitClient& step) {
  const Progress awaited = step.ended ? Progress::ended : Progress::begun;
  if (stage_.milestones.await(awaited, step.client, step.step, kAwaitLimit)) return;
  trouble_ = fmt::format("client {} waited in vain for step {} of client {}", name(), step.step,
                         step.client);
}

void ClientRun::carry(const scenario::AwaitWorker& step) {
  if (stage_.milestones.await_worker(step.worker, step.moment, kAwaitLimit)) return;
  trouble_ = fmt::format("client {} waited in vain for worker {}.{} to be {}", name(),
                         step.worker.slot, step.worker.generation,
                         scenario::kWorkerMomentNames[static_cast<std::size_t>(step.moment)]);
}

void ClientRun::carry(const scenario::AwaitFault& step) {
  const Time give_up = after(host::sys::now(), kAwaitLimit);
  while (!stage_.fault_struck(step.fault)) {
    if (host::sys::now() >= give_up) {
      trouble_ = fmt::format("client {} waited in vain for fault {} to strike", name(), step.fault);
      return;
    }
    std::this_thread::sleep_for(kReceiptGap);
  }
}

void ClientRun::carry(const scenario::Pause& step) {
  std::this_thread::sleep_for(step.span);
}

void ClientRun::carry(const scenario::Cancel& step) {
  stage_.cancel(step.client);
}

void ClientRun::carry(const scenario::EndSession& step) {
  stage_.pool.end_session(step.session);
}

void ClientRun::carry(const scenario::SignalWorker& step) {
  const Time at = host::sys::now();
  const bool delivered = stage_.pool.signal(step.worker, step.signal);
  stage_.environment({at, step.worker, step.signal, delivered});
}

}  // namespace poolproof::worlds
