#include "harness/sim/client_script.hpp"

#include <utility>

#include <nlohmann/json.hpp>

#include "harness/base/text.hpp"

namespace poolproof::sim {
namespace {

using nlohmann::json;

constexpr std::size_t kReplyBytesShown = 120;

/// Whether the harness adds this key to the arguments of a call, so that an echo brings it back.
bool is_ours(const std::string& key) {
  return key == "nonce" || key == "pad";
}

/// Whether `result` is an object with the keys of `wanted`, and perhaps those that the harness
/// adds.
bool has_keys_of(const json& result, const json& wanted) {
  if (!result.is_object()) return false;
  std::size_t others = 0;
  for (const auto& [key, value] : result.items()) {
    if (is_ours(key)) continue;
    if (!wanted.contains(key)) return false;
    ++others;
  }
  return others == wanted.size();
}

bool is_wanted(const json& result, const json& wanted) {
  if (!has_keys_of(result, wanted)) return false;
  for (const auto& [key, value] : wanted.items()) {
    if (result[key] != value) return false;
  }
  return true;
}

std::string shown(json result) {
  if (result.is_object()) {
    result.erase("nonce");
    result.erase("pad");
  }
  return printable(result.dump(-1, ' ', false, json::error_handler_t::replace), kReplyBytesShown);
}

}  // namespace

void ClientScript::begin(const scenario::Scenario& scenario, const scenario::Client& client,
                         std::string name) {
  scenario_ = &scenario;
  client_ = &client;
  name_ = std::move(name);
  repetition_ = next_ = calls_ = 0;
  had_lease_ = checked_in_ = false;
  lease_ = LeaseId::none;
  execution_.reset();
  record = {};
}

bool ClientScript::begin_step(Time now) {
  if (execution_) {
    begin_part(now);
    return true;
  }
  if (next_ == client_->steps.size()) {
    next_ = 0;
    ++repetition_;
  }
  if (repetition_ >= client_->repeat || client_->steps.empty()) return false;
  if (next_ == 0) had_lease_ = false;
  record = {};
  record.repetition = repetition_;
  record.step = next_++;
  record.kind = scenario::kind(step());
  record.begun = now;
  if (record.kind == StepKind::execute) begin_execution(now);
  return true;
}

bool ClientScript::prepare() {
  return std::visit([this](const auto& what) { return prepare(what); }, step());
}

void ClientScript::end_step(Time now, trace::ClientStep& kept) {
  record.ended = now;
  if (record.part) plan_next_part(now);
  if (record.kind == StepKind::execute) execution_.reset();
  kept = std::move(record);
  kept.client = name_;
}

// ---- an execution, part by part -----------------------------------------------------------------

void ClientScript::begin_execution(Time now) {
  const scenario::Execute& step = execute();
  pool::ExecuteOptions options;
  options.timeout = step.timeout;
  options.try_timeout = step.try_timeout;
  options.affinity = step.session.affinity;
  options.when_busy = step.session.when_busy;
  options.retry = step.retry;
  options.retries_max = step.retries_max;
  const Duration usual = scenario_->pool.checkout_timeout + scenario_->pool.call_timeout;
  execution_.emplace(options, usual, !step.session.name.empty(), now);
  execution_begun_ = now;
  error_.reset();
  next_part_ = Next::checkout;
  begin_part(now);
  is_first_part_ = true;
}

void ClientScript::begin_part(Time now) {
  const std::uint32_t step = record.step;
  record = {};
  record.repetition = repetition_;
  record.step = step;
  record.begun = now;
  record.part = next_part_ != Next::nothing;
  is_first_part_ = false;
  const scenario::Execute& whole = execute();
  switch (next_part_) {
    case Next::checkout:
      part_ = scenario::Checkout{execution_->left(now), whole.session};
      break;
    case Next::call:
      part_ = scenario::Call{whole.command, whole.args, execution_->call_limit(now),
                             whole.pad_bytes, whole.reply};
      break;
    case Next::checkin:
      part_ = scenario::Checkin{};
      break;
    case Next::nothing:
      record.kind = StepKind::execute;
      record.since = execution_begun_;
      return;
  }
  record.kind = scenario::kind(part_);
}

/// A call that failed gives its lease back before the next try, unless it has lost it.
void ClientScript::plan_next_part(Time now) {
  const bool failed = record.outcome != Outcome::ok;
  switch (next_part_) {
    case Next::checkout:
      next_part_ = failed ? Next::nothing : Next::call;
      return;
    case Next::call:
      if (!record.in_doubt && record.outcome != Outcome::lease_over) {
        next_part_ = Next::checkin;
        return;
      }
      break;
    case Next::checkin:
    case Next::nothing:
      break;
  }
  const bool again = error_ && execution_->try_again(*error_, now);
  next_part_ = again ? Next::checkout : Next::nothing;
}

// ---- what came of the step ---------------------------------------------------------------------

void ClientScript::granted(LeaseId lease, WorkerId worker) {
  lease_ = record.lease = lease;
  leased_ = worker;
  record.worker = worker;
  had_lease_ = true;
  checked_in_ = false;
}

void ClientScript::failed(pool::Error error) {
  if (record.part) error_ = error;
  record.outcome = error.kind;
  record.phase = error.phase;
  record.cause = error.cause;
  record.retryable = error.retryable;
  record.exit = error.exit;
  record.after = error.after;
  record.truncated = error.truncated;
  record.stderr_bytes = error.stderr_tail.size();
  record.blamed = error.worker;
  record.message = std::move(error.message);
}

void ClientScript::answered(const wire::Reply& reply) {
  record.reply_nonce = reply.nonce;
  error_.reset();
  if (reply.result == nullptr) return;
  const auto content = wire::content_of(scenario_->pool.speech, reply.result);
  const auto& call = std::get<scenario::Call>(step());
  const json& wanted = call.reply ? **call.reply : *call.args;
  if (!call.reply) {
    // Any program may make of "echo" what it likes; our own workers give back what they were given.
    const auto& workers = scenario_->workers;
    const bool foreign = workers[leased_.slot % workers.size()].is_real_program();
    if (call.command != "echo" || (foreign && !has_keys_of(*content, wanted))) return;
  }
  record.reply_differs = !is_wanted(*content, wanted);
  if (record.reply_differs) record.reply_shown = shown(*content);
}

void ClientScript::answered(std::string_view payload) {
  const auto& call = std::get<scenario::CallBytes>(step());
  record.reply_differs = call.reply && *call.reply != payload;
  const bool own = payload == call.text;
  if (!own) record.reply_hash = trace::hash_of_reply(payload);
  if (!own || record.reply_differs) record.reply_shown = printable(payload, kReplyBytesShown);
}

void ClientScript::close_failed() {
  record.outcome = Outcome::call_timeout;
  record.message = "close did not get rid of all workers";
}

// ---- what a step says of itself ----------------------------------------------------------------

bool ClientScript::prepare(const scenario::Checkout& step) {
  record.limit = step.timeout.value_or(scenario_->pool.checkout_timeout);
  record.session = step.session.name;
  if (!step.session.name.empty()) record.affinity = step.session.affinity;
  had_lease_ = false;
  return true;
}

bool ClientScript::prepare(const scenario::Call& step) {
  if (!prepare_call(step.command, step.timeout)) return false;
  record.nonce.assign(name_).append(1, ':').append(std::to_string(calls_));
  return true;
}

bool ClientScript::prepare(const scenario::CallBytes& step) {
  return prepare_call("bytes", step.timeout);
}

bool ClientScript::prepare(const scenario::Checkin&) {
  if (!needs_lease()) return false;
  if (std::exchange(checked_in_, true)) {
    record.outcome = Outcome::lease_over;
    record.message = "lease_over: the lease was given back before; nothing was done";
  }
  return true;
}

bool ClientScript::prepare(const scenario::Throw&) {
  if (!needs_lease()) return false;
  checked_in_ = true;
  return true;
}

bool ClientScript::prepare(const scenario::Close& step) {
  record.limit = step.timeout.value_or(scenario_->pool.close_timeout);
  return true;
}

bool ClientScript::prepare(const scenario::SignalWorker& step) {
  record.worker = step.worker;
  return true;
}

bool ClientScript::prepare(const scenario::EndSession& step) {
  record.session = step.session;
  return true;
}

/// All parts of the execution are done: notes the outcome of the whole.
bool ClientScript::prepare(const scenario::Execute& step) {
  record.session = step.session.name;
  record.affinity = step.session.name.empty() ? pool::Affinity::any : step.session.affinity;
  record.command = step.command;
  record.limit = execution_->timeout();
  had_lease_ = false;
  if (error_) failed(execution_->conclude(std::move(*error_)));
  return false;
}

pool::SessionRequest ClientScript::session() const {
  const scenario::SessionSpec& session = std::get<scenario::Checkout>(step()).session;
  return {session.name, session.affinity, session.when_busy};
}

bool ClientScript::prepare_call(const std::string& command, std::optional<Duration> timeout) {
  record.command = command;
  record.limit = timeout.value_or(scenario_->pool.call_timeout);
  if (!needs_lease()) return false;
  ++calls_;
  return true;
}

bool ClientScript::needs_lease() {
  record.skipped = !had_lease_;
  if (!had_lease_) return false;
  record.lease = lease_;
  record.worker = leased_;
  return true;
}

nlohmann::json call_args(const scenario::Call& step, const std::string& nonce) {
  nlohmann::json args = *step.args;
  args["nonce"] = nonce;
  if (step.pad_bytes > 0) args["pad"] = std::string(step.pad_bytes, 'x');
  return args;
}

}  // namespace poolproof::sim
