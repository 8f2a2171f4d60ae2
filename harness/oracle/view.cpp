#include "harness/oracle/view.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace poolproof::oracle {
namespace {

using faults::JournalRecord;
using trace::ClientStep;
using Kind = JournalRecord::Kind;

constexpr Duration kHostGrain{2};

/// Their lengths tell most names apart.
Op op_of(std::string_view name) {
  const auto if_it_is = [name](std::string_view wanted, Op op) {
    return name == wanted ? op : Op::other;
  };
  switch (name.size()) {
    case 4:
      return if_it_is("call", Op::call);
    case 5:
      return name == "throw" ? Op::thrown : if_it_is("close", Op::close);
    case 6:
      return if_it_is("cancel", Op::cancel);
    case 7:
      return if_it_is("checkin", Op::checkin);
    case 8:
      return if_it_is("checkout", Op::checkout);
    default:
      return if_it_is("call_bytes", Op::call);
  }
}

/// The catalogue's rows by name: looked up for each receipt.
const Numbering<std::string_view>& fault_names() {
  static const Numbering<std::string_view> names = [] {
    Numbering<std::string_view> all;
    for (const faults::Fault& fault : faults::catalogue()) all.number(fault.name);
    return all;
  }();
  return names;
}

}  // namespace

View::View(const Evidence& evidence, Memory* memory)
    : grain(evidence.bounds.liveness == Duration::zero() ? Duration::zero() : kHostGrain),
      ops(memory),
      closes(memory),
      cancels(memory),
      refused(memory),
      holds(memory),
      calls(memory),
      call_nonces(memory),
      reads(memory),
      receipts(memory),
      exits(memory),
      nonces(memory),
      nonce_numbers(memory),
      clients(memory),
      workers(memory),
      worker_of_record(memory),
      signs(memory),
      incarnations(memory),
      begun(kNever),
      close_begun(kNever),
      steps_of_client(memory),
      records_of_worker(memory),
      calls_of_worker(memory),
      holds_of_worker(memory),
      scenario_(evidence.scenario),
      trace_(evidence.trace) {
  look_at_clients();
  for (const trace::OsRecord& census : trace_.os) {
    if (census.when == "before") begun = std::min(begun, census.at);
  }
  look_at_journal();
  Table<std::uint32_t> worker_of(memory);
  worker_of.reserve(std::max(calls.size(), holds.size()));
  for (const ClientStep* call : calls) {
    worker_of.push_back(call->worker ? workers.find(*call->worker) : kNone);
  }
  calls_of_worker.group(worker_of, workers.size());
  worker_of.clear();
  for (const Hold& hold : holds) worker_of.push_back(workers.find(hold.worker));
  holds_of_worker.group(worker_of, workers.size());
}

void View::look_at_clients() {
  const std::size_t steps = trace_.clients.size();
  Table<std::uint32_t> client_of(memory());
  client_of.reserve(steps);
  ops.reserve(steps);
  calls.reserve(steps);
  call_nonces.reserve(steps);
  nonces.reserve(steps / 3 + 1);
  holds.reserve(steps / 3 + 1);
  nonce_numbers.reserve(steps / 3 + 1);  // a lease, a call, a check-in
  Time last_ended = Time::min();
  for (const ClientStep& step : trace_.clients) {
    // A client's steps mostly stand together.
    const bool same = !client_of.empty() && clients.key(client_of.back()) == step.client;
    client_of.push_back(same ? client_of.back() : clients.number(step.client));
    ops.push_back(op_of(step.op));
    begun = std::min(begun, step.begun);
    last_ended = std::max(last_ended, step.ended);
    if (ops.back() == Op::cancel) cancels.push_back(static_cast<std::uint32_t>(ops.size() - 1));
    if (step.skipped) continue;
    if (ops.back() == Op::close) {
      closes.push_back(static_cast<std::uint32_t>(ops.size() - 1));
      close_begun = std::min(close_begun, step.begun);
    }
    if (step.worker) workers.number(*step.worker);
    if (ops.back() == Op::checkout && step.outcome != Outcome::ok) {
      refused.push_back(static_cast<std::uint32_t>(ops.size() - 1));
    }
    if (ops.back() != Op::call) continue;
    calls.push_back(&step);
    call_nonces.push_back(step.nonce.empty() ? kNone : nonce_numbers.number(step.nonce));
    const std::uint32_t nonce = call_nonces.back();
    if (nonce == nonces.size()) nonces.push_back({&step, nullptr});
  }
  // The harness closes the pool when its clients are done.
  if (close_begun == kNever && last_ended != Time::min()) close_begun = last_ended;
  steps_of_client.group(client_of, clients.size());
  look_at_holds(client_of);
}

void View::look_at_holds(std::span<const std::uint32_t> client_of_step) {
  struct Client {
    std::optional<Hold> open;
    Time end;
  };
  Table<Client> all(clients.size(), memory());
  const auto finish = [this](Client& client, Time at) {
    if (!client.open) return;
    client.open->to = at;
    holds.push_back(*client.open);
    client.open.reset();
  };
  for (std::size_t i = 0; i < trace_.clients.size(); ++i) {
    const ClientStep& step = trace_.clients[i];
    Client& client = all[client_of_step[i]];
    client.end = step.ended;
    if (step.skipped) continue;
    if (ops[i] == Op::checkin || ops[i] == Op::thrown || ops[i] == Op::checkout) {
      finish(client, step.begun);
    }
    if (ops[i] == Op::checkout && step.outcome == Outcome::ok && step.worker) {
      client.open = Hold{&step, *step.worker, step.ended, {}};
    }
  }
  for (Client& client : all) finish(client, client.end);
}

void View::look_at_journal() {
  worker_of_record.reserve(trace_.workers.size());
  signs.reserve(workers.size() + 4);
  reads.reserve(calls.size());
  for (const trace::WorkerRecord& record : trace_.workers) {
    const std::uint32_t last = worker_of_record.empty() ? kNone : worker_of_record.back();
    const bool same = last != kNone && workers.key(last) == record.worker;
    worker_of_record.push_back(same ? last : workers.number(record.worker));
    if (signs.size() < workers.size()) signs.resize(workers.size());
    look_at_record(record, worker_of_record.back());
  }
  signs.resize(workers.size());
  records_of_worker.group(worker_of_record, workers.size());
  incarnations.reserve(workers.size());
  for (std::uint32_t i = 0; i < workers.size(); ++i) {
    if (!records_of_worker[i].empty()) incarnations.push_back({workers.key(i), this, i});
  }
  const auto earlier = [](const Incarnation& a, const Incarnation& b) {
    return a.worker < b.worker;
  };
  if (!std::is_sorted(incarnations.begin(), incarnations.end(), earlier)) {
    std::sort(incarnations.begin(), incarnations.end(), earlier);
  }
}

void View::look_at_record(const trace::WorkerRecord& record, std::uint32_t worker) {
  Signs& shown = signs[worker];
  switch (record.record.kind) {
    case Kind::started:
      if (shown.started == nullptr) shown.started = &record;
      break;
    case Kind::read:
      look_at_read(record);
      break;
    case Kind::receipt:
      look_at_receipt(record, worker);
      break;
    case Kind::grandchild:
      shown.left_a_process = true;
      break;
    case Kind::exiting:
      exits.push_back(static_cast<std::uint32_t>(&record - trace_.workers.data()));
      shown.exits = true;
      shown.exiting = std::min(shown.exiting, record.at);
      break;
    default:
      break;
  }
  if (shown.farewell == nullptr && shows_farewell(record.record)) shown.farewell = &record;
}

void View::look_at_read(const trace::WorkerRecord& record) {
  if (!record.record.nonce) return;
  const std::uint32_t nonce = nonce_numbers.number(*record.record.nonce);
  if (nonce == nonces.size()) nonces.emplace_back();
  if (nonces[nonce].read == nullptr) nonces[nonce].read = &record;
  reads.push_back({&record, nonce});
}

void View::look_at_receipt(const trace::WorkerRecord& record, std::uint32_t worker) {
  static const faults::Fault* const stdin_closed = row_of("stdin_closed");
  static const faults::Fault* const stdout_closed = row_of("stdout_closed");
  const faults::Fault* const fault = fault_of(record.record);
  receipts.push_back({&record, fault, worker});
  Signs& shown = signs[worker];
  if (shown.receipt == nullptr) shown.receipt = &record;
  shown.may_be_lost = shown.may_be_lost || excuses_loss(record.record, fault);
  if (fault == nullptr) return;
  if (fault == stdin_closed) shown.stdin_closed = std::min(shown.stdin_closed, record.at);
  if (fault == stdout_closed) shown.stdout_closed = std::min(shown.stdout_closed, record.at);
}

const ClientStep* View::call_of(std::string_view nonce) const {
  const std::uint32_t number = nonce_numbers.find(nonce);
  return number == kNone ? nullptr : nonces[number].call;
}

std::optional<Incarnation> View::find(WorkerId worker) const {
  const std::uint32_t number = workers.find(worker);
  if (number == kNone) return std::nullopt;
  return Incarnation{worker, this, number};
}

bool View::has_journal(WorkerId worker) const {
  const auto& specs = scenario_.workers;
  return specs.empty() || specs[worker.slot % specs.size()].kind != scenario::WorkerKind::command;
}

bool View::all_have_journals() const {
  return std::all_of(scenario_.workers.begin(), scenario_.workers.end(), [](const auto& worker) {
    return worker.kind != scenario::WorkerKind::command;
  });
}

std::span<const std::uint32_t> Incarnation::records() const {
  return view->records_of_worker[number];
}

const Signs& Incarnation::signs() const {
  return view->signs[number];
}

bool is_call(const ClientStep& step) {
  return step.op == "call" || step.op == "call_bytes";
}

bool is_grant(const ClientStep& step) {
  return step.op == "checkout" && !step.skipped && step.outcome == Outcome::ok;
}

bool leaves_doubt(const ClientStep& call, bool read) {
  if (call.in_doubt) return true;
  switch (call.outcome) {
    case Outcome::worker_died:
    case Outcome::stdout_closed:
    case Outcome::stdin_closed:
    case Outcome::protocol_error:
    case Outcome::stale_worker:
      return true;
    case Outcome::call_timeout:
    case Outcome::cancelled:
      return call.written_bytes > 0 || read;
    default:
      return false;
  }
}

std::string who(const ClientStep& step) {
  return fmt::format("client {}, step {} ({}{}{})", step.client.empty() ? "(harness)" : step.client,
                     step.step, step.op, step.nonce.empty() ? "" : " ", step.nonce);
}

bool is_deadly(int signal) {
  constexpr std::array kHarmless{17, 18, 19, 20, 21, 22, 23, 28};  // CHLD, CONT, stops, URG, WINCH
  return signal != 0 && std::find(kHarmless.begin(), kHarmless.end(), signal) == kHarmless.end();
}

const faults::Fault* row_of(std::string_view fault) {
  const std::uint32_t row = fault_names().find(fault);
  return row == kNone ? nullptr : &faults::catalogue()[row];
}

const faults::Fault* fault_of(const JournalRecord& receipt) {
  return row_of(receipt.fault);
}

const trace::WorkerRecord* could_not_start(const Incarnation& incarnation) {
  const trace::WorkerRecord* receipt = incarnation.signs().receipt;
  if (receipt == nullptr) return nullptr;
  const faults::Fault* fault = fault_of(receipt->record);
  return fault != nullptr && fault->moment == faults::Moment::launch ? receipt : nullptr;
}

bool excuses_loss(const JournalRecord& receipt, const faults::Fault* fault) {
  static const faults::Fault* const error_reply = row_of("error_reply");
  if (fault == nullptr) return true;
  // An error is an answer like any other, but to the init ping.
  const bool answers = fault == error_reply && receipt.request != 0U;
  return !fault->harmless && fault->family != faults::Family::shutdown && !answers;
}

bool shows_farewell(const JournalRecord& record) {
  return record.kind == Kind::term || record.kind == Kind::stdin_end ||
         (record.kind == Kind::read && record.command == "shutdown" && !record.nonce);
}

}  // namespace poolproof::oracle
