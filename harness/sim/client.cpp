#include "harness/sim/client.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace poolproof::sim {
namespace {

using namespace std::chrono_literals;
using faults::JournalRecord;

/// How long an `await` waits, in virtual time: what has not come true by then never will.
constexpr Duration kAwaitLimit = std::chrono::hours(1);
/// How long a close waits beyond its timeout for the last worker to be reaped, as in the host
/// world.
constexpr Duration kReapingLimit = 5s;

}  // namespace

Client* Stage::named(std::string_view name) const {
  for (Client* client : clients) {
    if (client->name() == name) return client;
  }
  return nullptr;
}

void Stage::wake_awaiting(const Client* news_of) {
  for (const Client* client : awaiting) {
    const Client* const other = client->awaited();
    const bool may_be = news_of == nullptr || other == nullptr || other == news_of;
    if (may_be && client->has_come_true()) {
      machine.agenda.set_ready(task_of(Role::client, client->number()), true);
    }
  }
}

void Client::begin(const scenario::Client& client, std::string name) {
  script_.begin(*stage_.scenario, client, std::move(name));
  state_ = State::between;
  first_begun_ = first_ended_ = 0;
  let_go();
  stop_ = false;
  until_ = kNever;
  exchange_.reset();
  awaited_ = nullptr;
  if (!client.after.empty()) {
    state_ = State::before;
    stage_.awaiting.push_back(this);
  }
  go_again();
}

void Client::go() {
  stage_.machine.writes(Shared::client, number_);
  switch (state_) {
    case State::before:
    case State::awaiting:
      return look_around();
    case State::between:
      return begin_step();
    case State::asking:
      return ask();
    case State::queued:
      return look_at_ticket();
    case State::writing:
    case State::calling:
      return go_on_calling();
    case State::end_awaited:
      return look_at_end();
    case State::decided:
      return finish_call();
    case State::pausing:
      return stage_.machine.now >= until_ ? end_step() : wait_until(until_);
    case State::closing:
      return look_at_close();
    case State::leaving:
      give_back(true);
      drop_worker();
      state_ = State::done;
      ++stage_.done;
      note_progress(Progress::done);
      return stage_.wake_awaiting(this);
    case State::done:
      return;
  }
}

void Client::begin_step() {
  if (!script_.begin_step(stage_.machine.now)) {
    state_ = State::leaving;
    return go_again();
  }
  if (script_.begins_whole()) {
    stop_ = false;
    if (record().repetition == 0) first_begun_ = record().step + 1;
    note_progress(Progress::begun);
    stage_.wake_awaiting(this);
  }
  if (!script_.prepare()) return end_step();
  std::visit([this](const auto& what) { carry(what); }, script_.step());
}

void Client::end_step() {
  const bool whole = script_.ends_whole();
  if (whole) {
    if (record().repetition == 0) first_ended_ = record().step + 1;
    note_progress(Progress::ended);
  }
  stage_.machine.writes(Shared::records);
  script_.end_step(stage_.machine.now, stage_.machine.trace.clients.emplace_back());
  state_ = State::between;
  wait_until(kNever);
  if (whole) stage_.wake_awaiting(this);
  go_again();
}

/// Notes that this step has got so far. Requires: it has just done so.
void Client::note_progress(Progress what) const {
  stage_.machine.writes(Shared::progress, progress_number(what, record().step));
}

void Client::read_progress(Progress what, std::uint32_t step) const {
  stage_.machine.reads(Shared::progress, progress_number(what, step));
}

std::uint32_t Client::progress_number(Progress what, std::uint32_t step) const {
  const std::uint32_t place = what == Progress::done ? 0 : 1 + 2 * step;
  return number_ * 16 + place + (what == Progress::ended ? 1 : 0);
}

void Client::cancel() {
  stage_.machine.writes(Shared::client, number_);
  stage_.machine.reads(Shared::ticket, number_);
  stop_ = true;
  // The client may have been answered and not have gone on yet: the Core is told in any case.
  if (state_ == State::queued && parked_) {
    stage_.pool.step(pool::CheckoutCancelled{stage_.pool.ticket(number_).checkout});
  }
  if (kept_) {
    stage_.machine.writes(Shared::wake, worker().number());
    // A look at the worker meanwhile must not put the caller to sleep again.
    if (state_ == State::calling) worker().stop_asked = true;
  }
  go_again();
}

bool Client::give_back(bool clean) {
  return held_.end(stage_.pool.dispatcher(), clean);
}

void Client::drop_worker() {
  if (kept_) stage_.machine.writes(Shared::kept, worker().number());
  let_go();
}

// ---- checkout ----------------------------------------------------------------------------------

void Client::carry(const scenario::Checkout&) {
  give_back(true);
  drop_worker();
  state_ = State::asking;
  go_again();
}

void Client::ask() {
  state_ = State::queued;
  stage_.pool.ask(number_, *record().limit, script_.session());
  const Ticket& ticket = stage_.pool.ticket(number_);
  parked_ = !ticket.done;
  // A stop that was asked for before the checkout takes effect at once.
  if (stop_ && parked_) stage_.pool.step(pool::CheckoutCancelled{ticket.checkout});
  wait_until(after(stage_.machine.now, *record().limit));
}

void Client::look_at_ticket() {
  stage_.machine.reads(Shared::ticket, number_);
  Ticket& ticket = stage_.pool.ticket(number_);
  if (!ticket.done) {
    // A client at its deadline ticks the Core itself; if it finds itself granted, it keeps the
    // lease.
    if (stage_.machine.now >= after(record().begun, *record().limit))
      stage_.pool.step(pool::Tick{});
    return;
  }
  if (ticket.error) {
    script_.failed(std::move(*ticket.error));
    return end_step();
  }
  script_.granted(ticket.lease, ticket.worker->id());
  kept_ = ticket.worker;
  held_ = pool::HeldLease(std::move(ticket.worker), ticket.lease);
  end_step();
}

// ---- call --------------------------------------------------------------------------------------

void Client::carry(const scenario::Call& step) {
  call_ = {wire::Payload::envelope, step.command, *record().limit};
  if (!held_.open()) return begin_call(std::string());
  begin_call(stage_.machine.messages.call(held_.next_request(), step, record().nonce));
}

void Client::carry(const scenario::CallBytes& step) {
  call_ = {wire::Payload::opaque, "bytes", *record().limit};
  begin_call(wire::encode_frame(stage_.machine.messages.wire().framing, step.text));
}

void Client::begin_call(Expected<std::string, std::string> frame) {
  auto begun = held_.begin_call(call_, stage_.machine.messages.wire(), std::move(frame),
                                stage_.machine.now, stop_);
  if (!begun) {
    script_.failed(std::move(begun.error()));
    return end_step();
  }
  stage_.machine.writes(Shared::kept, worker().number());
  exchange_.emplace(std::move(*begun));
  state_ = exchange_->decided() ? State::decided : State::writing;
  go_again();
}

void Client::go_on_calling() {
  const Time now = stage_.machine.now;
  wire::Exchange& exchange = *exchange_;
  stage_.machine.reads(Shared::state, worker().number());
  if (state_ == State::calling) {
    const bool had_ended = worker().reaped || worker().process().state() == Process::State::ended;
    if (exchange.wants_to_read()) exchange.read_some(now);
    if (!exchange.decided() && had_ended && exchange.wants_end() && !exchange.process_ended(now)) {
      state_ = State::end_awaited;
      wait_until(kNever);
      return worker().look();
    }
    if (!exchange.decided() && stop_) exchange.cancel();
    if (!exchange.decided()) exchange.tick(now);
  } else {
    worker().call = &exchange;
    worker().caller = number_;
    worker().stop_asked = stop_;
    state_ = State::calling;
  }
  if (!exchange.decided()) exchange.write_some(now);
  if (exchange.decided()) {
    worker().call = nullptr;
    state_ = State::decided;
    wait_until(kNever);
    go_again();
  } else {
    wait_until(exchange.next_deadline());
  }
  worker().look();
}

void Client::look_at_end() {
  stage_.machine.reads(Shared::state, worker().number());
  if (!worker().exit) return worker().look();
  exchange_->ended(*worker().exit);
  worker().call = nullptr;
  state_ = State::decided;
  go_again();
}

void Client::finish_call() {
  wire::CallResult result = exchange_->take_result();
  exchange_.reset();
  script_.record.written_bytes = result.written_bytes;
  script_.record.in_doubt = result.in_doubt;
  stage_.machine.writes(Shared::kept, worker().number());
  if (result.outcome != Outcome::ok) stage_.machine.reads(Shared::err, worker().number());
  if (auto error = held_.end_call(stage_.pool.dispatcher(), result, call_)) {
    script_.failed(std::move(*error));
  } else if (call_.payload == wire::Payload::opaque) {
    script_.answered(result.payload);
  } else {
    script_.answered(result.reply);
  }
  end_step();
}

// ---- the end of a lease ------------------------------------------------------------------------

void Client::carry(const scenario::Checkin&) {
  give_back(true);
  end_step();
}

void Client::carry(const scenario::Throw&) {
  give_back(stage_.scenario->pool.on_exception == pool::OnException::keep);
  end_step();
}

// ---- the rest ----------------------------------------------------------------------------------

void Client::carry(const scenario::Close&) {
  const Time deadline = after(stage_.machine.now, *record().limit);
  until_ = after(deadline, kReapingLimit);
  state_ = State::closing;
  awaited_ = nullptr;
  stage_.awaiting.push_back(this);
  stage_.pool.step(pool::CloseRequested{deadline});
  wait_until(until_);
  go_again();
}

void Client::look_at_close() {
  read_awaited();
  if (!stage_.pool.is_closed()) {
    if (stage_.machine.now < until_) return wait_until(until_);
    script_.close_failed();
  }
  std::erase(stage_.awaiting, this);
  end_step();
}

void Client::carry(const scenario::Pause& step) {
  until_ = after(stage_.machine.now, step.span);
  state_ = State::pausing;
  go_again();
}

void Client::carry(const scenario::Cancel& step) {
  if (Client* other = stage_.named(step.client)) other->cancel();
  end_step();
}

void Client::carry(const scenario::EndSession& step) {
  const pool::Entered entered(stage_.pool.dispatcher());
  stage_.machine.reads(Shared::core);
  stage_.pool.dispatcher().end_session(step.session);
  end_step();
}

void Client::carry(const scenario::SignalWorker& step) {
  stage_.machine.writes(Shared::environment);
  const bool delivered = stage_.pool.signal(step.worker, step.signal);
  stage_.machine.trace.environment.push_back(
      {stage_.machine.now, step.worker, step.signal, delivered});
  end_step();
}

void Client::tell_pool(const pool::Event& event) {
  stage_.pool.step(event);
  end_step();
}

void Client::await(const Client* other) {
  awaited_ = other;
  state_ = State::awaiting;
  until_ = after(stage_.machine.now, kAwaitLimit);
  stage_.awaiting.push_back(this);
  go_again();
}

/// Goes on if what the client waits for has come true, or its time is over.
void Client::look_around() {
  const bool begins = state_ == State::before;
  if (begins) awaited_ = stage_.named(script_.client().after);
  read_awaited();
  if (!has_come_true()) {
    if (begins || stage_.machine.now < until_) return wait_until(begins ? kNever : until_);
    stage_.trouble = fmt::format("client {} waited in vain in step {}", name(), record().step);
  }
  std::erase(stage_.awaiting, this);
  if (!begins) return end_step();
  state_ = State::between;
  go_again();
}

bool Client::waits_in_vain() const {
  if (state_ == State::before) {
    const Client* other = stage_.named(script_.client().after);
    return other != nullptr && !other->done();
  }
  const bool waits = state_ == State::awaiting || state_ == State::closing;
  return waits && !has_come_true() && stage_.machine.now < until_;
}

/// Records in the footprint that the client reads what it waits for.
void Client::read_awaited() const {
  if (state_ == State::closing) return stage_.machine.reads(Shared::closed);
  if (state_ == State::before) {
    if (awaited_ != nullptr) awaited_->read_progress(Progress::done, 0);
    return;
  }
  const scenario::Step& step = script_.step();
  if (std::holds_alternative<scenario::AwaitFault>(step)) {
    stage_.machine.reads(Shared::journal);
  } else if (std::holds_alternative<scenario::AwaitWorker>(step)) {
    stage_.machine.reads(Shared::moments);
  } else if (const auto* client = std::get_if<scenario::AwaitClient>(&step)) {
    const auto which = client->ended ? Progress::ended : Progress::begun;
    if (awaited_ != nullptr) awaited_->read_progress(which, client->step);
  }
}

bool Client::has_come_true() const {
  if (state_ == State::closing) return stage_.pool.is_closed();
  if (state_ == State::before) return awaited_ == nullptr || awaited_->done();
  const scenario::Step& step = script_.step();
  if (const auto* client = std::get_if<scenario::AwaitClient>(&step)) {
    return awaited_ == nullptr ||
           (client->ended ? awaited_->has_ended(client->step) : awaited_->has_begun(client->step));
  }
  if (const auto* worker = std::get_if<scenario::AwaitWorker>(&step)) {
    return stage_.pool.has_been(worker->worker, worker->moment);
  }
  const auto& wanted = std::get<scenario::AwaitFault>(step).fault;
  const auto& journal = stage_.machine.trace.workers;
  return std::any_of(journal.begin(), journal.end(), [&wanted](const trace::WorkerRecord& record) {
    return record.record.kind == JournalRecord::Kind::receipt && record.record.fault == wanted;
  });
}

}  // namespace poolproof::sim
