#include "harness/oracle/view.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "harness/scenario/client_name.hpp"

namespace poolproof::oracle {
namespace {

using namespace std::string_view_literals;

constexpr Duration kHostGrain{2};

/// The names of the catalogue's faults, numbered once: each receipt is looked up by them.
const Numbering<std::string_view>& fault_names() {
  static const Numbering<std::string_view> names = [] {
    Numbering<std::string_view> all;
    for (const faults::Fault& fault : faults::catalogue()) all.number(fault.name);
    return all;
  }();
  return names;
}

/// A client that asks for another worker has surely let go of the one before.
constexpr bool ends_hold(StepKind kind) {
  return kind == StepKind::checkin || kind == StepKind::thrown || kind == StepKind::checkout;
}

}  // namespace

bool is_of(const ClientStep& record, const scenario::Step& step) {
  const StepKind kind = scenario::kind(step);
  if (!record.part) return record.kind == kind;
  const bool is_part = record.kind == StepKind::checkout || record.kind == StepKind::call ||
                       record.kind == StepKind::checkin;
  return is_part && kind == StepKind::execute;
}

inline bool Progress::takes(const ClientStep& step) {
  // Only the harness, which closes the pool, is no client of the scenario; it has no name.
  if (client == nullptr) return step.client.empty();
  if (next == steps.size()) {
    ++repetition;
    next = 0;
  }
  const bool is_next = step.step == next && next < steps.size() && step.repetition == repetition;
  if (!is_next || !is_of(step, steps[next])) return false;
  if (!step.part) ++next;
  return end <= step.begun && step.begun <= step.ended;
}

View::View(const Evidence& evidence, Memory* where)
    : memory(where),
      grain(evidence.bounds.liveness == Duration::zero() ? Duration::zero() : kHostGrain),
      scenario_(evidence.scenario),
      trace_(evidence.trace) {
  look_at_clients();
  for (const trace::OsRecord& census : trace_.os) {
    if (census.when == "before") begun = std::min(begun, census.at);
  }
  look_at_journal();
  group_by_worker();
}

void View::group_by_worker() {
  calls_of_worker.group(call_workers, workers.size());
  Table<std::uint32_t> worker_of(memory);
  worker_of.reserve(holds.size());
  for (const Hold& hold : holds) worker_of.push_back(hold.number);
  holds_of_worker.group(worker_of, workers.size());
}

/// The number of the step's worker: mostly that of the client's step before.
inline std::uint32_t View::number_of_worker(const ClientStep& step, Client& client) {
  const bool known = client.worker != kNone && same(workers.key(client.worker), *step.worker);
  if (!known) client.worker = workers.number(*step.worker);
  return client.worker;
}

/// Ends the client's hold, if it has one, at that time.
inline void View::finish(Client& client, Time at) {
  if (client.holds == nullptr) return;
  const ClientStep& checkout = *std::exchange(client.holds, nullptr);
  holds.push_back({&checkout, *checkout.worker, client.held, checkout.ended, at});
}

inline void View::look_at_call(const ClientStep& call, std::uint32_t worker) {
  const auto place = static_cast<std::uint32_t>(calls.size());
  if (call.outcome != Outcome::ok || call.in_doubt) add(troubled, place);
  const std::uint32_t nonce = call.nonce.empty() ? kNone : nonce_numbers.number(call.nonce);
  if (nonce == nonces.size()) nonces.push_back({&call, nullptr});
  calls.push_back(&call);
  call_nonces.push_back(nonce);
  call_workers.push_back(worker);
}

inline bool View::is_in_time(const ClientStep& step) const {
  const Time deadline = after(since(step), limit_of(step, scenario_.pool));
  return step.ended < deadline || (step.kind != StepKind::checkout && step.ended == deadline);
}

[[gnu::always_inline]] inline void View::look_at_step(std::uint32_t place, Client& client) {
  const ClientStep& step = trace_.clients[place];
  is_in_order = client.progress.takes(step) && is_in_order;
  client.progress.end = step.ended;
  const StepKind kind = step.kind;
  if (kind == StepKind::cancel) add(cancels, place);
  if (step.skipped) return;
  if (ends_hold(kind)) finish(client, step.begun);
  const std::uint32_t worker = step.worker ? number_of_worker(step, client) : kNone;
  const bool ok = step.outcome == Outcome::ok;
  // The parts of an execution are counted instead
  if (!ok && kind != StepKind::execute) add(failed, place);
  if (has_limit(kind) && !(ok && is_in_time(step))) add(slow, place);
  if (kind == StepKind::execute) {
    add(executions, place);
  } else if (is_call(kind)) {
    look_at_call(step, worker);
  } else if (kind == StepKind::checkout) {
    if (!ok) return add(refused, place);
    grants.push_back(place);
    if (!step.worker) return;
    client.holds = &step;
    client.held = worker;
  } else if (kind == StepKind::close) {
    add(closes, place);
    close_begun = std::min(close_begun, step.begun);
  } else if (kind == StepKind::thrown) {
    any_thrown = true;
  }
}

/// Numbers the scenario's clients first, in the scenario's order.
void View::expect_clients(Table<Client>& all) {
  for (const scenario::Client& client : scenario_.clients) awaited_ += client.count;
  // One more for the harness.
  const std::size_t most = std::min<std::size_t>(awaited_, trace_.clients.size()) + 1;
  all.reserve(std::max(most, scenario_.clients.size()));
  clients.reserve(std::max(most, scenario_.clients.size()));
  for (const scenario::Client& client : scenario_.clients) {
    if (client.count > 1) continue;  // the names of its copies stand nowhere: see client_of()
    const std::uint32_t number = clients.number(client.name);
    if (number == all.size()) all.emplace_back();
    all[number].progress.follow(client);
  }
}

void View::look_at_clients() {
  const std::size_t steps = trace_.clients.size();
  const std::size_t some = steps / 3 + 1;  // one step in three each: a checkout, a call, a check-in
  calls.reserve(some);
  call_nonces.reserve(some);
  call_workers.reserve(some);
  grants.reserve(some);
  holds.reserve(some);
  nonces.reserve(some);
  nonce_numbers.reserve(some);
  workers.reserve(scenario_.pool.core.size < some ? scenario_.pool.core.size : some);
  client_of_step.resize(steps);
  Table<Client> open(memory);
  expect_clients(open);
  std::uint32_t client = kNone;
  Time closes_ended = Time::min();
  for (std::uint32_t i = 0; i < steps; ++i) {
    const ClientStep& step = trace_.clients[i];
    // A client's steps mostly stand together.
    if (client == kNone || !same(clients.key(client), std::string_view(step.client))) {
      client = clients.number(step.client);
      if (client == open.size()) {
        open.emplace_back();
        const scenario::Client* const one = scenario::client_of(scenario_, step.client);
        if (one != nullptr) open.back().progress.follow(*one);
      }
    }
    client_of_step[i] = client;
    begun = std::min(begun, step.begun);
    Time& ended = step.kind == StepKind::close ? closes_ended : others_ended;
    ended = std::max(ended, step.ended);
    look_at_step(i, open[client]);
  }
  for (Client& one : open) {
    finish(one, one.progress.end);
    if (one.progress.client == nullptr) continue;
    --awaited_;
    is_in_order = is_in_order && one.progress.is_done();
  }
  is_in_order = is_in_order && awaited_ == 0;
  // The harness closes the pool when its clients are done.
  if (close_begun == kNever && steps > 0) close_begun = std::max(others_ended, closes_ended);
}

inline void View::look_at_read(const WorkerRecord& record, Signs& shown) {
  const JournalRecord& read = record.record;
  if (read.id) {
    shown.ids_fall = shown.ids_fall || (shown.last_id && *read.id <= *shown.last_id);
    shown.last_id = read.id;
  }
  if (!read.nonce) {
    if (read.request == 0U) shown.pinged = is_ping(read);
    if (shown.farewell == nullptr && shows_farewell(record.record)) shown.farewell = &record;
    return;
  }
  const bool admitted = shown.pinged && shown.ponged && !shown.ping_struck;
  shown.gate_in_doubt = shown.gate_in_doubt || !admitted;
  const std::uint32_t nonce = nonce_numbers.number(*read.nonce);
  if (nonce == nonces.size()) nonces.emplace_back();
  if (nonces[nonce].read == nullptr) nonces[nonce].read = &record;
  reads.push_back({&record, nonce});
}

void View::look_at_receipt(const WorkerRecord& record, std::uint32_t worker) {
  const faults::PlannedFault* const planned = planned_for(record.record);
  const faults::Fault* const fault = planned != nullptr ? planned->fault : fault_of(record.record);
  add(receipts, {&record, fault, planned, worker});
  Signs& shown = signs[worker];
  if (shown.receipt == nullptr) shown.receipt = &record;
  if (record.record.request == 0U) shown.ping_struck = true;
  shown.may_be_lost = shown.may_be_lost || excuses_loss(record.record);
  if (fault == nullptr || fault->closes == faults::Closes::nothing) return;
  const bool input = fault->closes == faults::Closes::stdin_;
  Time& closed = input ? shown.stdin_closed : shown.stdout_closed;
  closed = std::min(closed, record.at);
}

[[gnu::always_inline]] inline void View::look_at_record(const WorkerRecord& record,
                                                        std::uint32_t worker) {
  Signs& shown = signs[worker];
  switch (record.record.kind) {
    case Kind::started:
      if (shown.started == nullptr) shown.started = &record;
      break;
    case Kind::read:
      look_at_read(record, shown);
      break;
    case Kind::receipt:
      look_at_receipt(record, worker);
      break;
    case Kind::grandchild:
      shown.left_a_process = true;
      break;
    case Kind::stdin_end:
    case Kind::term:
    case Kind::goodbye:
      if (shown.farewell == nullptr) shown.farewell = &record;
      break;
    case Kind::exiting:
      add(exits, static_cast<std::uint32_t>(&record - trace_.workers.data()));
      shown.exits = true;
      shown.exiting = std::min(shown.exiting, record.at);
      break;
    case Kind::wrote:
      if (record.record.request == 0U) shown.ponged = true;
      break;
    case Kind::misframed:
      break;
  }
}

void View::look_at_journal() {
  const std::size_t records = trace_.workers.size();
  worker_of_record.resize(records);
  signs.reserve(workers.size() + 4);
  signs.resize(workers.size());
  reads.reserve(calls.size());
  std::uint32_t worker = kNone;
  for (std::size_t i = 0; i < records; ++i) {
    const WorkerRecord& record = trace_.workers[i];
    if (worker == kNone || !same(workers.key(worker), record.worker)) {
      worker = workers.number(record.worker);
      if (worker == signs.size()) signs.emplace_back();
    }
    worker_of_record[i] = worker;
    look_at_record(record, worker);
  }
  records_of_worker.group(worker_of_record, workers.size());
  incarnations.reserve(workers.size());
  for (std::uint32_t i = 0; i < workers.size(); ++i) {
    if (!records_of_worker[i].empty()) incarnations.push_back({workers.key(i), this, i});
  }
  put_in_order(incarnations, [](const auto& a, const auto& b) { return a.worker < b.worker; });
}

const faults::PlannedFault* View::planned_for(const JournalRecord& receipt) const {
  const auto& plan = scenario_.faults;
  const auto found = std::ranges::find_if(plan, [&receipt](const auto& planned) {
    return same(std::string_view(planned.id), std::string_view(receipt.plan_id)) &&
           planned.fault->name == receipt.fault;
  });
  return found == plan.end() ? nullptr : &*found;
}

faults::Reader View::reader_of(const JournalRecord& receipt) const {
  const bool of_ping = scenario_.pool.greets() && receipt.request.value_or(0) == 0;
  const wire::Payload payload = scenario_.pool.opaque ? wire::Payload::opaque
                                : of_ping             ? wire::Payload::handshake
                                                      : wire::Payload::envelope;
  return {scenario_.pool.framing, payload, scenario_.pool.speech};
}

faults::Leaves View::left_by(const JournalRecord& receipt) const {
  const faults::PlannedFault* const planned = planned_for(receipt);
  if (planned == nullptr) return faults::Leaves::depends;
  return faults::leaves_of_reply(*planned, reader_of(receipt));
}

bool View::excuses_loss(const JournalRecord& receipt) const {
  const faults::Fault* const fault = fault_of(receipt);
  if (fault == nullptr) return true;
  if (fault->harmless || fault->family == faults::Family::shutdown) return false;
  const faults::PlannedFault* const planned = planned_for(receipt);
  return planned == nullptr || !faults::keeps_worker(*planned, reader_of(receipt));
}

bool View::ended_process(const JournalRecord& receipt) const {
  const faults::PlannedFault* const planned = planned_for(receipt);
  return planned != nullptr && faults::ends_process(*planned);
}

std::span<const std::uint32_t> View::steps_of(std::uint32_t client) const {
  if (steps_of_client_.empty()) steps_of_client_.group(client_of_step, clients.size());
  return steps_of_client_[client];
}

WholeStep View::whole_of(const ClientStep& record) const {
  WholeStep whole{since(record), record.ended};
  if (!record.part) return whole;
  const auto place = static_cast<std::uint32_t>(&record - trace_.clients.data());
  const auto steps = steps_of(client_of_step[place]);
  const auto at = std::ranges::lower_bound(steps, place);
  const auto belongs = [&](std::uint32_t other) {
    const ClientStep& one = trace_.clients[other];
    return one.step == record.step && one.repetition == record.repetition;
  };
  for (auto part = at; part != steps.begin() && belongs(*--part);) {
    whole.begun = trace_.clients[*part].begun;
  }
  for (auto part = at; part != steps.end() && belongs(*part); ++part) {
    whole.ended = trace_.clients[*part].ended;
  }
  return whole;
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
  return specs.empty() || specs[worker.slot % specs.size()].journals();
}

bool View::all_have_journals() const {
  return std::ranges::all_of(scenario_.workers, &scenario::WorkerSpec::journals);
}

bool View::is_ours(WorkerId worker) const {
  const auto& specs = scenario_.workers;
  return specs.empty() || !specs[worker.slot % specs.size()].is_real_program();
}

bool View::all_are_ours() const {
  return std::ranges::none_of(scenario_.workers, &scenario::WorkerSpec::is_real_program);
}

const Signs& Incarnation::signs() const {
  return view->signs[number];
}

const scenario::Step* asked(const scenario::Scenario& scenario, const ClientStep& step) {
  const scenario::Client* const client = scenario::client_of(scenario, step.client);
  return client != nullptr && step.step < client->steps.size() ? &client->steps[step.step]
                                                               : nullptr;
}

std::optional<AskedCall> asked_call(const scenario::Scenario& scenario, const ClientStep& step) {
  if (const auto* call = asked_as<scenario::Call>(scenario, step)) {
    return AskedCall{call->command, call->args, call->reply, call->pad_bytes};
  }
  const auto* execute = asked_as<scenario::Execute>(scenario, step);
  if (execute == nullptr) return std::nullopt;
  return AskedCall{execute->command, execute->args, execute->reply, execute->pad_bytes};
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
                     step.step, name(step.kind), step.nonce.empty() ? "" : " ", step.nonce);
}

const faults::Fault* fault_of(const JournalRecord& receipt) {
  const std::uint32_t row = fault_names().find(receipt.fault);
  return row == kNone ? nullptr : &faults::catalogue()[row];
}

bool kills(const Receipt& receipt) {
  return receipt.planned != nullptr && receipt.planned->fault->end == faults::End::by_signal &&
         faults::ends_process(*receipt.planned);
}

bool exits_while_idle(const JournalRecord& receipt) {
  const faults::Fault* const fault = fault_of(receipt);
  return fault != nullptr && fault->moment == faults::Moment::idle &&
         fault->end == faults::End::exits;
}

const WorkerRecord* could_not_start(const Incarnation& incarnation) {
  const WorkerRecord* receipt = incarnation.signs().receipt;
  if (receipt == nullptr) return nullptr;
  const faults::Fault* fault = fault_of(receipt->record);
  return fault != nullptr && fault->moment == faults::Moment::launch ? receipt : nullptr;
}

bool is_unharmed(const Incarnation& incarnation) {
  if (incarnation.records().empty() || incarnation.signs().receipt != nullptr) return false;
  return !was_struck(incarnation.view->trace(), incarnation.worker,
                     [](const trace::EnvironmentRecord&) { return true; });
}

bool shows_farewell(const JournalRecord& record) {
  if (record.kind == Kind::term || record.kind == Kind::stdin_end) return true;
  return record.kind == Kind::read && !record.nonce && record.command &&
         same(std::string_view(*record.command), "shutdown"sv);
}

bool is_ping(const JournalRecord& read) {
  if (read.id != 0 || !read.command) return false;
  const std::string_view command = *read.command;
  return same(command, "ping"sv) || same(command, "initialize"sv);
}

}  // namespace poolproof::oracle
